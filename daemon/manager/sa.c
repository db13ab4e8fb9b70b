// SPDX-License-Identifier: GPL-2.0-only
/* sa.c - an SA in the kernel's handles, in the stacks and in the database, in this order */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <openssl/hmac.h>

#include "manager.h"
#include "words/algorithm.h"

/*
 * What a counter's name is made of (uapi, 4). Of a cipher its key alone decides, not the SPI nor how much of the ICV is
 * sent, so that a key that comes again goes on above; an inbound window is the SA's own. GMAC's nonces are GCM's, and
 * those of RFC 8750 are of whose IV is sent.
 */
struct sa_counter {
	__u8 direction;
	struct ipsp_algorithm key;
	__u8 destination[16];
	__u8 protocol;
	__be32 spi;
} __attribute__((packed));

static const struct ipsp_algorithm *sa_key(const struct ipsp_sa *sa)
{
	if (sa->aead.name[0])
		return &sa->aead;
	return sa->cipher.key_bits ? &sa->cipher : &sa->auth;
}

static void sa_counter_name(const struct manager *m, const struct ipsp_sa *sa, __u8 *name)
{
	struct sa_counter input;
	unsigned length = IPSP_COUNTER_LEN;

	memset(&input, 0, sizeof(input));
	input.direction = sa->direction;
	input.key = *sa_key(sa);
	input.key.icv_bits = 128;
	if (sa->aead.name[0])
		strcpy(input.key.name, algorithm_base(sa->aead.name));
	if (!strcmp(input.key.name, "rfc4543(gcm(aes))"))
		strcpy(input.key.name, "rfc4106(gcm(aes))");
	if (sa->direction == IPSP_DIR_IN) {
		memcpy(input.destination, sa->destination, 16);
		input.protocol = sa->protocol;
		input.spi = sa->spi;
	}
	HMAC(EVP_sha256(), m->hash_key, sizeof(m->hash_key), (const unsigned char *)&input,
	     sizeof(input), name, &length);
	explicit_bzero(&input, sizeof(input));
}

static void sa_handle(const struct manager *m, const struct state_line *line,
		      struct ipsp_handle *h)
{
	const struct ipsp_sa *sa = &line->sa;
	struct algorithm_layout layout = { 0 };

	algorithm_layout(sa, &layout);	/* its lengths were checked when it was parsed */
	memset(h, 0, sizeof(*h));
	h->flags = sa->flags & IPSP_SAF_ESN ? IPSP_HANDLEF_ESN : 0;
	h->direction = sa->direction;
	h->family = sa->family;
	h->protocol = sa->protocol;
	h->mode = sa->mode;
	h->spi = sa->spi;
	memcpy(h->source, sa->source, 16);
	memcpy(h->destination, sa->destination, 16);
	h->encap_source = sa->encap_source;
	h->encap_destination = sa->encap_destination;
	h->fixed = (__u16)((sa->family == 4 ? 20 : 40) + (sa->encap_source ? 8 : 0) + 8 + layout.iv_len + layout.icv_len);
	if (sa->protocol == IPSP_AH)		/* its header is padded to 8 bytes, the packet is not */
		h->fixed = (__u16)((sa->family == 4 ? 20 : 40) + ((12u + layout.icv_len + 7) & ~7u));
	if (sa->mode == IPSP_SA_BEET) {
		h->inner_family = sa->selector.family;
		h->fixed += sa->selector.family == 4 ? 8 : 0;	/* the pseudo-header of options */
	}
	h->align = sa->protocol == IPSP_AH ? 1 : layout.align;
	h->reqid = sa->reqid;
	h->window = sa->direction == IPSP_DIR_IN ? line->window : 0;
	h->mark = sa->mark;
	h->mark_mask = sa->mark_mask;
	h->if_id = sa->if_id;
	h->label = sa->label;
	h->next = line->next ? line->next : 1;
	if (sa->direction == IPSP_DIR_IN && line->seen)
		h->next = line->seen;
	sa_counter_name(m, sa, h->counter);
}

static int sa_enter(struct manager *m, const struct state_line *line, struct database_sa *entry,
		    const struct mark_range *kept)
{
	struct ipsp_handle handle;
	int err;

	sa_handle(m, line, &handle);
	if (kept) {
		handle.next = kept->next;
		handle.ceiling = kept->ceiling;
	}
	lifetime_begin(m, entry, &line->limit, &handle);
	if (ioctl(m->fd, IPSP_IOC_HANDLE_ADD, &handle))
		return -errno;
	entry->sa = line->sa;
	entry->sa.handle = handle.id;
	entry->window = line->window;
	err = control_sa(m, IPSP_TARGET_ALL, IPSP_REC_SA_ADD, &entry->sa);
	if (err) {
		explicit_bzero(entry, sizeof(*entry));
		ioctl(m->fd, IPSP_IOC_HANDLE_DEL, &handle);
		return err;
	}
	entry->used = DATABASE_USED | (kept ? DATABASE_KEPT : 0);
	database_noted_sa(m, entry);
	m->database->sas++;
	encap_open(m, &entry->sa);
	acquire_sa_came(m, &entry->sa);
	return 0;
}

int sa_add(struct manager *m, const struct state_line *line)
{
	struct database_sa *entry = database_free(m);

	return entry ? sa_enter(m, line, entry, NULL) : -ENOSPC;
}

int sa_add_kept(struct manager *m, const struct state_line *line, const struct mark_range *range)
{
	struct database_sa *entry = database_free(m);
	int err = entry ? sa_enter(m, line, entry, range) : -ENOSPC;

	if (err)
		return err;
	if (m->marks)
		memset(&m->marks[entry - database_sas(m->database)], 0, sizeof(*m->marks));
	m->marks_wanted = 1;
	m->marks_due = 0;		/* another handle of this key may have gone on already */
	return 0;
}

int sa_delete(struct manager *m, struct database_sa *sa)
{
	struct ipsp_handle handle = { .id = sa->sa.handle };
	struct ipsp_sa id = { .handle = sa->sa.handle };
	int err;

	mark_save(m, sa);
	err = control_sa(m, IPSP_TARGET_ALL, IPSP_REC_SA_DELETE, &id);

	if (err)
		return err;
	ioctl(m->fd, IPSP_IOC_HANDLE_DEL, &handle);
	explicit_bzero(sa, sizeof(*sa));
	database_noted_sa(m, sa);
	m->database->sas--;
	encap_sweep(m);
	return 0;
}

/* ---- another in the place of one ------------------------------------------------------------ */

static int sa_put(struct manager *m, const struct state_line *line, const struct mark_range *range)
{
	return range ? sa_add_kept(m, line, range) : sa_add(m, line);
}

static int sa_put_again(struct manager *m, const struct database_sa *before)
{
	struct state_line line = { .sa = before->sa, .window = before->window, .limit = before->limit };
	const int is_kept = before->used & DATABASE_KEPT;
	struct mark_range range;
	int err = is_kept ? mark_begin(m, &line.sa, false, 0, &range) : 0;

	if (!err)
		err = sa_put(m, &line, is_kept ? &range : NULL);
	if (!err)
		lifetime_go_on(m, database_find(m, &line.sa), before);
	else
		fprintf(stderr, "ipsec-portd: %s: spi 0x%x: the state before cannot come back: %s\n", m->name,
			__builtin_bswap32(line.sa.spi), strerror(-err));
	explicit_bzero(&line, sizeof(line));
	return err;
}

/* The new one is there before the old one goes: no packet finds none. */
static int sa_replace_out(struct manager *m, struct database_sa *old, const struct state_line *line,
			  const struct mark_range *range)
{
	struct database_sa *entry = database_free(m);
	int err = sa_put(m, line, range);

	if (err)
		return err;
	err = sa_delete(m, old);
	if (err)
		sa_delete(m, entry);
	return err;
}

/*
 * An SPI of ours is one handle's, and a full database has room for one: there the old one goes first. If it must come
 * back, its key's counter has kept its place: its window begins above all that it has seen. Its limits and its time are
 * what they were; bytes and packets are counted anew.
 */
int sa_replace(struct manager *m, struct database_sa *old, const struct state_line *line, const struct mark_range *range)
{
	struct database_sa before;
	int err;

	if (old->sa.direction == IPSP_DIR_OUT && line->sa.direction == IPSP_DIR_OUT && database_free(m))
		return sa_replace_out(m, old, line, range);
	before = *old;
	err = sa_delete(m, old);
	if (!err) {
		err = sa_put(m, line, range);
		if (err)
			sa_put_again(m, &before);
	}
	explicit_bzero(&before, sizeof(before));
	return err;
}
