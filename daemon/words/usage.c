// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "address.h"
#include "context.h"
#include "protocol.h"
#include "reason.h"
#include "usage.h"

#define USAGE_SECOND 1000000000ull

/* In XFRM's order, with the bits that it has for them; the words are state.c's. */
static const struct usage_flag {
	uint32_t flag;
	unsigned xfrm;
	const char *name;
} usage_flags[] = {
	{ IPSP_SAF_NOECN, 0x01, "noecn" }, { IPSP_SAF_DECAP_DSCP, 0x02, "decap-dscp" },
	{ IPSP_SAF_NOPMTUDISC, 0x04, "nopmtudisc" }, { IPSP_SAF_AF_UNSPEC, 0x20, "af-unspec" },
	{ IPSP_SAF_ALIGN4, 0x40, "align4" }, { IPSP_SAF_ESN, 0x80, "esn" },
};

#define USAGE_FLAGS (sizeof(usage_flags) / sizeof(usage_flags[0]))

static unsigned usage_text_flag_names(struct text *t, uint32_t flags)
{
	const char *blank = "";
	unsigned xfrm = 0;
	size_t i;

	for (i = 0; i < USAGE_FLAGS; i++) {
		if (!(flags & usage_flags[i].flag))
			continue;
		text_add(t, "%s%s", blank, usage_flags[i].name);
		blank = " ";
		xfrm |= usage_flags[i].xfrm;
	}
	if (flags & IPSP_SAF_DONT_ENCAP_DSCP)
		text_add(t, "%sextra_flag dont-encap-dscp", blank);
	return xfrm;
}

/* ip shows the eight flags as eight digits. */
static void usage_text_flags(struct text *t, uint32_t flags)
{
	unsigned xfrm = usage_text_flag_names(t, flags), bit;

	text_add(t, " (0x");
	for (bit = 0x80; bit; bit >>= 1)
		text_add(t, "%c", xfrm & bit ? '1' : '0');
	text_add(t, ")\n");
}

/* As XFRM chooses: up to 32 packets without ESN fit its older form, which alone has a window in the third line. */
static bool usage_is_long(const struct state_line *line)
{
	return (line->sa.flags & IPSP_SAF_ESN) || line->window > 32;
}

static void usage_text_id(struct text *t, const struct state_line *line)
{
	const struct ipsp_sa *sa = &line->sa;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	text_add(t, "src %s dst %s\n", address_text(a, sa->family, sa->source),
		 address_text(b, sa->family, sa->destination));
	text_add(t, "\tproto %s spi 0x%08x(%u) reqid %u(0x%08x) mode %s\n", protocol_ipsec_text(sa->protocol),
		 ntohl(sa->spi), ntohl(sa->spi), sa->reqid, sa->reqid, protocol_mode_text(sa->mode));
	text_add(t, "\treplay-window %u seq 0x00000000 flag ", usage_is_long(line) ? 0 : line->window);
	usage_text_flags(t, sa->flags);
	if (sa->mark | sa->mark_mask)
		text_add(t, "\tmark 0x%x/0x%x \n", sa->mark, sa->mark_mask);
}

static void usage_text_replay(struct text *t, const struct state_line *line, const struct ipsp_handle *h)
{
	bool is_out = line->sa.direction == IPSP_DIR_OUT;
	uint64_t out = is_out && h->next ? h->next - 1 : 0, in = is_out ? 0 : h->next;

	if (!usage_is_long(line)) {
		text_add(t, "\tanti-replay context: seq 0x%x, oseq 0x%x\n", (uint32_t)in, (uint32_t)out);
		return;
	}
	text_add(t, "\tanti-replay esn context:\n\t seq-hi 0x%x, seq 0x%x, oseq-hi 0x%x, oseq 0x%x\n",
		 (uint32_t)(in >> 32), (uint32_t)in, (uint32_t)(out >> 32), (uint32_t)out);
	text_add(t, "\t replay_window %u, bitmap-length %u\n", line->window, (line->window + 31) / 32);
}

static void usage_text_port(struct text *t, const char *name, uint16_t first, uint16_t last)
{
	if (first == last)
		text_add(t, " %s %u", name, first);
	else if (first || last != 0xffff)
		text_add(t, " %s %u-%u", name, first, last);
}

static void usage_text_selector(struct text *t, const struct ipsp_sa *sa)
{
	const struct ipsp_selector *s = &sa->selector;
	uint8_t family = s->family ? s->family : sa->family;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	text_add(t, "\tsel src %s/%u dst %s/%u", address_text(a, family, s->source), s->source_prefix,
		 address_text(b, family, s->destination), s->destination_prefix);
	if (s->protocol)
		text_add(t, " proto %s", protocol_text(s->protocol));
	usage_text_port(t, "sport", s->source_first, s->source_last);
	usage_text_port(t, "dport", s->destination_first, s->destination_last);
	text_add(t, " uid 0\n");
}

static void usage_text_time(struct text *t, uint64_t ns)
{
	time_t seconds = (time_t)(ns / USAGE_SECOND);
	char text[32];
	struct tm tm;

	if (!ns || !localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(text, "-");
	text_add(t, "%s", text);
}

void usage_text(struct text *t, const struct state_line *line, const struct ipsp_handle *h, uint64_t added, bool keys)
{
	const struct ipsp_sa *sa = &line->sa;

	usage_text_id(t, line);
	state_text_algorithms(t, sa, keys, true);
	usage_text_replay(t, line, h);
	if (sa->if_id)
		text_add(t, "\tif_id %#x\n", sa->if_id);
	context_text(t, sa->label);
	usage_text_selector(t, sa);
	text_add(t, "\tlifetime config:\n");
	limit_text(t, &line->limit, "\t  ");
	text_add(t, "\tlifetime current:\n\t  %llu(bytes), %llu(packets)\n\t  add ", (unsigned long long)h->bytes,
		 (unsigned long long)h->packets);
	usage_text_time(t, added);
	text_add(t, " use ");
	usage_text_time(t, h->used_first);
	text_add(t, "\n\tstats:\n\t  replay-window 0 replay %llu failed %llu\n", (unsigned long long)h->replayed,
		 (unsigned long long)h->integrity_failed);
}

void usage_text_ours(struct text *t, const struct state_line *line, const struct ipsp_handle *h, const char *engine)
{
	text_add(t, "\tdir %s engine %s dropped %llu", line->sa.direction == IPSP_DIR_OUT ? "out" : "in", engine,
		 (unsigned long long)h->dropped);
	reason_text(t, h);
	if (h->used_last) {
		text_add(t, " lastused ");
		usage_text_time(t, h->used_last);
	}
	text_add(t, "\n");
}
