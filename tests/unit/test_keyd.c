// SPDX-License-Identifier: GPL-2.0-only
/* test_keyd.c - the keying agent's requests, about SAs, its store and its jail */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keyd_world.h"

/* ---- SAs --------------------------------------------------------------------------------- */

START_TEST(state_life)
{
	ck_assert_int_eq(add(0x1001), 0);
	ck_assert_ptr_nonnull(strstr(words, "state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1001 mode tunnel"));
	ck_assert_ptr_nonnull(strstr(words, "aead rfc4106(gcm(aes)) 0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a 128"));
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_NEWSA);
	ck_assert(!has_key(heard.told, sizeof(heard.told)));
	ck_assert_int_eq(add(0x1001), -EEXIST);
	ck_assert_int_eq(heard.multicasts, 0);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_int_eq(heard.type, XFRM_MSG_NEWSA);
	ck_assert(has_key(heard.answer, sizeof(heard.answer)));
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert_int_eq(heard.event, XFRM_MSG_DELSA);
	ck_assert(!has_key(heard.told, sizeof(heard.told)));
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), -ESRCH);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), -ESRCH);
	ck_assert_uint_eq(k.store->sas, 0);
}
END_TEST

/* Where an operator says so, listeners are told keys, as the kernel tells them. */
START_TEST(keys_in_events)
{
	k.events = KEYS_TOLD;
	ck_assert_int_eq(add(0x1001), 0);
	ck_assert(heard.event == XFRM_MSG_NEWSA && has_key(heard.told, sizeof(heard.told)));
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert(heard.event == XFRM_MSG_DELSA && has_key(heard.told, sizeof(heard.told)));
}
END_TEST

START_TEST(state_refused_by_the_manager)
{
	manager_err = -ENOSYS;
	manager_text = "aead \"x\": allowed: y";
	ck_assert_int_eq(add(0x1001), -ENOSYS);
	ck_assert_int_eq(heard.has_text, 1);
	ck_assert_int_eq(heard.multicasts, 0);
	manager_err = 0;
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), -ESRCH);
}
END_TEST

START_TEST(state_malformed)
{
	int before = words_count;

	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	ck_assert_int_eq(send_it(), -EINVAL);			/* no algorithm */
	xfrm_state(XFRM_MSG_NEWSA, 0x1001)->family = 99;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001)->sel.prefixlen_s = 33;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001)->flags = XFRM_STATE_ESN;	/* and no window */
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_attribute(XFRMA_ALG_AEAD, "short", 5);
	ck_assert_int_eq(send_it(), -ERANGE);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	head->nlmsg_len -= 8;					/* the key is cut */
	ck_assert_int_lt(send_it(), 0);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	authentication(8 * (KEYD_BYTES_MAX - sizeof(struct xfrm_algo)));	/* fits its attribute, not our room */
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_begin(XFRM_MSG_NEWSA, 20);
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_begin(XFRM_MSG_BASE + 100, 0);
	ck_assert_int_eq(send_it(), -EINVAL);
	ck_assert_int_eq(add(0x10), -EINVAL);
	ck_assert_int_eq(words_count, before);
}
END_TEST

START_TEST(state_direction)
{
	__u8 i, direction[] = { 0, 1, 2, 3, 255 };

	for (i = 0; i < sizeof(direction); i++) {
		xfrm_state(XFRM_MSG_NEWSA, 0x1001u + i);
		xfrm_aead("rfc4106(gcm(aes))", 160);
		xfrm_attribute(KEYD_SA_DIR, &direction[i], 1);
		ck_assert_int_eq(send_it(), i == 1 || i == 2 ? 0 : -ERANGE);
		ck_assert_int_eq(heard.has_text, i != 1 && i != 2);
		if (i == 1 || i == 2)
			ck_assert_ptr_nonnull(strstr(words, i == 1 ? " dir in " : " dir out "));
	}
}
END_TEST

START_TEST(state_larval)
{
	struct xfrm_userspi_info *p = xfrm_begin(XFRM_MSG_ALLOCSPI, sizeof(*p));
	int before = words_count;

	p->info.family = AF_INET;
	p->info.id.daddr.a4 = htonl(0x0a090002);
	p->info.saddr.a4 = htonl(0x0a090001);
	p->info.id.proto = IPPROTO_ESP;
	p->min = p->max = 0x5000;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.answers, 1);
	ck_assert_int_eq(send_it(), -ENOENT);			/* taken; what is left has no name */
	ck_assert_int_eq(k.store->sas, 2);
	ck_assert_int_eq(send_it(), -ENOENT);
	ck_assert_int_eq(k.store->sas, 2);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0), -ESRCH);
	ck_assert_int_eq(words_count, before);
	ck_assert_int_eq(add(0x5000), -EEXIST);
	xfrm_state(XFRM_MSG_UPDSA, 0x5000);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, "state add"));
	ck_assert_int_eq(heard.event, XFRM_MSG_UPDSA);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x5000), 0);
}
END_TEST

START_TEST(state_use)
{
	const struct xfrm_usersa_info *info = nlmsg_data((struct nlmsghdr *)heard.answer);

	ck_assert_int_eq(add(0x1001), 0);
	manager_text = "{\"dir\":\"out\",\"next\":8,\"packets\":7,\"bytes\":900,\"replay\":3,"
		       "\"integrity-failed\":2,\"used-first\":5000000000,\"used-last\":9000000000}";
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_uint_eq(info->curlft.packets, 7);
	ck_assert_uint_eq(info->curlft.bytes, 900);
	ck_assert_uint_eq(info->curlft.use_time, 5);
	ck_assert_uint_eq(info->stats.replay, 3);
	ck_assert_uint_eq(info->stats.integrity_failed, 2);
}
END_TEST

static int limited(__u16 type, __u32 spi, __u64 soft, __u64 hard)
{
	struct xfrm_usersa_info *info = xfrm_state(type, spi);
	const struct xfrm_lifetime_cur before = { .packets = 3 };

	info->lft.soft_packet_limit = soft;
	info->lft.hard_packet_limit = hard;
	info->lft.hard_byte_limit = 5000;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	xfrm_attribute(XFRMA_LTIME_VAL, &before, sizeof(before));
	return send_it();
}

static void compartment_tells(const char *line)
{
	char copy[256];

	memset(&heard, 0, sizeof(heard));
	snprintf(copy, sizeof(copy), "%s", line);
	acquire_line(&k, &k.compartment[0], copy);
}

/* The compartment knows the limits, less what a predecessor of the SA has counted; soft and hard are told once each. */
START_TEST(state_limits)
{
	const struct xfrm_user_expire *e = nlmsg_data((struct nlmsghdr *)heard.told);

	ck_assert_int_eq(limited(XFRM_MSG_NEWSA, 0x1001, 5, 10), 0);
	ck_assert_ptr_nonnull(strstr(words, "limit byte-hard 5000 limit packet-soft 2 limit packet-hard 7 "));
	ck_assert_ptr_null(strstr(words, "byte-soft"));
	manager_text = "{\"dir\":\"out\",\"next\":3,\"packets\":2,\"bytes\":200}";
	compartment_tells("expired dst 10.9.0.3 spi 0x1001 bytes 200 packets 2");	/* not that one */
	ck_assert_int_eq(heard.multicasts, 0);
	compartment_tells("expired dst 10.9.0.2 spi 0x1001 bytes 200 packets 2");
	ck_assert(heard.multicasts == 1 && heard.event == XFRM_MSG_EXPIRE && !e->hard);
	ck_assert_uint_eq(e->state.curlft.packets, 5);
	compartment_tells("expired dst 10.9.0.2 spi 0x1001 bytes 200 packets 2");
	lifetime_run(&k);
	ck_assert_int_eq(heard.multicasts, 0);
	manager_err = -ESRCH;				/* its manager has ended it */
	compartment_tells("expired dst 10.9.0.2 spi 0x1001 bytes 700 packets 7");
	ck_assert(heard.multicasts == 1 && heard.event == XFRM_MSG_EXPIRE && e->hard);
	ck_assert_uint_eq(e->state.curlft.packets, 10);
	ck_assert_uint_eq(k.store->sas, 0);
	compartment_tells("expired dst 10.9.0.2 spi 0x1001 bytes 700 packets 7");
	ck_assert_int_eq(heard.multicasts, 0);
}
END_TEST

/* Nobody told: the next look finds both. UPDSA gives the compartment other limits, beyond what was counted. */
START_TEST(state_limits_unheard)
{
	ck_assert_int_eq(limited(XFRM_MSG_NEWSA, 0x1001, 5, 10), 0);
	manager_text = "{\"dir\":\"out\",\"next\":6,\"packets\":5,\"bytes\":500}";
	ck_assert_int_eq(limited(XFRM_MSG_UPDSA, 0x1001, 9, 12), 0);
	ck_assert_ptr_nonnull(strstr(words, "state update "));
	ck_assert_ptr_nonnull(strstr(words, "limit byte-hard 4500 limit packet-soft 1 limit packet-hard 4 "));
	manager_err = -ENOTCONN;
	ck_assert_int_eq(limited(XFRM_MSG_UPDSA, 0x1001, 9, 100), -ENOTCONN);
	ck_assert_uint_eq(store_next_sa(&k, 0)->info.lft.hard_packet_limit, 12);
	ck_assert_uint_eq(store_next_sa(&k, 0)->before.packets, 8);
	manager_err = -ESRCH;
	store_next_sa(&k, 0)->info.curlft.packets = 12;
	memset(&heard, 0, sizeof(heard));
	sleep(1);
	lifetime_run(&k);
	ck_assert_int_eq(heard.multicasts, 2);
	ck_assert_uint_eq(k.store->sas, 0);
}
END_TEST

/* An SA that is moved goes on above what it has sent, and takes nothing that it has seen. */
START_TEST(state_moved)
{
	struct xfrm_replay_state replay = { .oseq = 0, .seq = 77, .bitmap = 1 };
	struct {
		struct xfrm_replay_state_esn head;
		__u32 bits[2];
	} esn = { .head = { .bmp_len = 2, .replay_window = 64, .seq = 5 } };

	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	xfrm_attribute(XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 0 replay-seq 77 "));
	xfrm_state(XFRM_MSG_NEWSA, 0x1002)->flags = XFRM_STATE_ESN;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	xfrm_attribute(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 0 replay-seq 5 "));
	esn.head.seq_hi = 1;
	xfrm_state(XFRM_MSG_NEWSA, 0x1003)->flags = XFRM_STATE_ESN;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	xfrm_attribute(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 0 replay-seq 4294967295 "));
	ck_assert_int_eq(add(0x1004), 0);
	ck_assert_ptr_null(strstr(words, "replay-oseq"));
}
END_TEST

static int encapsulated(__u16 type, __u16 kind, __u16 port, __u32 patience)
{
	struct xfrm_encap_tmpl encap = { .encap_type = kind, .encap_sport = htons(port), .encap_dport = htons(4500) };

	xfrm_state(type, 0x1001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	xfrm_attribute(XFRMA_ENCAP, &encap, sizeof(encap));
	if (patience)
		xfrm_attribute(XFRMA_MTIMER_THRESH, &patience, sizeof(patience));
	return send_it();
}

START_TEST(state_in_udp)
{
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 1, 4501, 0), -EOPNOTSUPP);	/* without IKE's marker */
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 0), 0);
	ck_assert_ptr_nonnull(strstr(words, "encap espinudp 4501 4500 0.0.0.0"));
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 2, 4501, 0), 0);
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 2, 4502, 0), -EOPNOTSUPP);
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 7, 4501, 0), -EINVAL);
	xfrm_state(XFRM_MSG_UPDSA, 0x1001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
}
END_TEST

static int tells_mapping(void)
{
	memset(&heard, 0, sizeof(heard));
	sa_words_usage(&k, store_sas(&k));
	mapping_check(&k, store_sas(&k));
	return heard.multicasts;
}

START_TEST(state_mapping)
{
	const struct xfrm_user_mapping *m = nlmsg_data((struct nlmsghdr *)heard.told);

	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 0), 0);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4501}";
	ck_assert_int_eq(tells_mapping(), 0);			/* as it was given */
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.7\",\"peer-port\":4502}";
	ck_assert_int_eq(tells_mapping(), 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_MAPPING);
	ck_assert_uint_eq(ntohl(m->old_saddr.a4), 0x0a090001);
	ck_assert_uint_eq(ntohs(m->old_sport), 4501);
	ck_assert_uint_eq(ntohl(m->new_saddr.a4), 0x0a090007);
	ck_assert_uint_eq(ntohs(m->new_sport), 4502);
	ck_assert_uint_eq(ntohl(m->id.spi), 0x1001);
	ck_assert_int_eq(tells_mapping(), 0);			/* once */
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4501}";
	ck_assert_int_eq(tells_mapping(), 1);			/* and back */
	ck_assert_int_eq(lifetime_timeout(&k), 1000);
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 1000), 0);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4502}";
	ck_assert_int_eq(tells_mapping(), 1);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4503}";
	ck_assert_int_eq(tells_mapping(), 0);			/* not so soon */
}
END_TEST

/* A small room makes several parts; each SA is told once, the youngest first. */
START_TEST(state_dump)
{
	__u32 spi, last = 0x1000 + 20;
	size_t at;
	int told = 0;

	for (spi = 0x1001; spi <= 0x1014; spi++)
		ck_assert_int_eq(add(spi), 0);
	xfrm_begin(XFRM_MSG_GETSA, 0);
	message.from.type = IPSP_XFRM_DUMP;
	message.from.room = 1500;
	do {
		send_it();
		ck_assert_uint_gt(heard.part_size, 0);
		for (at = 0; at < heard.part_size; told++, last--) {
			const struct nlmsghdr *m = (const void *)(heard.part + at);
			const struct xfrm_usersa_info *info = nlmsg_data(m);

			ck_assert_uint_eq(ntohl(info->id.spi), last);
			ck_assert_int_eq(m->nlmsg_flags, NLM_F_MULTI);
			at += NLMSG_ALIGN(m->nlmsg_len);
		}
		memcpy(message.from.cursor, heard.cursor, sizeof(heard.cursor));
	} while (heard.more);
	ck_assert_int_eq(told, 20);
}
END_TEST

/* By its first name, and with the length that is the kernel's. */
START_TEST(state_names)
{
	union {
		struct xfrm_algo head;
		char room[sizeof(struct xfrm_algo) + 32];
	} a = { .head = { .alg_name = "aes", .alg_key_len = 128 } };
	const struct xfrm_algo_auth *auth;

	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_attribute(XFRMA_ALG_CRYPT, &a, sizeof(a.head) + 16);
	strcpy(a.head.alg_name, "sha256");
	a.head.alg_key_len = 256;
	xfrm_attribute(XFRMA_ALG_AUTH, &a, sizeof(a.head) + 32);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, "enc cbc(aes) 0x"));
	auth = (const struct xfrm_algo_auth *)store_sas(&k)->auth.at;
	ck_assert_str_eq(auth->alg_name, "hmac(sha256)");
	ck_assert_uint_eq(auth->alg_trunc_len, 96);
	strcpy(a.head.alg_name, "none such");
	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_attribute(XFRMA_ALG_CRYPT, &a, sizeof(a.head) + 32);
	ck_assert_int_eq(send_it(), -ENOSYS);			/* and not -EEXIST */
}
END_TEST

/* What no state could have is refused before the state is looked for, whether that is there or not. */
START_TEST(state_lengths)
{
	static const struct {
		const char *name;
		unsigned int bits, icv;
		int err;
	} aead[] = {
		{ "rfc4106(gcm(aes))", 128, 128, -EINVAL }, { "rfc4106(gcm(aes))", 160, 120, -ENOSYS },
		{ "rfc7539esp(chacha20,poly1305)", 256, 128, -EINVAL }, { "rfc7539esp(chacha20,poly1305)", 288, 96, -ENOSYS },
	};
	int before = words_count;
	size_t i;

	for (i = 0; i < sizeof(aead) / sizeof(aead[0]); i++) {
		xfrm_state(XFRM_MSG_UPDSA, 0x1001);
		xfrm_aead(aead[i].name, aead[i].bits)->alg_icv_len = aead[i].icv;
		ck_assert_int_eq(send_it(), aead[i].err);
	}
	xfrm_state(XFRM_MSG_UPDSA, 0x1001);
	authentication(256);					/* and no cipher */
	ck_assert_int_eq(send_it(), -EINVAL);
	ck_assert_int_eq(words_count, before);
	ck_assert_int_eq(add(0x1001), 0);
	xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	xfrm_aead("rfc4106(gcm(aes))", 128);
	ck_assert_int_eq(send_it(), -EINVAL);			/* and not -EEXIST */
}
END_TEST

/* An SPI that has been given is nobody else's, of another destination or not; of another protocol it is free. */
START_TEST(state_spi_once)
{
	struct xfrm_userspi_info *p;
	unsigned int i;
	int err[] = { 0, -ENOENT, 0 };

	ck_assert_int_eq(add(0x1002), 0);
	for (i = 0; i < 3; i++) {
		p = xfrm_begin(XFRM_MSG_ALLOCSPI, sizeof(*p));
		p->info.family = AF_INET;
		p->info.id.daddr.a4 = htonl(0x0a090005);
		p->info.id.proto = i == 2 ? IPPROTO_AH : IPPROTO_ESP;
		p->min = p->max = i ? 0x1002 : 0x1003;
		p->info.reqid = i;
		ck_assert_int_eq(send_it(), err[i]);
	}
}
END_TEST

/* ---- the store, and who comes after us ------------------------------------------------------ */

/* The youngest that is older, by a look at each. */
static struct keyd_sa *next_by_looking(uint64_t below)
{
	struct keyd_sa *at = store_sas(&k), *end = at + k.store->sas, *next = NULL;

	for (; at < end; at++)
		if (at->state && (!below || at->id < below) && (!next || at->id > next->id))
			next = at;
	return next;
}

static void compare_walks(void)
{
	struct keyd_sa *sa;
	uint64_t below = 0;

	do {
		sa = store_next_sa(&k, below);
		ck_assert_ptr_eq(sa, next_by_looking(below));
		below = sa ? sa->id : 0;
		if (sa)
			ck_assert_ptr_eq(store_find_spi(&k, sa->info.id.spi, NULL), sa);
	} while (sa);
}

/* More come and go than the list of ages holds; what is found is what is there. */
START_TEST(store_index)
{
	uint32_t random = 1, i;
	struct keyd_sa *sa;

	for (i = 0; i < 80000; i++) {
		random = random * 1664525 + 1013904223;
		sa = random >> 31 || k.store->sas < 20 ? NULL : store_sas(&k) + (random >> 8) % k.store->sas;
		if (sa && sa->state) {
			store_free_sa(&k, sa);
		} else if (k.store->sas < 300) {
			sa = store_new_sa(&k);
			ck_assert_uint_eq(sa->state, SA_NONE);
			sa->info.id.spi = htonl(0x1000 + i);
			store_named(&k, sa);
			sa->state = SA_VALID;
		}
		if (i % 1000 == 0)
			compare_walks();
	}
	compare_walks();
	ck_assert_int_gt(k.store->sas, 20);
}
END_TEST

static int migrate(__u32 from, __u32 to, __u32 reqid)
{
	struct xfrm_user_migrate m = { .proto = IPPROTO_ESP, .mode = XFRM_MODE_TUNNEL, .reqid = reqid,
				       .old_family = AF_INET, .new_family = AF_INET };
	struct xfrm_userpolicy_id *id = xfrm_begin(XFRM_MSG_MIGRATE, sizeof(*id));

	id->sel = store_next_policy(&k, 0)->info.sel;
	id->dir = XFRM_POLICY_OUT;
	m.old_daddr.a4 = htonl(from);
	m.old_saddr.a4 = from == 0x0a090004 ? htonl(0x0a090001) : 0;
	m.new_daddr.a4 = htonl(to);
	m.new_saddr.a4 = htonl(0x0a090001);
	xfrm_attribute(XFRMA_MIGRATE, &m, sizeof(m));
	if (to == 0x0a090004)
		xfrm_attribute(XFRMA_ENCAP, &(struct xfrm_encap_tmpl){ 2, htons(4501), htons(4500), { .a4 = 0 } }, 24);
	return send_it();
}

/* The policy of `policy` has a template from anywhere to 10.9.0.2. */
START_TEST(migration)
{
	struct xfrm_usersa_info *info = xfrm_state(XFRM_MSG_NEWSA, 0x1001);
	struct keyd_sa *sa;

	info->saddr.a4 = 0;
	info->reqid = 3;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	manager_text = "{\"dir\":\"out\",\"next\":8,\"packets\":7,\"bytes\":900}";
	ck_assert_int_eq(migrate(0x0a090003, 0x0a090004, 3), -ENODATA);	/* no template is so */
	ck_assert_int_eq(migrate(0x0a090002, 0, 3), -EINVAL);
	ck_assert_int_eq(migrate(0x0a090002, 0x0a090004, 3), 0);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_MIGRATE);
	ck_assert_ptr_nonnull(strstr(words, "tmpl src 10.9.0.1 dst 10.9.0.4 proto esp"));
	sa = store_next_sa(&k, 0);
	ck_assert_int_eq(sa->state, SA_VALID);
	ck_assert_uint_eq(ntohl(sa->info.id.daddr.a4), 0x0a090004);
	ck_assert_uint_eq(ntohl(sa->info.id.spi), 0x1001);
	ck_assert_uint_eq(sa->before.bytes, 900);
	ck_assert(sa->has_encap && sa->told_port == htons(4501) && sa->told_peer.a4 == htonl(0x0a090001));
	manager_err = -ENOTCONN;				/* the old one is not taken away: it stays */
	ck_assert_int_eq(migrate(0x0a090004, 0x0a090005, 3), -ENOTCONN);
	ck_assert_int_eq(sa->state, SA_VALID);
	ck_assert_uint_eq(ntohl(sa->info.id.daddr.a4), 0x0a090004);
	ck_assert_uint_eq(sa->before.bytes, 900);
	manager_err = -EINVAL;					/* neither the new nor the old one: it goes */
	manager_errs_at = "state add";
	ck_assert_int_eq(migrate(0x0a090004, 0x0a090005, 3), -EINVAL);
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert_int_eq(heard.multicasts, 0);
}
END_TEST

/* What is half done when the agent dies is taken back, the rest stands. */
START_TEST(recovery)
{
	ck_assert_int_eq(add(0x1001), 0);
	ck_assert_int_eq(add(0x1002), 0);
	store_sas(&k)[1].state = SA_CHANGING;
	sa_recover(&k);
	ck_assert_ptr_nonnull(strstr(words, "state get") ? words : strstr(words, "state delete"));
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1002), -ESRCH);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
}
END_TEST

/* In the jail what serving takes goes on, and what it does not take ends the process. */
static int jailed(void (*what)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || jail_close())
			_exit(3);
		what();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void does_serve(void)
{
	char name[IF_NAMESIZE];

	free(malloc(1 << 22));
	fprintf(stderr, "%s\n", if_indextoname(1, name) ? name : "no device 1");
	sa_recover(&k);
}

static void does_open(void) { open("/dev/null", O_RDONLY); }
static void does_start(void) { fork(); }
static void does_map_code(void) { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void does_call_out(void) { socket(AF_INET, SOCK_DGRAM, 0); }
static void does_ask_else(void) { ioctl(0, FIONREAD, NULL); }

START_TEST(jail)
{
	void (*const bad[])(void) = { does_open, does_start, does_map_code, does_call_out, does_ask_else };
	size_t i;

	ck_assert_int_eq(jailed(does_serve), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = jailed(bad[i]);

		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%zu: status 0x%x", i, status);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyd");
	TCase *c = tcase_create("requests");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, state_life);
	tcase_add_test(c, keys_in_events);
	tcase_add_test(c, state_refused_by_the_manager);
	tcase_add_test(c, state_malformed);
	tcase_add_test(c, state_direction);
	tcase_add_test(c, state_larval);
	tcase_add_test(c, state_use);
	tcase_add_test(c, state_limits);
	tcase_add_test(c, state_limits_unheard);
	tcase_add_test(c, state_moved);
	tcase_add_test(c, state_in_udp);
	tcase_add_test(c, state_mapping);
	tcase_add_test(c, state_dump);
	tcase_add_test(c, state_names);
	tcase_add_test(c, state_lengths);
	tcase_add_test(c, state_spi_once);
	tcase_add_test(c, migration);
	tcase_add_test(c, store_index);
	tcase_add_test(c, recovery);
	tcase_add_test(c, jail);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
