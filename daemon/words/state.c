// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "algorithm.h"
#include "context.h"
#include "protocol.h"
#include "state.h"

/* ---- the id -------------------------------------------------------------------------- */

static int take_src(struct words *w, const char *name, void *target)
{
	struct ipsp_sa *sa = &((struct state_line *)target)->sa;

	return address_take(w, name, &sa->family, sa->source);
}

static int take_dst(struct words *w, const char *name, void *target)
{
	struct ipsp_sa *sa = &((struct state_line *)target)->sa;

	return address_take(w, name, &sa->family, sa->destination);
}

static int take_proto(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "esp", IPSP_ESP, true }, { "ah", IPSP_AH, true }, { "comp", 108, false },
	};
	struct ipsp_sa *sa = &((struct state_line *)target)->sa;
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	sa->protocol = (__u8)value;
	return 0;
}

static int take_spi(struct words *w, const char *name, void *target)
{
	uint32_t spi;

	if (word_number32(w, name, 0x100, UINT32_MAX, &spi))
		return -EINVAL;
	((struct state_line *)target)->sa.spi = htonl(spi);
	return 0;
}

/* ---- the rest ------------------------------------------------------------------------ */

static int take_mode(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "transport", IPSP_SA_TRANSPORT, true }, { "tunnel", IPSP_SA_TUNNEL, true },
		{ "beet", IPSP_SA_BEET, true }, { "ro", 2, false }, { "in_trigger", 3, false },
	};
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct state_line *)target)->sa.mode = (__u8)value;
	return 0;
}

static int take_reqid(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 0, UINT32_MAX, &((struct state_line *)target)->sa.reqid);
}

static int take_window(struct words *w, const char *name, void *target)
{
	struct state_line *line = target;

	if (word_number32(w, name, 0, IPSP_WINDOW_MAX, &line->window))
		return -EINVAL;
	if (line->window && line->window < IPSP_WINDOW_MIN)
		return word_bad(w, name, w->word[w->at - 1], "0 (no check), or 32 to 4096");
	return 0;
}

static int take_oseq(struct words *w, const char *name, void *target)
{
	struct state_line *line = target;

	if (word_number(w, name, 0, UINT32_MAX, &line->next))
		return -EINVAL;
	line->next++;			/* ip xfrm names the last one used */
	return 0;
}

static int take_seq(struct words *w, const char *name, void *target)
{
	struct state_line *line = target;

	if (word_number(w, name, 0, UINT32_MAX, &line->seen))
		return -EINVAL;
	line->seen++;
	return 0;
}

static int take_mark(struct words *w, const char *name, void *target)
{
	struct ipsp_sa *sa = &((struct state_line *)target)->sa;

	if (word_number32(w, name, 0, UINT32_MAX, &sa->mark))
		return -EINVAL;
	sa->mark_mask = UINT32_MAX;
	return word_take(w, "mask") ? word_number32(w, "mask", 0, UINT32_MAX, &sa->mark_mask) : 0;
}

static int take_if_id(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 0, UINT32_MAX, &((struct state_line *)target)->sa.if_id);
}

static const struct word_choice flag_choice[] = {
	{ "esn", IPSP_SAF_ESN, true }, { "noecn", IPSP_SAF_NOECN, true },
	{ "decap-dscp", IPSP_SAF_DECAP_DSCP, true }, { "nopmtudisc", IPSP_SAF_NOPMTUDISC, true },
	{ "af-unspec", IPSP_SAF_AF_UNSPEC, true }, { "wildrecv", 0, false },
	{ "icmp", 0, false }, { "align4", IPSP_SAF_ALIGN4, true },
};

static int is_flag(const char *word)
{
	size_t i;

	for (i = 0; word && i < sizeof(flag_choice) / sizeof(flag_choice[0]); i++)
		if (!strcmp(word, flag_choice[i].name))
			return 1;
	return 0;
}

static int take_flag(struct words *w, const char *name, void *target)
{
	uint32_t value;

	do {
		if (word_pick(w, name, WORD_TABLE(flag_choice), &value))
			return -EINVAL;
		((struct state_line *)target)->sa.flags |= value;
	} while (is_flag(word_peek(w)));
	return 0;
}

static int take_extra_flag(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "dont-encap-dscp", IPSP_SAF_DONT_ENCAP_DSCP, true },
	};
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct state_line *)target)->sa.flags |= value;
	return 0;
}

/* encap TYPE SPORT DPORT OADDR. The original address is for repairing checksums, which ours need not. */
static int take_encap(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "espinudp", 2, true }, { "espinudp-nonike", 1, false }, { "espintcp", 7, false },
	};
	struct ipsp_sa *sa = &((struct state_line *)target)->sa;
	uint32_t type, source, destination;
	__u8 family = 0, original[16];

	if (word_pick(w, name, WORD_TABLE(choice), &type) ||
	    word_number32(w, "encap sport", 1, 0xffff, &source) ||
	    word_number32(w, "encap dport", 1, 0xffff, &destination) ||
	    address_take(w, "encap oaddr", &family, original))
		return -EINVAL;
	sa->encap_source = htons((uint16_t)source);
	sa->encap_destination = htons((uint16_t)destination);
	return 0;
}

static int take_selector(struct words *w, const char *name, void *target)
{
	(void)name;
	return protocol_take_selector(w, &((struct state_line *)target)->sa.selector);
}

static int take_direction(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "in", IPSP_DIR_IN, true }, { "out", IPSP_DIR_OUT, true },
	};
	struct state_line *line = target;
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	line->sa.direction = (__u8)value;
	line->has_direction = true;
	return 0;
}

static int take_limit(struct words *w, const char *name, void *target)
{
	(void)name;
	return limit_take(w, &((struct state_line *)target)->limit);
}

static int take_context(struct words *w, const char *name, void *target)
{
	return context_take(w, name, &((struct state_line *)target)->sa.label);
}

static int take_not_served(struct words *w, const char *name, void *target)
{
	const char *value;

	(void)target;
	if (word_value(w, name, &value))
		return -EINVAL;
	return word_not_served(w, name, value, "leaving it out");
}

/* ---- keys ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* 0x and digits, or the bytes themselves. The number of bytes, or -1. */
static int key_decode(const char *text, __u8 key[IPSP_KEY_MAX])
{
	size_t length = strlen(text), i;

	if (strncmp(text, "0x", 2)) {
		if (length > IPSP_KEY_MAX)
			return -1;
		memcpy(key, text, length);
		return (int)length;
	}
	text += 2;
	length -= 2;
	if (length % 2 || length / 2 > IPSP_KEY_MAX)
		return -1;
	for (i = 0; i < length; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return -1;
		key[i / 2] = (__u8)(key[i / 2] << 4 | hex_digit(text[i]));
	}
	return (int)(length / 2);
}

/* @FILE: its first line. What is no file, a FIFO say, may keep us waiting for ever. */
static int key_from_file(const char *path, __u8 key[IPSP_KEY_MAX])
{
	char line[2 * IPSP_KEY_MAX + 4] = "";
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), length;
	struct stat st;
	ssize_t got = fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	if (got < 0)
		return -1;
	line[got] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	length = key_decode(line, key);
	explicit_bzero(line, sizeof(line));
	return length;
}

/* A path is never taken for a key, nor a request's word for a path. */
static int key_from_outside(const struct words *w, const char *text, __u8 key[IPSP_KEY_MAX])
{
	if (!w->is_request)
		return key_from_file(text, key);
	return *text == '=' ? key_decode(text + 1, key) : -1;
}

static int take_key(struct words *w, const char *name, struct ipsp_algorithm *a)
{
	const char *value;
	int length;

	if (word_value(w, name, &value))
		return -EINVAL;
	length = *value == '@' ? key_from_outside(w, value + 1, a->key) : key_decode(value, a->key);
	if (length < 0)
		return word_bad(w, name, *value == '@' && value[1] != '=' ? value : "(key)",
				"0x and an even number of hex digits, bytes, or @FILE with one of them");
	a->key_bits = (__u32)length * 8;
	return 0;
}

/* "128, 192 or 256" */
static void lengths_text(struct text *t, const uint16_t lengths[ALGORITHM_LENGTHS])
{
	int i, more;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || lengths[i]); i++) {
		more = i + 1 < ALGORITHM_LENGTHS && lengths[i + 1];
		text_add(t, "%s%u", !i ? "" : more ? ", " : " or ", lengths[i]);
	}
}

static int check_lengths(struct words *w, const char *name, const char *what, uint32_t bits,
			 const uint16_t lengths[ALGORITHM_LENGTHS], unsigned salt)
{
	char word[64], seen[32], allowed[128];
	struct text t;

	if (algorithm_allows(lengths, bits))
		return 0;
	text_init(&t, allowed, sizeof(allowed));
	lengths_text(&t, lengths);
	text_add(&t, " bits");
	if (salt)
		text_add(&t, " (%u of them salt)", 8 * salt);
	snprintf(word, sizeof(word), "%s %s", name, what);
	snprintf(seen, sizeof(seen), "%u bits", bits);
	return word_bad(w, word, seen, allowed);
}

static int unknown_algorithm(struct words *w, const char *name, enum algorithm_kind kind, const char *seen)
{
	char allowed[400], shown[61];
	const struct algorithm *a;
	struct text t;

	text_init(&t, allowed, sizeof(allowed));
	for (a = algorithm_table; *a->name; a++)
		if (a->kind == kind)
			text_list(&t, a->name);
	word_show_no_key(shown, sizeof(shown), seen);
	return word_fail(w, WORD_STATUS_GRAMMAR, "%s \"%s\": no engine has it; allowed: %s", name,
			 word_shown(shown), allowed);
}

/* NAME KEY; the table's name for it, whatever was given. */
static const struct algorithm *take_algorithm(struct words *w, const char *name, enum algorithm_kind kind,
					      struct ipsp_algorithm *a)
{
	const struct algorithm *row;
	const char *value;

	if (word_value(w, name, &value))
		return NULL;
	row = algorithm_find(kind, value);
	if (!row) {
		unknown_algorithm(w, name, kind, value);
		return NULL;
	}
	strcpy(a->name, row->name);
	if (take_key(w, name, a) || check_lengths(w, name, "key", a->key_bits, row->key_bits, row->salt_len))
		return NULL;
	return row;
}

static int take_icv(struct words *w, const char *name, const struct algorithm *row, struct ipsp_algorithm *a)
{
	if (word_number32(w, name, 0, 1024, &a->icv_bits))
		return -EINVAL;
	return check_lengths(w, name, "icv", a->icv_bits, row->icv_bits, 0);
}

static int take_aead(struct words *w, const char *name, void *target)
{
	struct ipsp_algorithm *a = &((struct state_line *)target)->sa.aead;
	const struct algorithm *row = take_algorithm(w, name, ALGORITHM_AEAD, a);

	return row ? take_icv(w, name, row, a) : -EINVAL;
}

static int take_enc(struct words *w, const char *name, void *target)
{
	return take_algorithm(w, name, ALGORITHM_CIPHER, &((struct state_line *)target)->sa.cipher) ? 0 : -EINVAL;
}

static int take_auth(struct words *w, const char *name, void *target)
{
	struct ipsp_algorithm *a = &((struct state_line *)target)->sa.auth;
	const struct algorithm *row = take_algorithm(w, name, ALGORITHM_AUTH, a);

	if (!row)
		return -EINVAL;
	a->icv_bits = row->icv_bits[0];
	return 0;
}

static int take_auth_trunc(struct words *w, const char *name, void *target)
{
	struct ipsp_algorithm *a = &((struct state_line *)target)->sa.auth;
	const struct algorithm *row = take_algorithm(w, name, ALGORITHM_AUTH, a);

	return row ? take_icv(w, name, row, a) : -EINVAL;
}

/* ---- what the compartment admits ------------------------------------------------------- */

const char *state_weakness(const struct ipsp_sa *sa)
{
	const struct algorithm *cipher = algorithm_find(ALGORITHM_CIPHER, sa->cipher.name);
	const struct algorithm *auth = algorithm_find(ALGORITHM_AUTH, sa->auth.name);

	if (cipher && cipher->is_legacy)
		return cipher->name;
	if (auth && auth->is_legacy)
		return auth->name;
	return cipher && !sa->auth.name[0] ? "enc without auth" : NULL;
}

static int no_engine(struct words *w, const struct ipsp_sa *sa, const struct option_set *options)
{
	char has[64], asked[64];
	struct text t;

	text_init(&t, has, sizeof(has));
	algorithm_engines_text(&t, sa);
	text_init(&t, asked, sizeof(asked));
	option_engines_text(&t, options->engine);
	return word_fail(w, WORD_STATUS_REFUSED, "state: \"%s%s%s\": not of engine %s; engines that have it: %s",
			 sa->aead.name[0] ? sa->aead.name : sa->cipher.name, sa->auth.name[0] ? " " : "", sa->auth.name,
			 asked, has);
}

static int no_build(struct words *w, const struct ipsp_sa *sa, const struct build *b)
{
	char name[32], has[64];
	struct text t;

	text_init(&t, name, sizeof(name));
	build_text(&t, b);
	text_init(&t, has, sizeof(has));
	algorithm_engines_text(&t, sa);
	if (b->program == BUILD_OWN)
		return word_fail(w, WORD_STATUS_REFUSED, "state: \"%s%s%s\": not of build %s; engines that have it: %s",
				 sa->aead.name[0] ? sa->aead.name : sa->cipher.name, sa->auth.name[0] ? " " : "",
				 sa->auth.name, name, has);
	return word_fail(w, WORD_STATUS_REFUSED, "state: \"%s%s%s\": not of build %s; it has: esp in mode transport or "
			 "tunnel, with rfc4106(gcm(aes)) of 288 bits or rfc7539esp(chacha20,poly1305), ICV 128",
			 sa->aead.name[0] ? sa->aead.name : sa->cipher.name, sa->auth.name[0] ? " " : "", sa->auth.name,
			 name);
}

int state_admit(struct words *w, const struct ipsp_sa *sa, const struct option_set *options)
{
	const struct build lacks = build_lacks(options->build, sa);
	const char *weak = state_weakness(sa);

	if (weak && !options->legacy)
		return word_fail(w, WORD_STATUS_REFUSED, "state: \"%s\": too weak; allowed: in a compartment with "
				 "legacy yes", weak);
	if (lacks.program)
		return no_build(w, sa, &lacks);
	return algorithm_engine(sa, options->engine) ? 0 : no_engine(w, sa, options);
}

/* ---- lines ----------------------------------------------------------------------------- */

static const struct word_entry state_words[] = {
	{ "src", take_src }, { "dst", take_dst }, { "proto", take_proto }, { "spi", take_spi },
	{ "mode", take_mode }, { "reqid", take_reqid }, { "replay-window", take_window },
	{ "replay-oseq", take_oseq }, { "replay-seq", take_seq }, { "mark", take_mark }, { "if_id", take_if_id },
	{ "flag", take_flag }, { "extra-flag", take_extra_flag }, { "sel", take_selector },
	{ "aead", take_aead }, { "enc", take_enc }, { "auth", take_auth }, { "auth-trunc", take_auth_trunc },
	{ "dir", take_direction }, { "comp", take_not_served },
	{ "encap", take_encap }, { "offload", take_not_served }, { "ctx", take_context },
	{ "limit*", take_limit }, { "coa", take_not_served }, { "output-mark", take_not_served },
	{ "tfcpad", take_not_served },
};

static int missing(struct words *w, const char *name)
{
	return word_fail(w, WORD_STATUS_MISSING, "state: no %s; wanted: src A dst B proto esp|ah "
			 "spi N [mode M] aead NAME KEY ICV-BITS | enc NAME KEY auth-trunc NAME KEY ICV-BITS", name);
}

static bool state_has_beet_addresses(const struct ipsp_selector *s)
{
	const __u8 bits = s->family == 4 ? 32 : 128;

	return s->family && s->source_prefix == bits && s->destination_prefix == bits;
}

static int state_check_ah(struct words *w, const struct ipsp_sa *sa)
{
	if (sa->aead.name[0] || sa->cipher.name[0])
		return word_bad(w, "proto ah", sa->aead.name[0] ? "aead" : "enc", "auth or auth-trunc alone");
	if (sa->mode == IPSP_SA_BEET || sa->encap_source)
		return word_bad(w, "proto ah", sa->encap_source ? "encap" : "mode beet", "mode transport or tunnel");
	return sa->auth.name[0] ? 0 : missing(w, "auth");
}

static int state_check(struct words *w, const struct state_line *line, bool is_id_only)
{
	const struct ipsp_sa *sa = &line->sa;

	if (!sa->family || address_is_zero(sa->destination))
		return missing(w, "dst");
	if (!sa->protocol)
		return missing(w, "proto");
	if (!sa->spi)
		return missing(w, "spi");
	if (is_id_only)
		return 0;
	if (address_is_zero(sa->source))
		return missing(w, "src");
	if (sa->mode == IPSP_SA_BEET && !state_has_beet_addresses(&sa->selector))
		return missing(w, "sel with one src and one dst, as mode beet wants");
	if (sa->protocol == IPSP_AH)
		return state_check_ah(w, sa);
	if (!sa->aead.name[0] && !sa->cipher.name[0])
		return missing(w, sa->auth.name[0] ? "enc (it may be ecb(cipher_null))" : "aead");
	if (sa->aead.name[0] && (sa->cipher.name[0] || sa->auth.name[0]))
		return word_fail(w, WORD_STATUS_GRAMMAR, "state: aead \"%s\" beside enc or auth; allowed: aead alone",
				 sa->aead.name);
	return 0;
}

int state_parse(struct words *w, struct state_line *line, bool is_id_only)
{
	memset(line, 0, sizeof(*line));
	protocol_selector_init(&line->sa.selector);
	if (word_run(w, WORD_TABLE(state_words), line) || state_check(w, line, is_id_only)) {
		explicit_bzero(line, sizeof(*line));
		return -EINVAL;
	}
	if (line->sa.protocol == IPSP_AH && line->sa.auth.name[0])
		strcpy(line->sa.cipher.name, "ecb(cipher_null)");	/* what AH is taken for: see ah.h */
	return 0;
}

int state_direction(struct words *w, struct state_line *line)
{
	struct ipsp_sa *sa = &line->sa;

	if (line->has_direction)
		return 0;
	if (address_is_local(sa->family, sa->source) == 1)
		sa->direction = IPSP_DIR_OUT;
	else if (address_is_local(sa->family, sa->destination) == 1)
		sa->direction = IPSP_DIR_IN;
	else
		return word_fail(w, WORD_STATUS_REFUSED, "state: neither src nor dst is an "
				 "address of this host; wanted: one that is, or dir in|out");
	return 0;
}

static void text_key(struct text *t, const struct ipsp_algorithm *a, bool keys, bool bits)
{
	__u32 i;

	if (!keys) {
		text_add(t, "(%u bits, not shown)", a->key_bits);
		return;
	}
	text_add(t, "0x");
	for (i = 0; i < a->key_bits / 8; i++)
		text_add(t, "%02x", a->key[i]);
	if (bits)
		text_add(t, " (%u bits)", a->key_bits);
}

static void text_algorithm(struct text *t, const char *word, const struct ipsp_algorithm *a, bool keys, bool bits)
{
	if (!a->name[0])
		return;
	text_add(t, "\t%s %s ", word, a->name);
	text_key(t, a, keys, bits);
	if (a->icv_bits)
		text_add(t, " %u", a->icv_bits);
	text_add(t, "\n");
}

void state_text_algorithms(struct text *t, const struct ipsp_sa *sa, bool keys, bool bits)
{
	text_algorithm(t, "aead", &sa->aead, keys, bits);
	text_algorithm(t, "auth-trunc", &sa->auth, keys, bits);
	if (sa->protocol != IPSP_AH)
		text_algorithm(t, "enc", &sa->cipher, keys, bits);
	if (sa->encap_source)
		text_add(t, "\tencap type espinudp sport %u dport %u addr %s\n", ntohs(sa->encap_source),
			 ntohs(sa->encap_destination), sa->family == 4 ? "0.0.0.0" : "::");
}

void state_text(struct text *t, const struct state_line *line, bool keys)
{
	const struct ipsp_sa *sa = &line->sa;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];
	size_t i;

	text_add(t, "src %s dst %s\n", address_text(a, sa->family, sa->source),
		 address_text(b, sa->family, sa->destination));
	text_add(t, "\tproto %s spi 0x%08x reqid %u mode %s\n", protocol_ipsec_text(sa->protocol), ntohl(sa->spi), sa->reqid,
		 protocol_mode_text(sa->mode));
	text_add(t, "\treplay-window %u flag", line->window);
	for (i = 0; i < sizeof(flag_choice) / sizeof(flag_choice[0]); i++)
		if (sa->flags & flag_choice[i].value)
			text_add(t, " %s", flag_choice[i].name);
	text_add(t, "\n");
	state_text_algorithms(t, sa, keys, false);
	context_text(t, sa->label);
	text_add(t, "\tdir %s\n\tsel ", sa->direction == IPSP_DIR_OUT ? "out" : "in");
	protocol_selector_text(t, &sa->selector);
	text_add(t, "\n");
}
