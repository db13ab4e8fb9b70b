// SPDX-License-Identifier: GPL-2.0
/*
 * bench_share - how much faster two stacks are than one, natively, and what two cost that vote: an expensive cipher, each
 * stack a process
 *
 * Dealing and release are done as the module does them, by whichever stack comes by, under one lock that spins: bursts of
 * 64 KiB to the least loaded, a copy down, a copy up, release in the tickets' order, each released packet looked at (SPI,
 * number). All of it is in the time, which begins when the stacks are ready. Who votes is dealt all of it: the first answer
 * is copied, as a ballot, the second one compared with that where it lies, and what is released is a copy of the ballot;
 * neither of that, nor any other copy of an answer, is under the lock. Prints a table and writes share.json;
 * fails when two stacks reach less than 1.8 of one, or two that must agree less than 0.8, or three where there are processors.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "crypto/crypto.h"
#include "ipsec/ip.h"
#include "ipsec/transform.h"

#define SHARE_PACKET	1400u
#define SHARE_TICKETS	300000u
#define SHARE_WINDOW	1024u		/* tickets that may be pending */
#define SHARE_RING	256u		/* records in a down ring */
#define SHARE_SLOT	2048u
#define SHARE_KICK	32u		/* records that a stack hands in at once */
#define SHARE_UP	(2048u + 256)		/* bytes that an answer may take */
#define SHARE_BURST	(64u << 10)
#define SHARE_STACKS	16u
#define SHARE_RUNS	5
#define SHARE_WANTED	1.8
#define SHARE_VOTERS	3u
#define SHARE_VOTING	0.8
#define SHARE_SPI	0x1000u

struct ring {				/* down, of one stack */
	uint64_t head, tail;		/* under the lock; its records are the stack's from then on */
	uint64_t load;			/* bytes dealt and not answered */
	uint64_t ticket[SHARE_RING];
	uint8_t slot[SHARE_RING][SHARE_SLOT];
};

static struct share {
	pthread_spinlock_t lock;	/* protects all but the bytes of what was dealt and said */
	pthread_barrier_t ready;	/* the stacks, and who takes the time */
	uint64_t dealt, released;	/* the next ticket of each */
	unsigned stacks, turn;
	bool votes;			/* each ticket to all, and all must agree */
	bool releasing;			/* somebody is; whoever else answers may go on */
	uint32_t burst;			/* bytes that `turn` still has in its */
	uint64_t wrong;
	struct ring ring[SHARE_STACKS];
	uint32_t answered[SHARE_WINDOW];	/* length of the answer, 0: none yet */
	uint8_t answer[SHARE_WINDOW][SHARE_SLOT];
	struct ballot {			/* its bytes are what the first one has said, and change no more */
		unsigned voters, first;
		uint32_t len;
	} ballot[SHARE_WINDOW];
	uint8_t said[SHARE_VOTERS][SHARE_WINDOW][SHARE_SLOT];
} *share;

static uint8_t memory[1 << 20] __attribute__((aligned(64)));
static uint8_t packet[SHARE_PACKET];

static void share_packet(void)
{
	static const uint8_t ends[8] = { 10, 1, 0, 1, 10, 2, 0, 1 };
	uint32_t i;

	for (i = 0; i < SHARE_PACKET; i++)
		packet[i] = (uint8_t)(i * 7);
	memset(packet, 0, 40);
	packet[0] = 0x45;
	packet[6] = 0x40;
	packet[8] = 64;
	packet[9] = IP_TCP;
	memcpy(packet + 12, ends, 8);
	packet[32] = 0x50;
	ip_set_length(packet, 20, SHARE_PACKET);
}

/* ---- the dealer ------------------------------------------------------------------------ */

static bool share_has_room(unsigned i)
{
	return share->ring[i].head - share->ring[i].tail < SHARE_RING;
}

/* As share.c of the module. */
static int share_next(void)
{
	unsigned i, least = share->turn;

	if (share->burst && share_has_room(share->turn))
		return (int)share->turn;
	for (i = 0; i < share->stacks; i++)
		if (share_has_room(i) && (!share_has_room(least) || share->ring[i].load < share->ring[least].load))
			least = i;
	if (!share_has_room(least))
		return -1;
	share->turn = least;
	share->burst = SHARE_BURST;
	return (int)least;
}

static void deal_to(struct ring *r)
{
	struct ipsp_packet about = { .family = 4, .mtu = 1438, .length = SHARE_PACKET, .stamp = { { 1, 1, 0 } } };
	uint32_t at = r->head % SHARE_RING;

	about.stamp[0].first = share->dealt + 1;
	bench_record(r->slot[at], IPSP_REC_PROTECT, &about, sizeof(about), packet, SHARE_PACKET);
	r->ticket[at] = share->dealt;
	r->head++;
	r->load += SHARE_PACKET + 256;
}

/* To the next one, or to all; false: there is no room. */
static bool deal_one(void)
{
	unsigned i;
	int next;

	for (i = 0; share->votes && i < share->stacks; i++)
		if (!share_has_room(i))
			return false;
	for (i = 0; share->votes && i < share->stacks; i++)
		deal_to(&share->ring[i]);
	if (share->votes)
		return true;
	next = share_next();
	if (next < 0)
		return false;
	deal_to(&share->ring[next]);
	share->burst -= share->burst < SHARE_PACKET + 256 ? share->burst : SHARE_PACKET + 256;
	return true;
}

/* What waits, but no more at once than a super-packet would be: others want the lock. */
static void share_deal(void)
{
	uint32_t n = SHARE_BURST / SHARE_PACKET;

	while (n-- && share->dealt < SHARE_TICKETS && share->dealt - share->released < SHARE_WINDOW && deal_one())
		share->dealt++;
}

static uint32_t share_word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What was answered in a row leaves. */
static uint64_t share_emit(uint64_t from, uint64_t to)
{
	uint64_t wrong = 0;
	const uint8_t *esp;

	for (; from < to; from++) {
		esp = share->answer[from % SHARE_WINDOW] + 20;
		wrong += share_word(esp) != SHARE_SPI || share_word(esp + 4) != (uint32_t)from + 1;
	}
	return wrong;
}

/* As release.c of the module: one at a time takes the answered head, and works on it without the lock. */
static void share_release(void)
{
	uint64_t from = share->released, to, wrong;

	if (share->releasing)
		return;
	share->releasing = true;
	for (;;) {
		for (to = from; to < from + SHARE_WINDOW && share->answered[to % SHARE_WINDOW]; to++)
			share->answered[to % SHARE_WINDOW] = 0;
		if (to == from)
			break;
		pthread_spin_unlock(&share->lock);
		wrong = share_emit(from, to);
		pthread_spin_lock(&share->lock);
		share->wrong += wrong;
		share->released = from = to;
	}
	share->releasing = false;
}

/* ---- a stack ---------------------------------------------------------------------------- */

static struct transform *share_transform(void)
{
	static uint8_t up[IPSP_RECORD_MAX] __attribute__((aligned(64)));
	static uint8_t down[4096] __attribute__((aligned(64)));
	const struct transform_config config = { 16, 16 };
	struct ipsp_config engines = { .engine = { IPSP_ENGINE_OPENSSL } };
	struct ipsp_sa sa = {
		.handle = 1, .direction = IPSP_DIR_OUT, .family = 4, .protocol = IP_ESP, .mode = IPSP_SA_TUNNEL,
		.spi = htobe32(SHARE_SPI), .source = { 192, 0, 2, 1 }, .destination = { 192, 0, 2, 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.cipher = { .name = "cbc(aes)", .key_bits = 128, .key = "0123456789abcdef" },
		.auth = { .name = "hmac(sha256)", .key_bits = 256, .icv_bits = 128, .key = "0123456789abcdef0123456789abcde" },
	};
	struct transform *t;
	struct arena arena;

	bench_check(!crypto_init(), "cannot start");
	arena_init(&arena, memory, sizeof(memory));
	t = transform_init(&arena, &config);
	bench_check(t != NULL, "no memory");
	transform_answer(t, bench_record(down, IPSP_REC_CONFIG, &engines, sizeof(engines), NULL, 0), up, sizeof(up));
	bench_check(!transform_answer(t, bench_record(down, IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0), up, sizeof(up)),
		    "the SA was refused");
	return t;
}

/* The ticket's answer is a copy of the ballot, which is free for the next one. */
static void vote_elect(uint32_t at)
{
	struct ballot *b = &share->ballot[at];

	memcpy(share->answer[at], share->said[b->first][at], b->len);
	pthread_spin_lock(&share->lock);
	b->voters = 0;
	share->answered[at] = b->len;
	pthread_spin_unlock(&share->lock);
}

/* true: there was none. */
static bool vote_is_first(unsigned self, uint32_t at, uint32_t len)
{
	struct ballot *b = &share->ballot[at];
	bool first;

	pthread_spin_lock(&share->lock);
	first = !b->voters;
	if (first)
		*b = (struct ballot){ 1, self, len };
	pthread_spin_unlock(&share->lock);
	return first;
}

/* true: its vote was the last one. */
static bool vote_count(uint32_t at, bool equal)
{
	bool last;

	pthread_spin_lock(&share->lock);
	share->wrong += !equal;
	last = ++share->ballot[at].voters == share->stacks;
	pthread_spin_unlock(&share->lock);
	return last;
}

/* As quorum.c of the module: what is copied may not be the first any more when it has been, and is compared then. */
static void vote_cast(unsigned self, uint32_t at, const uint8_t *data, uint32_t len)
{
	const struct ballot *b = &share->ballot[at];

	if (!__atomic_load_n(&b->voters, __ATOMIC_ACQUIRE)) {
		memcpy(share->said[self][at], data, len);
		if (vote_is_first(self, at, len))
			return;
	}
	if (vote_count(at, b->len == len && !memcmp(share->said[b->first][at], data, len)))
		vote_elect(at);
}

/* Its up ring: what it has answered and not handed in yet. */
static uint8_t up_ring[SHARE_KICK][SHARE_UP] __attribute__((aligned(64)));

/* What is handed in: copied, or compared, from the up ring. */
static void share_take(const struct ring *r, uint64_t i, const uint8_t *up)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)up;
	uint32_t at = (uint32_t)(r->ticket[i % SHARE_RING] % SHARE_WINDOW);

	bench_check(((const struct ipsp_answer *)(rec + 1))->verdict == IPSP_VERDICT_TRANSFORMED &&
		    rec->data_len <= SHARE_SLOT, "a packet was refused");
	if (share->votes)
		vote_cast((unsigned)(r - share->ring), at, up + rec->data_offset, rec->data_len);
	else
		memcpy(share->answer[at], up + rec->data_offset, rec->data_len);
}

/* The records from..to of its down ring. */
static void share_kick(struct transform *t, const struct ring *r, uint64_t from, uint64_t to)
{
	uint64_t i;

	for (i = from; i < to; i++)
		bench_check(transform_answer(t, (const struct ipsp_record *)r->slot[i % SHARE_RING], up_ring[i - from],
					     SHARE_UP) <= SHARE_UP, "an answer has no room");
	transform_flush(t);
	for (i = from; i < to; i++)
		share_take(r, i, up_ring[i - from]);
}

/* What it handed in has its answers. Under the lock. */
static void share_settle(struct ring *r, uint64_t to)
{
	uint64_t i;

	for (i = r->tail; !share->votes && i < to; i++)
		share->answered[r->ticket[i % SHARE_RING] % SHARE_WINDOW] = SHARE_PACKET;
	r->load -= (to - r->tail) * (SHARE_PACKET + 256);
	r->tail = to;
}

static void share_run(struct ring *r)
{
	struct transform *t = share_transform();
	uint64_t to = 0;
	bool over;

	pthread_barrier_wait(&share->ready);
	do {
		pthread_spin_lock(&share->lock);
		share_settle(r, to);
		share_release();
		share_deal();
		to = r->head < r->tail + SHARE_KICK ? r->head : r->tail + SHARE_KICK;
		over = share->released == SHARE_TICKETS;
		pthread_spin_unlock(&share->lock);
		if (to == r->tail)
			sched_yield();
		share_kick(t, r, r->tail, to);
	} while (!over);
	_exit(EXIT_SUCCESS);
}

/* ---- runs -------------------------------------------------------------------------------- */

static void share_reset(unsigned stacks, bool votes)
{
	pthread_barrierattr_t kind;

	memset(share, 0, sizeof(*share));
	pthread_spin_init(&share->lock, PTHREAD_PROCESS_SHARED);
	pthread_barrierattr_init(&kind);
	pthread_barrierattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&share->ready, &kind, stacks + 1);
	share->stacks = stacks;
	share->votes = votes;
}

/* Processor time of the stacks that have ended, in seconds. */
static double share_spent(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

struct rate {
	double pps;
	double cpu;			/* ns of processor time a packet: on a busy machine it says more */
};

/* Through so many stacks. */
static struct rate share_measure(unsigned stacks, bool votes)
{
	double start, spent = share_spent(), took;
	unsigned i;
	int status;

	share_reset(stacks, votes);
	for (i = 0; i < stacks; i++)
		if (!fork())
			share_run(&share->ring[i]);
	pthread_barrier_wait(&share->ready);
	start = bench_now();
	for (i = 0; i < stacks; i++)
		bench_check(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status), "a stack failed");
	took = bench_now() - start;
	bench_check(share->released == SHARE_TICKETS && !share->wrong, "out of order, or not what was dealt");
	return (struct rate){ SHARE_TICKETS / took, (share_spent() - spent) * 1e9 / SHARE_TICKETS };
}

/* The best of each. */
static void share_better(struct rate *best, struct rate r)
{
	best->pps = r.pps > best->pps ? r.pps : best->pps;
	best->cpu = !best->cpu || r.cpu < best->cpu ? r.cpu : best->cpu;
}

/* One stack, two and three that vote, and as many as there are processors for. */
static const struct point {
	unsigned stacks;
	bool votes;
} points[] = { { 1, false }, { 2, true }, { 2, false }, { 3, true }, { 3, false }, { 4, false }, { 8, false }, { 16, false } };

#define POINTS (sizeof(points) / sizeof(points[0]))

static void share_print(FILE *json, const struct point *p, const struct rate *best, const struct rate *one)
{
	printf("%-8u %-6s %12.0f %9.2fx %12.0f\n", p->stacks, p->votes ? "vote" : "share", best->pps, best->pps / one->pps, best->cpu);
	fprintf(json, "%s  {\"stacks\": %u, \"vote\": %d, \"pps\": %.0f, \"ratio\": %.3f, \"cpu_ns\": %.0f}",
		best == one ? "" : ",\n", p->stacks, p->votes, best->pps, best->pps / one->pps, best->cpu);
}

static int share_is_less(const struct rate *best, const struct rate *one, double wanted, const char *what)
{
	if (best->pps >= wanted * one->pps)
		return 0;
	printf("%s: %.2f x one, wanted %.1f\n", what, best->pps / one->pps, wanted);
	return 1;
}

int main(void)
{
	const unsigned most = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	FILE *json = fopen("share.json", "w");
	static struct rate best[POINTS];
	unsigned n;
	int run, failed = 0;

	share_packet();
	share = mmap(NULL, sizeof(*share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bench_check(json && share != MAP_FAILED, "cannot start");
	for (run = 0; run < SHARE_RUNS; run++)
		for (n = 0; n < POINTS && points[n].stacks <= most; n++)
			share_better(&best[n], share_measure(points[n].stacks, points[n].votes));
	printf("%-8s %-6s %12s %10s %12s   aes-128-cbc-sha256, openssl, %u bytes, best of %d\n", "stacks", "", "packets/s", "of one",
	       "cpu ns", SHARE_PACKET, SHARE_RUNS);
	fputs("[\n", json);
	for (n = 0; n < POINTS && points[n].stacks <= most; n++)
		share_print(json, &points[n], &best[n], &best[0]);
	fputs("\n]\n", json);
	bench_check(!fclose(json), "share.json");
	if (most > 1) {
		failed |= share_is_less(&best[1], &best[0], SHARE_VOTING, "two stacks that vote");
		failed |= share_is_less(&best[2], &best[0], SHARE_WANTED, "two stacks");
	}
	if (most > 2)
		failed |= share_is_less(&best[3], &best[0], SHARE_VOTING, "three stacks that vote");
	return failed;
}
