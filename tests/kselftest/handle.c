// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle.c - SA handles and their counters, by the manager's ioctls
 *
 * Each field that the manual limits is refused when it is outside; numbers outlive their
 * handles and compartments, only rise, and none is forgotten to make room for another.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

#define NAME "handles"

static int control, port;

static int open_soon(const char *path)
{
	int fd, i;

	for (i = 0; (fd = open(path, O_RDWR)) < 0 && i < 100; i++)
		usleep(50000);
	return fd;
}

/* The compartment anew, and us as its manager. */
static void begin(__u32 handles_max)
{
	struct ipsp_compartment c = { .name = NAME, .handles_max = handles_max };
	struct ipsp_attach a = { .role = IPSP_ROLE_MANAGER };

	if (ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c))
		tap_give_up("compartment add");
	port = open_soon("/dev/ipsec-port/" NAME);
	if (port < 0 || ioctl(port, IPSP_IOC_ATTACH, &a))
		tap_give_up("attach");
}

static void end(void)
{
	struct ipsp_name n = { .name = NAME };

	close(port);
	if (ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n))
		tap_give_up("compartment del");
}

/* A good one; `key` names its counter. */
static struct ipsp_handle good(int direction, unsigned int spi, unsigned int key)
{
	struct ipsp_handle h = {
		.direction = direction, .family = 4, .protocol = 50, .mode = IPSP_SA_TUNNEL,
		.spi = htonl(spi), .source = { 10, 9, 0, 1 }, .destination = { 10, 9, 0, 2 },
		.fixed = 52, .align = 4, .next = 1,
		.window = direction == IPSP_DIR_IN ? 64 : 0,
	};

	memcpy(h.counter, &key, sizeof(key));
	h.counter[8] = direction;
	return h;
}

static int add(struct ipsp_handle *h)
{
	return tap_ioctl(port, IPSP_IOC_HANDLE_ADD, h);
}

static int del(const struct ipsp_handle *h)
{
	struct ipsp_handle id = { .id = h->id };

	return tap_ioctl(port, IPSP_IOC_HANDLE_DEL, &id);
}

static struct ipsp_handle get(const struct ipsp_handle *h)
{
	struct ipsp_handle out = { .id = h->id };

	if (ioctl(port, IPSP_IOC_HANDLE_GET, &out))
		tap_give_up("handle get");
	return out;
}

static int set(const struct ipsp_handle *h, __u64 next, __u64 ceiling)
{
	struct ipsp_handle to = { .id = h->id, .next = next, .ceiling = ceiling };

	return tap_ioctl(port, IPSP_IOC_HANDLE_SET, &to);
}

/* Adds it, asks what its number is, deletes it. */
static __u64 number_of(struct ipsp_handle h)
{
	__u64 next;

	if (add(&h))
		tap_give_up("handle add");
	next = get(&h).next;
	del(&h);
	return next;
}

/* ---- what is refused ----------------------------------------------------------------------- */

#define REFUSED(error, direction, change) do {					\
	struct ipsp_handle h = good(direction, 1000, 1);			\
	change;									\
	TAP_EQUAL(add(&h), error, "%s refused: %s", #error, #change);		\
} while (0)
#define TAKEN(direction, change) do {						\
	struct ipsp_handle h = good(direction, 1000, 2);			\
	change;									\
	TAP_EQUAL(add(&h), 0, "taken: %s", #change);				\
	del(&h);								\
} while (0)
#define OUT IPSP_DIR_OUT
#define IN IPSP_DIR_IN

static void test_shape(void)
{
	REFUSED(EINVAL, OUT, h.flags = 2);
	REFUSED(EINVAL, OUT, h.reserved[0] = 1);
	REFUSED(EINVAL, OUT, h.direction = IPSP_DIR_FWD);
	REFUSED(EINVAL, OUT, h.family = 0);
	REFUSED(EINVAL, OUT, h.family = 5);
	REFUSED(EINVAL, OUT, h.protocol = 17);
	REFUSED(EINVAL, OUT, h.mode = 2);
	REFUSED(EINVAL, OUT, h.spi = 0);
	REFUSED(EINVAL, OUT, h.spi = htonl(255));
	REFUSED(EINVAL, OUT, h.source[4] = 1);
	REFUSED(EINVAL, OUT, h.destination[15] = 1);
	REFUSED(EINVAL, OUT, memset(h.destination, 0, 16));
	REFUSED(EINVAL, OUT, h.align = 0);
	REFUSED(EINVAL, OUT, h.align = 3);
	REFUSED(EINVAL, OUT, h.align = 512);
	REFUSED(EINVAL, OUT, h.fixed = 27);
	REFUSED(EINVAL, OUT, h.fixed = 513);
	REFUSED(EINVAL, OUT, (h.family = 6, h.fixed = 47));
	REFUSED(EINVAL, OUT, h.mark = 1);
	REFUSED(EINVAL, OUT, h.inner_family = 5);
	REFUSED(EINVAL, OUT, (h.mode = IPSP_SA_TRANSPORT, h.inner_family = 6));
	REFUSED(EINVAL, OUT, h.mode = IPSP_SA_BEET);
	TAKEN(OUT, (h.mode = IPSP_SA_BEET, h.inner_family = 6));
	TAKEN(OUT, h.spi = htonl(256));
	TAKEN(OUT, h.align = 256);
	TAKEN(OUT, (h.family = 6, h.fixed = 72, h.destination[15] = 1));
	TAKEN(OUT, h.fixed = 28);
	TAKEN(OUT, (h.family = 6, h.fixed = 48, h.destination[15] = 1));
	TAKEN(OUT, (h.mode = IPSP_SA_TRANSPORT, h.inner_family = 4));
}

static void test_numbers(void)
{
	REFUSED(EINVAL, OUT, h.window = 64);
	REFUSED(EINVAL, OUT, h.ceiling = 1ull << 32);
	REFUSED(EINVAL, IN, h.ceiling = 1);
	REFUSED(EINVAL, IN, h.window = 31);
	REFUSED(EINVAL, IN, h.window = 4097);
	REFUSED(EINVAL, IN, (h.flags = IPSP_HANDLEF_ESN, h.window = 0));
	REFUSED(EINVAL, OUT, h.encap_source = htons(4500));
	REFUSED(EINVAL, OUT, h.encap_destination = htons(4500));
	REFUSED(EINVAL, OUT, (h.encap_source = h.encap_destination = htons(4500), h.fixed = 35));
	TAKEN(OUT, (h.encap_source = h.encap_destination = htons(4500), h.fixed = 60));
	TAKEN(IN, h.window = 32);
	TAKEN(IN, h.window = 4096);
	TAKEN(IN, h.window = 0);
}

/* Any limits are taken, and are told again; SET moves the moment and nothing else of them. */
static void test_limits(void)
{
	struct ipsp_handle h = good(OUT, 1900, 3), to, out;

	TAKEN(OUT, (h.soft_bytes = 9, h.hard_bytes = 8));
	TAKEN(IN, (h.soft_packets = 1, h.hard_packets = ~0ull, h.until = 1));
	h.soft_bytes = 1;
	h.hard_bytes = 2;
	h.soft_packets = 3;
	h.hard_packets = 4;
	h.until = ~0ull;
	TAP_EQUAL(add(&h), 0, "all limits");
	out = get(&h);
	tap(out.soft_bytes == 1 && out.hard_bytes == 2 && out.soft_packets == 3 && out.hard_packets == 4 &&
	    out.until == ~0ull && !out.expired, "GET tells them, and that none was reached");
	to = (struct ipsp_handle){ .id = h.id, .until = 77, .hard_bytes = 99 };
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_HANDLE_SET, &to), 0, "SET of the moment");
	out = get(&h);
	tap(out.until == 77 && out.hard_bytes == 2, "moves it, and nothing else");
	TAP_EQUAL(set(&h, 0, 0), 0, "SET without one");
	TAP_EQUAL(get(&h).until, 77, "leaves it");
	del(&h);
}

/* ---- identity --------------------------------------------------------------------------------- */

static void test_identity(void)
{
	struct ipsp_handle a = good(IN, 2000, 10), b = good(IN, 2000, 11);
	struct ipsp_handle c = good(OUT, 2000, 12), none = { .id = 12345 };
	__u32 first;

	TAP_EQUAL(add(&a), 0, "an inbound handle");
	tap(a.id >= 1, "ids begin at 1");
	TAP_EQUAL(add(&b), EEXIST, "the same destination, protocol and SPI again");
	TAP_EQUAL(add(&c), 0, "the same SPI the other way");
	first = a.id;
	TAP_EQUAL(del(&a), 0, "deleted");
	TAP_EQUAL(add(&b), 0, "and its SPI is free");
	tap(b.id > first, "an id is not soon used again");
	TAP_EQUAL(del(&a), ENOENT, "a deleted one is not deleted twice");
	TAP_EQUAL(set(&none, 1, 0), ENOENT, "SET of none");
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_HANDLE_GET, &none), ENOENT, "GET of none");
	a = get(&b);
	tap(a.spi == b.spi && a.window == 64 && a.fixed == 52 && !a.packets && !a.used_last,
	    "GET tells what was given");
	del(&b);
	del(&c);
}

static void test_room(void)
{
	struct ipsp_handle h[5];
	int i;

	end();
	begin(4);
	for (i = 0; i < 5; i++) {
		h[i] = good(OUT, 3000 + i, 20 + i);
		TAP_EQUAL(add(&h[i]), i < 4 ? 0 : ENOSPC, "handle %d of at most 4", i + 1);
	}
	del(&h[0]);
	TAP_EQUAL(add(&h[4]), 0, "one deleted makes room for one");
	end();
	begin(0);
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static void test_outbound(void)
{
	struct ipsp_handle h = good(OUT, 4000, 30);

	h.next = 100;
	TAP_EQUAL(add(&h), 0, "outbound from 100");
	TAP_EQUAL(get(&h).next, 100, "it begins at 100");
	TAP_EQUAL(get(&h).ceiling, 0xffffffff, "and ends at 2^32 - 1");
	TAP_EQUAL(set(&h, 50, 0), 0, "SET to 50");
	TAP_EQUAL(get(&h).next, 100, "does not lower it");
	TAP_EQUAL(set(&h, 200, 0), 0, "SET to 200");
	TAP_EQUAL(get(&h).next, 200, "raises it");
	TAP_EQUAL(set(&h, 300, 1ull << 32), EINVAL, "a ceiling above 2^32 - 1 without ESN");
	TAP_EQUAL(get(&h).next, 200, "and nothing has changed");
	del(&h);
	h.next = 1;
	TAP_EQUAL(number_of(h), 200, "a later handle of the key goes on above");
	end();
	begin(0);
	TAP_EQUAL(number_of(h), 200, "in a later compartment too");
	h.next = 1000;
	TAP_EQUAL(number_of(h), 1000, "ADD can raise it");
	h.next = 1;
	TAP_EQUAL(number_of(h), 1000, "and that stays");
}

static void test_ceiling(void)
{
	struct ipsp_handle h = good(OUT, 4100, 31);

	h.ceiling = 1000;
	TAP_EQUAL(add(&h), 0, "a ceiling of 1000");
	TAP_EQUAL(get(&h).ceiling, 1000, "is in force");
	set(&h, 0, 500);
	TAP_EQUAL(get(&h).ceiling, 1000, "SET does not lower it");
	set(&h, 0, 2000);
	TAP_EQUAL(get(&h).ceiling, 2000, "SET raises it");
	del(&h);
	h = good(OUT, 4101, 32);
	h.flags = IPSP_HANDLEF_ESN;
	TAP_EQUAL(add(&h), 0, "with ESN");
	TAP_EQUAL(get(&h).ceiling, ~0ull, "the ceiling is 2^64 - 1");
	del(&h);
}

static void test_inbound(void)
{
	struct ipsp_handle h = good(IN, 5000, 40);

	TAP_EQUAL(number_of(h), 0, "inbound: nothing seen");
	h.window = 0;
	TAP_EQUAL(number_of(h), 0, "nor without a window");
	h.window = 64;
	TAP_EQUAL(number_of(h), 0, "which leaves nothing behind");
	h.next = 50;
	TAP_EQUAL(number_of(h), 49, "from 50: up to 49 counts as seen");
	h.next = 1;
	h.window = 4096;
	TAP_EQUAL(number_of(h), 49, "and stays so, in a window of another size");
	add(&h);
	TAP_EQUAL(set(&h, 70, 1), EINVAL, "an inbound ceiling");
	TAP_EQUAL(set(&h, 70, 0), 0, "SET to 70");
	TAP_EQUAL(get(&h).next, 69, "up to 69 counts as seen");
	del(&h);
}

/* Two handles of one key never disagree on what is used. */
static void test_shared(void)
{
	struct ipsp_handle a = good(OUT, 6000, 50), b = good(OUT, 6001, 50);

	TAP_EQUAL(add(&a), 0, "a key");
	TAP_EQUAL(add(&b), 0, "the key again, under another SPI");
	set(&b, 500, 0);
	TAP_EQUAL(get(&a).next, 500, "what one uses, the other does not");
	del(&b);
	b.flags = IPSP_HANDLEF_ESN;
	TAP_EQUAL(add(&b), EINVAL, "the key with ESN, while it is used without");
	b = good(IN, 6002, 50);
	memcpy(b.counter, a.counter, sizeof(b.counter));
	TAP_EQUAL(add(&b), EINVAL, "an outbound key inbound");
	TAP_EQUAL(get(&a).next, 500, "and nothing has changed");
	del(&a);
}

/*
 * Last, for it fills the module for good: names that were used are refused room beyond
 * 65,536, and all of them are still known. Names that never were need none.
 */
static void test_tombstones(void)
{
	struct ipsp_handle h = good(OUT, 7000, 0);
	unsigned int i, full = 0;

	for (i = 0; i < 70000 && !full; i++) {
		h = good(OUT, 7000, 0x10000 + i);
		h.next = 7 + i;
		full = add(&h);
		if (!full)
			del(&h);
	}
	TAP_EQUAL(full, ENOSPC, "no room for one more number (after %u)", i - 1);
	tap(i - 1 > 65000 && i - 1 <= 65536, "and there was room for 65,536, less what was used");
	h = good(OUT, 7000, 0x10000);
	TAP_EQUAL(number_of(h), 7, "the first is still known");
	h = good(OUT, 7000, 0x10000 + i - 2);
	TAP_EQUAL(number_of(h), 7 + i - 2, "and the last");
}

int main(int argc, char **argv)
{
	struct ipsp_handle h;
	int i;

	control = open_soon("/dev/ipsec-port/control");
	if (control < 0)
		tap_give_up("/dev/ipsec-port/control");
	begin(0);
	test_shape();
	test_numbers();
	test_limits();
	test_identity();
	test_room();
	test_outbound();
	test_ceiling();
	test_inbound();
	test_shared();
	for (i = 0; i < 1000; i++) {
		h = good(OUT, 8000, 0x100000 + i);
		if (add(&h) || del(&h))
			break;
	}
	TAP_EQUAL(i, 1000, "a thousand keys that were never used");
	if (argc < 2 || strcmp(argv[1], "quick"))
		test_tombstones();
	end();
	return tap_end();
}
