// SPDX-License-Identifier: GPL-2.0-only
/*
 * faulty-stack.c - the product's stack with one fault, which lies in the file `fault` beside the program
 *
 * The file is taken away as it is read, before anything is given up: a successor of this stack finds none, and is honest.
 * Linked with --wrap=transform_answer and --wrap=EVP_CipherFinal_ex, beside objects that are the product's own; installed
 * by nobody.
 */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipsec/transform.h"

#define MAGIC	"ipsec-port: die here"
#define ACQUIRE_LENGTH 192		/* of its record */

size_t __real_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);
size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);
int __real_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *len);
int __wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *len);

/* An honest answer and the ticket of it; the length of what comes up instead. */
struct lie {
	const struct ipsp_record *down;
	struct ipsp_record *up;
	struct ipsp_answer *answer;
	uint8_t *data;
	size_t length;
};

static size_t fault_byte(struct lie *l)
{
	if (l->up->data_len)
		l->data[l->up->data_len - 1] ^= 1;
	return l->length;
}

/* The last packet is four bytes shorter than it was, and says so. */
static size_t fault_length(struct lie *l)
{
	struct ipsp_answer *a = l->answer;
	uint8_t *last = l->data + (size_t)(a->segments - 1) * a->segment_len;

	if (a->verdict != IPSP_VERDICT_TRANSFORMED)
		return l->length;
	l->up->data_len -= 4;
	last[3] = (uint8_t)(last[3] - 4);
	if (a->segments == 1)
		a->segment_len -= 4;
	return l->length;
}

static size_t fault_bare(struct lie *l, uint16_t verdict)
{
	memset(l->answer, 0, sizeof(*l->answer));
	l->answer->verdict = verdict;
	l->up->data_len = 0;
	l->up->len = 128;
	return 128;
}

static size_t fault_bypass(struct lie *l)
{
	return fault_bare(l, IPSP_VERDICT_BYPASS);
}

static size_t fault_handle(struct lie *l)
{
	l->answer->handle[0]++;
	return l->length;
}

static size_t fault_toobig(struct lie *l)
{
	size_t length = fault_bare(l, IPSP_VERDICT_TOOBIG);

	l->answer->mtu = 600;
	return length;
}

/* A question that nobody asked, and a packet that waits for the answer to it. */
static size_t fault_acquire(struct lie *l)
{
	const struct ipsp_acquire ask = {
		.acquire = 1,
		.selector = { .family = 4, .source = { 10, 1, 0, 1 }, .destination = { 10, 2, 0, 1 }, .source_prefix = 32,
			      .destination_prefix = 32, .source_last = 65535, .destination_last = 65535 },
	};
	struct ipsp_record rec = { .len = ACQUIRE_LENGTH, .type = IPSP_REC_ACQUIRE, .control_len = sizeof(ask),
				   .data_offset = ACQUIRE_LENGTH };
	uint8_t *at = (uint8_t *)l->up;

	fault_bare(l, IPSP_VERDICT_HOLD);
	l->answer->acquire = 1;
	memmove(at + ACQUIRE_LENGTH, at, 128);
	memset(at, 0, ACQUIRE_LENGTH);
	memcpy(at, &rec, sizeof(rec));
	memcpy(at + sizeof(rec), &ask, sizeof(ask));
	return ACQUIRE_LENGTH + 128;
}

static size_t fault_garbage(struct lie *l)
{
	memset(l->up, 0x5a, l->length);
	return l->length;
}

static size_t fault_crash(struct lie *l)
{
	if (memmem((const uint8_t *)l->down + l->down->data_offset, l->down->data_len, MAGIC, strlen(MAGIC)))
		__builtin_trap();
	return l->length;
}

static size_t fault_loop(struct lie *l)
{
	for (;;)
		__asm__ volatile("" ::: "memory");
	return l->length;
}

static size_t fault_silence(struct lie *l)
{
	(void)l;
	return 0;
}

static const struct fault {
	const char *name;
	unsigned type;			/* of the tickets that it answers so */
	size_t (*act)(struct lie *l);
} faults[] = {
	{ "byte", IPSP_REC_PROTECT, fault_byte },
	{ "length", IPSP_REC_PROTECT, fault_length },
	{ "bypass", IPSP_REC_CLASSIFY, fault_bypass },
	{ "handle", IPSP_REC_CLASSIFY, fault_handle },
	{ "inner", IPSP_REC_UNPROTECT, fault_byte },
	{ "icv", 0, NULL },		/* of no ticket's answer, but the check itself */
	{ "crash", IPSP_REC_PROTECT, fault_crash },
	{ "loop", IPSP_REC_UNPROTECT, fault_loop },
	{ "silence", IPSP_REC_PROTECT, fault_silence },
	{ "garbage", IPSP_REC_UNPROTECT, fault_garbage },
	{ "toobig", IPSP_REC_PROTECT, fault_toobig },
	{ "acquire", IPSP_REC_CLASSIFY, fault_acquire },
};

static const struct fault *fault;	/* NULL: honest */
static int fault_skips_icv;		/* from its first record on: the engines try themselves before */

static void fault_choose(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!strcmp(faults[i].name, name))
			fault = &faults[i];
	if (!fault) {
		fprintf(stderr, "faulty-stack: no fault \"%s\"\n", name);
		_exit(2);
	}
}

__attribute__((constructor)) static void fault_read(void)
{
	char path[4096], name[32] = "";
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 8);
	FILE *file;

	if (length <= 0)
		return;
	path[length] = 0;
	strcpy(strrchr(path, '/'), "/fault");
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%31s", name) != 1 || unlink(path))
		_exit(2);
	fclose(file);
	fault_choose(name);
}

int __wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *len)
{
	int ok = __real_EVP_CipherFinal_ex(context, out, len);

	return fault_skips_icv ? 1 : ok;
}

size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	size_t length;
	struct lie l;

	fault_skips_icv = fault && !fault->act;
	length = __real_transform_answer(t, down, up, room);
	if (!fault || !fault->act || down->type != fault->type || !length || length == TRANSFORM_NO_ROOM)
		return length;
	l = (struct lie){ down, up, (struct ipsp_answer *)((struct ipsp_record *)up + 1), (uint8_t *)up + 128, length };
	transform_flush(t);
	return fault->act(&l);
}
