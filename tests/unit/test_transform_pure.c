// SPDX-License-Identifier: GPL-2.0
/*
 * test_transform_pure - a stack is a function of its records
 *
 * It runs here under seccomp's strict mode, which kills on any system call but read,
 * write, exit and sigreturn; and twice on the same records, which must give the same bytes.
 */
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "ipsec/ip.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "suite.h"
#include "transform_world.h"

#define PURE_SAS 64

static uint8_t memory[2][1 << 20] __attribute__((aligned(64)));
static uint8_t heap[8 << 20] __attribute__((aligned(64)));
static uint8_t down[8192] __attribute__((aligned(64)));
static uint8_t up[2][16384] __attribute__((aligned(64)));
static uint8_t sealed[8192];

static const char *const names[] = { "rfc4106(gcm(aes))", "rfc4106(gcm(aes))", "rfc4106(gcm(aes))",
				     "rfc7539esp(chacha20,poly1305)" };
static const uint32_t bits[] = { 160, 224, 288, 288 };

static struct transform *pure_transform(int which)
{
	const struct transform_config config = { 2 * PURE_SAS, 16 };
	struct arena arena;

	memset(memory[which], which ? 0xff : 0, sizeof(memory[which]));
	arena_init(&arena, memory[which], sizeof(memory[which]));
	return transform_init(&arena, &config);
}

static const struct ipsp_record *pure_record(uint16_t type, const void *control, uint32_t control_len,
					     const void *data, uint32_t data_len)
{
	return transform_record(down, type, control, control_len, data, data_len);
}

static const struct ipsp_record *pure_sa(uint32_t i, uint8_t direction, uint16_t type)
{
	struct ipsp_sa sa = {
		.handle = 1 + 2 * i + direction, .direction = direction, .family = 4, .protocol = 50,
		.mode = i & 4 ? IPSP_SA_TRANSPORT : IPSP_SA_TUNNEL, .spi = htobe32(0x1000 + i),
		.source = { 10, 9, 0, 1 }, .destination = { 10, 9, 0, 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .key_bits = bits[i % 4], .icv_bits = 128, .key = "0123456789abcdef0123456789abcdef0123" },
	};

	strcpy(sa.aead.name, names[i % 4]);
	return pure_record(type, &sa, sizeof(sa), NULL, 0);
}

static const struct ipsp_record *pure_packet(uint16_t type, uint32_t handle, const uint8_t *data, uint32_t len)
{
	struct ipsp_packet p = { .family = 4, .mtu = 1400, .stamp = { { handle, 1, 7 } } };

	return pure_record(type, &p, sizeof(p), data, len);
}

static uint16_t pure_verdict(const uint8_t *answer)
{
	return ((const struct ipsp_answer *)(answer + sizeof(struct ipsp_record)))->verdict;
}

/* SAs come, packets go out and in, one is altered, SAs go. 0, or where it failed. */
static int pure_life(struct transform *t, const uint8_t *packet, uint32_t len)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)up[0];
	uint32_t i, n;

	for (i = 0; i < PURE_SAS; i++) {
		if (transform_answer(t, pure_sa(i, IPSP_DIR_OUT, IPSP_REC_SA_ADD), up[0], sizeof(up[0])) ||
		    transform_answer(t, pure_sa(i, IPSP_DIR_IN, IPSP_REC_SA_ADD), up[0], sizeof(up[0])))
			return 1;
		transform_answer(t, pure_packet(IPSP_REC_PROTECT, 1 + 2 * i, packet, len), up[0], sizeof(up[0]));
		if (pure_verdict(up[0]) != IPSP_VERDICT_TRANSFORMED)
			return 2;
		n = rec->data_len;
		memcpy(sealed, up[0] + rec->data_offset, n);
		transform_answer(t, pure_packet(IPSP_REC_UNPROTECT, 2 + 2 * i, sealed, n), up[0], sizeof(up[0]));
		if (pure_verdict(up[0]) != IPSP_VERDICT_TRANSFORMED)
			return 3;
		sealed[n - 1] ^= 1;
		transform_answer(t, pure_packet(IPSP_REC_UNPROTECT, 2 + 2 * i, sealed, n), up[0], sizeof(up[0]));
		if (pure_verdict(up[0]) != IPSP_VERDICT_DROP)
			return 4;
	}
	for (i = 0; i < PURE_SAS; i++)
		transform_answer(t, pure_sa(i, IPSP_DIR_OUT, IPSP_REC_SA_DELETE), up[0], sizeof(up[0]));
	transform_wipe(t);
	return 0;
}

static uint32_t pure_udp(uint8_t *p, uint32_t len)
{
	memset(p, 'x', len);
	memset(p, 0, 28);
	p[0] = 0x45;
	p[8] = 64;
	p[9] = IP_UDP;
	memcpy(p + 12, "\x0a\x09\x00\x01\x0a\x09\x00\x02", 8);
	ip_set_length(p, 20, len);
	return len;
}

/* Runs in a child: strict mode cannot be left, and Check itself needs more calls. */
START_TEST(no_system_call)
{
	uint8_t packet[1000];
	uint32_t len = pure_udp(packet, sizeof(packet));
	pid_t child = fork();
	struct transform *t;
	int status = 0;

	if (!child) {
		if (crypto_arena_install(heap, sizeof(heap)) || crypto_init())
			_exit(20);
		t = pure_transform(0);
		if (!t || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			_exit(21);
		syscall(SYS_exit, pure_life(t, packet, len));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* What lay in memory before, and what lay in the up ring, is not seen in an answer. */
START_TEST(the_same_records_give_the_same_bytes)
{
	struct transform *t[2];
	const struct ipsp_record *rec;
	uint8_t packet[1000];
	uint32_t len = pure_udp(packet, 100 + 37 * (uint32_t)_i), i;
	size_t n[2], k;

	ck_assert_int_eq(crypto_init(), 0);
	for (k = 0; k < 2; k++) {
		t[k] = pure_transform((int)k);
		ck_assert_ptr_nonnull(t[k]);
	}
	for (i = 0; i < 8; i++) {
		rec = pure_sa(i, IPSP_DIR_OUT, IPSP_REC_SA_ADD);
		for (k = 0; k < 2; k++)
			ck_assert_uint_eq(transform_answer(t[k], rec, up[k], sizeof(up[k])), 0);
		rec = pure_packet(IPSP_REC_PROTECT, 1 + 2 * i, packet, len);
		for (k = 0; k < 2; k++) {
			memset(up[k], k ? 0xff : 0, sizeof(up[k]));
			n[k] = transform_answer(t[k], rec, up[k], sizeof(up[k]));
		}
		ck_assert_uint_eq(n[0], n[1]);
		rec = (const struct ipsp_record *)up[0];
		ck_assert_mem_eq(up[0], up[1], rec->data_offset + rec->data_len);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transform_pure");
	TCase *c = tcase_create("pure");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, no_system_call);
	tcase_add_loop_test(c, the_same_records_give_the_same_bytes, 0, 20);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
