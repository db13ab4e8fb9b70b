// SPDX-License-Identifier: GPL-2.0-only
/* world.c - the namespace and its wire, realms as their manager sees them */
#define _GNU_SOURCE
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kselftest/tap.h"

static int control, tun;

/* ---- the namespace, the wire --------------------------------------------------------------------- */

static int tun_open(void)
{
	struct ifreq request = { .ifr_name = "wire", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		tap_give_up("tun device");
	return fd;
}

void world_begin(void)
{
	if (unshare(CLONE_NEWNET))
		tap_give_up("a network namespace");
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		tap_give_up("/dev/ipsec-port/control");
	if (system("modprobe -q tun"))
		tap_give_up("modprobe tun");
	tun = tun_open();
	if (system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set lo up && "
		   "ip addr add 10.9.0.1/24 dev wire && ip link set wire up && ip route add 10.0.0.0/8 dev wire"))
		tap_give_up("addresses and routes");
}

void world_ipv6(void)
{
	if (system("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0 "
		   "net.ipv6.conf.wire.disable_ipv6=0 && ip addr add fd00:9::1/64 dev wire nodad && "
		   "ip route add fd00::/16 dev wire"))
		tap_give_up("IPv6");
}

void world_offload(void)
{
	if (ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM))
		tap_give_up("a wire that finishes checksums");
}

static int all_is_freed(void)
{
	struct ipsp_stats s = { 0 };

	if (ioctl(control, IPSP_CTL_STATS, &s))
		tap_give_up("stats");
	return s.counter[IPSP_COUNT_OBJECTS_MADE] == s.counter[IPSP_COUNT_OBJECTS_FREED];
}

int world_end(void)
{
	int i;

	realm_rules(NULL, 0);
	for (i = 0; i < 100 && !all_is_freed(); i++)
		usleep(100000);
	close(tun);
	i = all_is_freed();
	close(control);
	return i;
}

void wire_datagram(unsigned int net, unsigned int host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	static const char payload[200];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(10u << 24 | net << 16 | host);
	if (fd < 0 || sendto(fd, payload, sizeof(payload), 0, (void *)&to, sizeof(to)) < 0)
		tap_give_up("sendto");
	close(fd);
}

void wire_options(int fd, unsigned char family)
{
	const unsigned char option[4] = { 1, 1, 1, 0 }, padding[8] = { 0, 0, 1, 4 };

	if (family == 4 ? setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option, sizeof(option)) :
			  setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof(padding)))
		tap_give_up("options");
}

/* Payload in pieces of 200 bytes, to the host of a net; more than one: as a super-packet */
static void send_pieces(const struct realm *r, unsigned int net, unsigned int host, unsigned int pieces)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(9),
				   .sin_addr.s_addr = htonl(10u << 24 | net << 16 | host) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				    .sin6_addr.s6_addr = { 0xfd, 0, 0, (unsigned char)net } };
	static const char payload[200 * 16];
	const int is4 = r->kind.family == 4, piece = 200;
	int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);

	to6.sin6_addr.s6_addr[14] = (unsigned char)(host >> 8);
	to6.sin6_addr.s6_addr[15] = (unsigned char)host;
	if (r->kind.options)
		wire_options(fd, r->kind.family);
	if (pieces > 1 && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &piece, sizeof(piece)))
		tap_give_up("UDP_SEGMENT");
	if (sendto(fd, payload, pieces * 200, 0, is4 ? (void *)&to4 : (void *)&to6,
		   is4 ? sizeof(to4) : sizeof(to6)) < 0)
		tap_give_up("sendto");
	close(fd);
}

void wire_realm_datagram(const struct realm *r, unsigned int next, unsigned int host)
{
	send_pieces(r, r->net + next, host, 1);
}

void wire_super(const struct realm *r, unsigned int host, unsigned int segments)
{
	send_pieces(r, r->net, host, segments);
}

unsigned short wire_header_sum(const unsigned char *h)
{
	unsigned int sum = 0, i;

	for (i = 0; i < 20; i += 2)
		sum += i == 10 ? 0 : h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned short)~sum;
}

static unsigned char wire_protocol(const struct realm *r)
{
	return r->kind.encap ? IPPROTO_UDP : r->kind.protocol ? r->kind.protocol : IPPROTO_ESP;
}

static unsigned int esp_header4(const struct realm *r, unsigned char *packet)
{
	unsigned short sum;

	memcpy(packet, (const unsigned char [10]){ 0x45, 0, 300 >> 8, 300 & 255, 0, 0, 0, 0, 64, wire_protocol(r) }, 10);
	memcpy(packet + 12, r->in.source, 4);
	memcpy(packet + 16, r->in.destination, 4);
	sum = wire_header_sum(packet);
	packet[10] = sum >> 8;
	packet[11] = sum & 255;
	return 20;
}

static unsigned int esp_header6(const struct realm *r, unsigned char *packet)
{
	memcpy(packet, (const unsigned char [8]){ 0x60, 0, 0, 0, 260 >> 8, 260 & 255, wire_protocol(r), 64 }, 8);
	memcpy(packet + 8, r->in.source, 16);
	memcpy(packet + 24, r->in.destination, 16);
	return 40;
}

void wire_write(const void *packet, unsigned int length)
{
	if (write(tun, packet, length) != (ssize_t)length)
		tap_give_up("a packet onto the wire");
}

/* The length behind UDP's ports; no checksum, which IPv6 lets tunnels do. */
static void esp_udp(const struct realm *r, unsigned char *udp, unsigned int length)
{
	const unsigned short from = r->kind.encap_from ? r->kind.encap_from : r->kind.encap;
	const __be16 words[4] = { htons(from), htons(r->kind.encap), htons((unsigned short)length), 0 };

	memcpy(udp, words, sizeof(words));
}

int wire_try_esp(const struct realm *r, unsigned int number)
{
	unsigned char packet[300] = { 0 };
	unsigned int at = r->kind.family == 4 ? esp_header4(r, packet) : esp_header6(r, packet);
	__be32 sequence = htonl(number);

	if (r->kind.encap)
		esp_udp(r, packet + at, (unsigned int)sizeof(packet) - at);
	at += stack_numbered_at(r);
	memcpy(packet + at, &r->in.spi, 4);
	memcpy(packet + at + 4, &sequence, 4);
	return write(tun, packet, sizeof(packet)) == (ssize_t)sizeof(packet) ? 0 : errno;
}

void wire_esp(const struct realm *r, unsigned int number)
{
	if (wire_try_esp(r, number))
		tap_give_up("a packet onto the wire");
}

unsigned int wire_next(unsigned char *packet, int ms)
{
	struct pollfd p = { .fd = tun, .events = POLLIN };
	ssize_t length;

	while (poll(&p, 1, ms) == 1) {
		length = read(tun, packet, WORLD_PACKET_MAX);
		if (length >= 20 && packet[0] >> 4 == 4)
			return (unsigned int)length;
		if (length >= 40 && packet[0] >> 4 == 6 && packet[24] == 0xfd)
			return (unsigned int)length;
	}
	return 0;
}

unsigned int wire_esp_at(const struct realm *r, const unsigned char *packet)
{
	unsigned int at = 4 * (packet[0] & 15), protocol = packet[9];

	if (packet[0] >> 4 == 6) {
		at = 40;
		protocol = packet[6];
		if (protocol == IPPROTO_DSTOPTS) {
			protocol = packet[40];
			at += 8 * (packet[41] + 1u);
		}
	}
	at += stack_numbered_at(r);
	return protocol == wire_protocol(r) && !memcmp(packet + at, &r->out.spi, 4) ? at : 0;
}

int wire_is_esp(const struct realm *r, const unsigned char *packet)
{
	return wire_esp_at(r, packet) != 0;
}

/* ---- realms ---------------------------------------------------------------------------------------- */

static int open_soon(const char *name)
{
	char path[sizeof("/dev/ipsec-port/") + IPSP_NAME_MAX];
	int fd, i;

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", name);
	for (i = 0; (fd = open(path, O_RDWR | O_CLOEXEC)) < 0 && i < 100; i++)
		usleep(50000);
	return fd;
}

static void address(unsigned char *a, unsigned char family, unsigned int net, unsigned char host)
{
	memset(a, 0, 16);
	a[0] = family == 4 ? 10 : 0xfd;
	a[family == 4 ? 1 : 3] = (unsigned char)net;
	a[family == 4 ? 3 : 15] = host;
}

struct ipsp_handle world_limits;

static struct ipsp_handle handle_of(const struct realm *r, unsigned char direction)
{
	unsigned char near[16], far[16];
	struct ipsp_handle h = {
		.direction = direction, .family = r->kind.family, .mode = r->kind.mode,
		.protocol = r->kind.protocol ? r->kind.protocol : IPPROTO_ESP,
		.encap_source = htons(r->kind.encap), .encap_destination = htons(r->kind.encap),
		.fixed = (r->kind.family == 4 ? 52 : 72) + stack_numbered_at(r), .align = 4, .next = 1,
		.inner_family = r->kind.mode == IPSP_SA_TRANSPORT ? r->kind.family :
				r->kind.mode == IPSP_SA_BEET ? 6 : 0,
		.window = direction == IPSP_DIR_IN ? 64 : 0,
		.spi = htonl(0x10000 + r->net * 256 + direction),
		.soft_bytes = world_limits.soft_bytes, .hard_bytes = world_limits.hard_bytes,
		.soft_packets = world_limits.soft_packets, .hard_packets = world_limits.hard_packets,
	};

	address(near, r->kind.family, 9, 1);
	address(far, r->kind.family, r->kind.mode == IPSP_SA_TUNNEL ? 9 : r->net, 2);
	memcpy(h.source, direction == IPSP_DIR_OUT ? near : far, 16);
	memcpy(h.destination, direction == IPSP_DIR_OUT ? far : near, 16);
	return h;
}

struct realm realm_like(unsigned int net, struct realm_kind kind)
{
	struct realm r = { .net = net, .kind = kind };

	r.out = handle_of(&r, IPSP_DIR_OUT);
	r.in = handle_of(&r, IPSP_DIR_IN);
	return r;
}

static struct ipsp_handle handle_add(const struct realm *r, unsigned char direction)
{
	struct ipsp_handle h = handle_of(r, direction);
	const pid_t self = getpid();
	static unsigned int serial;

	serial++;
	memcpy(h.counter, &serial, sizeof(serial));	/* a key of its own each time */
	memcpy(h.counter + 4, "world", 5);
	memcpy(h.counter + 12, &self, sizeof(self));	/* of another process: another one */
	h.counter[10] = direction;
	if (ioctl(r->port, IPSP_IOC_HANDLE_ADD, &h))
		tap_give_up("handle add");
	return h;
}

/* 10.N+1 must not be clear by policy, where the rule would let it. */
static void realm_policy(struct realm *r)
{
	_Alignas(64) unsigned char bytes[1024] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	struct ipsp_policy *policy = (struct ipsp_policy *)(rec + 1);
	struct ipsp_policy_entry *entry;

	rec->type = IPSP_REC_POLICY;
	rec->control_len = sizeof(*policy);
	rec->data_offset = ipsp_record_data_offset(sizeof(*policy));
	rec->data_len = sizeof(*entry);
	rec->len = (rec->data_offset + rec->data_len + 63) & ~63u;
	policy->operation = IPSP_POLICY_REPLACE;
	policy->count = 1;
	entry = (struct ipsp_policy_entry *)(bytes + rec->data_offset);
	entry->action = IPSP_POLICY_APPLY;
	entry->protect.index = 1;
	entry->protect.selector = (struct ipsp_selector){
		.family = 4, .destination = { 10, (unsigned char)(r->net + 1), 1 },
		.destination_prefix = 24, .source_last = 65535, .destination_last = 65535,
	};
	if (realm_control(r, rec, IPSP_TARGET_ALL))
		tap_give_up("policy");
}

void realm_begin(struct realm *r, unsigned int net, unsigned int deadline_ms)
{
	realm_begin_kind(r, net, deadline_ms, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL });
}

void realm_begin_as(struct realm *r, unsigned int net, struct realm_kind kind, struct ipsp_compartment c)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_MANAGER };

	*r = (struct realm){ .net = net, .kind = kind };
	snprintf(r->name, sizeof(r->name), "realm%u", net);
	memcpy(c.name, r->name, sizeof(c.name));
	c.down_size = c.up_size = IPSP_RING_MIN;
	if (ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c))
		tap_give_up("compartment add");
	r->port = open_soon(r->name);
	if (r->port < 0 || ioctl(r->port, IPSP_IOC_ATTACH, &a) ||
	    fcntl(r->port, F_SETFL, O_NONBLOCK))
		tap_give_up("attach as manager");
	r->out = handle_add(r, IPSP_DIR_OUT);
	r->in = handle_add(r, IPSP_DIR_IN);
	realm_policy(r);
}

void realm_begin_kind(struct realm *r, unsigned int net, unsigned int deadline_ms, struct realm_kind kind)
{
	realm_begin_as(r, net, kind, (struct ipsp_compartment){ .deadline_ms = deadline_ms });
}

void realm_begin_shared(struct realm *r, unsigned int net, unsigned int deadline_ms, unsigned int stacks,
			unsigned int spares)
{
	realm_begin_as(r, net, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL },
		       (struct ipsp_compartment){ .deadline_ms = deadline_ms, .successor_ms = 60000, .stacks = stacks,
						  .spares = spares });
}

void realm_begin_voting(struct realm *r, unsigned int net, struct ipsp_compartment c)
{
	c.successor_ms = 60000;
	realm_begin_as(r, net, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL }, c);
}

void realm_end(struct realm *r)
{
	struct ipsp_name n = { 0 };

	memcpy(n.name, r->name, sizeof(n.name));
	close(r->port);
	if (ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n))
		tap_give_up("compartment del");
}

static void rule_fill(struct ipsp_rule *rule, const struct realm *r, unsigned int net, int protect)
{
	*rule = (struct ipsp_rule){
		.selector = { .family = r->kind.family, .source_last = 65535, .destination_last = 65535 },
		.flags = protect ? IPSP_RULEF_PROTECT : 0,
	};
	memcpy(rule->compartment, r->name, sizeof(rule->compartment));
	address(rule->selector.destination, r->kind.family, net, 0);
	rule->selector.destination_prefix = r->kind.family == 4 ? 16 : 32;
	rule->directions = IPSP_RULE_OUT;
}

/* Two rules out and one in for each realm. */
void realm_rules(const struct realm *const *realms, unsigned int count)
{
	struct ipsp_rule rule[24];
	struct ipsp_rules set = { .rules = (uintptr_t)rule, .count = 3 * count };
	unsigned int i;

	for (i = 0; i < count; i++) {
		rule_fill(&rule[3 * i], realms[i], realms[i]->net, 1);
		rule_fill(&rule[3 * i + 1], realms[i], realms[i]->net + 1, 0);
		rule_fill(&rule[3 * i + 2], realms[i], realms[i]->net, 1);
		rule[3 * i + 2].directions = IPSP_RULE_IN;
		memcpy(rule[3 * i + 2].selector.source, rule[3 * i].selector.destination, 16);
		rule[3 * i + 2].selector.source_prefix = rule[3 * i].selector.destination_prefix;
		memset(rule[3 * i + 2].selector.destination, 0, 16);
		rule[3 * i + 2].selector.destination_prefix = 0;
	}
	if (ioctl(control, IPSP_CTL_RULES_SET, &set))
		tap_give_up("rules");
}

struct ipsp_event realm_event(struct realm *r, int ms)
{
	static _Alignas(64) char record[4096];
	struct pollfd p = { .fd = r->port, .events = POLLIN };

	if (poll(&p, 1, ms) != 1 || read(r->port, record, sizeof(record)) < 0)
		return (struct ipsp_event){ 0 };
	return *(struct ipsp_event *)(record + sizeof(struct ipsp_record));
}

struct ipsp_stats realm_stats(const struct realm *r)
{
	struct ipsp_stats s = { 0 };

	memcpy(s.name, r->name, sizeof(s.name));
	if (ioctl(control, IPSP_CTL_STATS, &s))
		tap_give_up("stats");
	return s;
}

static long long balance_now(const struct realm *r)
{
	const struct ipsp_stats s = realm_stats(r);
	long long sum = (long long)s.counter[IPSP_COUNT_CAPTURED];
	int i;

	for (i = IPSP_COUNT_CLASSIFIED; i <= IPSP_COUNT_PENDING; i++)
		sum -= (long long)s.counter[i];
	return sum;
}

long long realm_balance(const struct realm *r)
{
	long long balance;
	int i;

	for (i = 0; (balance = balance_now(r)) && i < 1000; i++)
		usleep(1000);
	return balance;
}

int realm_control(struct realm *r, struct ipsp_record *rec, int target)
{
	struct ipsp_control c = { .record = (uintptr_t)rec, .size = rec->len, .target = target };

	return tap_ioctl(r->port, IPSP_IOC_CONTROL, &c);
}

static void snapshot_end(struct realm *r, unsigned int index)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	rec->type = IPSP_REC_SNAPSHOT_END;
	rec->control_len = sizeof(struct ipsp_snapshot);
	rec->len = sizeof(bytes);
	if (realm_control(r, rec, (int)index))
		tap_give_up("snapshot end");
}

static void expect_event(struct realm *r, unsigned int event)
{
	struct ipsp_event e = realm_event(r, 10000);

	if (e.event != event) {
		printf("# event %u of %s, wanted %u\n", e.event, r->name, event);
		tap_give_up("a stack");
	}
}

static void *stack_map(int fd, size_t size, int protection, __u64 offset)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)offset);

	if (at == MAP_FAILED)
		_exit(8);
	return at;
}

unsigned int world_attach;

void stack_enter(struct stack *s)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_STACK, .index = s->index, .flags = world_attach };
	struct ipsp_layout l;
	struct ipsp_words *kernel, *own;

	s->fd = open_soon(s->realm->name);
	if (s->fd < 0 || ioctl(s->fd, IPSP_IOC_ATTACH, &a) || ioctl(s->fd, IPSP_IOC_LAYOUT, &l))
		_exit(9);
	kernel = stack_map(s->fd, l.page_size, PROT_READ, l.kernel_words_offset);
	own = stack_map(s->fd, l.page_size, PROT_READ | PROT_WRITE, l.stack_words_offset);
	ipsp_ring_init(&s->down, stack_map(s->fd, 2ul * l.down_size, PROT_READ, l.down_offset),
		       l.down_size, &own->down.kindex, &kernel->down.kindex);
	ipsp_ring_init(&s->up, stack_map(s->fd, 2ul * l.up_size, PROT_READ | PROT_WRITE, l.up_offset),
		       l.up_size, &own->up.kindex, &kernel->up.kindex);
	s->words = own;
}

void realm_join(struct realm *r, struct worker *w, unsigned int index, void (*run)(struct stack *s, const void *how),
		const void *how)
{
	struct stack s = { .realm = r, .index = index };
	int said[2];

	if (pipe(said))
		tap_give_up("pipe");
	w->index = index;
	w->pid = fork();
	if (!w->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(r->port);
		close(said[0]);
		s.say = said[1];
		stack_enter(&s);
		/* until its snapshot's end is there: one that breaks before has none */
		ioctl(s.fd, IPSP_IOC_KICK, IPSP_KICK_WAIT);
		run(&s, how);
		_exit(0);
	}
	close(said[1]);
	w->said = said[0];
	expect_event(r, IPSP_EVENT_STACK_ATTACHED);
	snapshot_end(r, index);
	expect_event(r, IPSP_EVENT_STACK_READY);
}

void realm_start(struct realm *r, void (*run)(struct stack *s, const void *how), const void *how)
{
	struct worker w;

	realm_join(r, &w, 0, run, how);
	r->stack = w.pid;
	r->said = w.said;
}

struct ipsp_compartment realm_now(const struct realm *r)
{
	struct ipsp_compartment c = { .index = 0 };

	memcpy(c.name, r->name, sizeof(c.name));
	if (ioctl(control, IPSP_CTL_COMPARTMENT_GET, &c))
		tap_give_up("compartment get");
	return c;
}

void realm_stacks(struct realm *r, unsigned int stacks, unsigned int spares)
{
	struct ipsp_compartment c = { .stacks = stacks, .spares = spares };

	memcpy(c.name, r->name, sizeof(c.name));
	if (ioctl(control, IPSP_CTL_COMPARTMENT_SET, &c))
		tap_give_up("compartment set");
}

int realm_poison(const struct realm *r, struct ipsp_poison *p)
{
	memcpy(p->name, r->name, sizeof(p->name));
	return tap_ioctl(control, IPSP_CTL_POISON, p);
}

int realm_dissent(const struct realm *r, struct ipsp_dissent *d)
{
	memcpy(d->name, r->name, sizeof(d->name));
	return tap_ioctl(control, IPSP_CTL_DISSENT, d);
}

int worker_said(const struct worker *w, int ms)
{
	struct pollfd p = { .fd = w->said, .events = POLLIN };
	int what;

	return poll(&p, 1, ms) == 1 && read(w->said, &what, sizeof(what)) == sizeof(what) ? what : -1;
}

int worker_wait(struct worker *w)
{
	int status = -1;

	waitpid(w->pid, &status, 0);
	close(w->said);
	w->pid = 0;
	return status;
}

void realm_stop(struct realm *r)
{
	kill(r->stack, SIGKILL);
	waitpid(r->stack, NULL, 0);
	close(r->said);
}

int realm_said(struct realm *r, int ms)
{
	return worker_said(&(struct worker){ .said = r->said }, ms);
}
