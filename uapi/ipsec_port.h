/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ipsec_port.h - the interface between the ipsec_port module and everyone else
 *
 * THE MANUAL COMES FIRST; the structs follow in the same order.
 *
 * Conventions
 *   All integers are in host byte order unless the member is a __be16/__be32.
 *   Addresses are 16 bytes in network order; an IPv4 address uses the first
 *   four and leaves twelve zero. Lengths are in bytes, times in nanoseconds
 *   unless the name says otherwise. `reserved` members must be zero, unknown
 *   flag bits must be clear: else EINVAL. An unknown ioctl: ENOTTY. A value
 *   that this header names and the module does not serve yet: EOPNOTSUPP.
 *   A call that fails changed nothing.
 *
 * 1. The control device, /dev/ipsec-port/control (mode 0600)
 *   acts in the network namespace of the CALLER, and needs CAP_NET_ADMIN in the
 *   user namespace that owns it.
 *
 *   IPSP_CTL_FEATURES          out: feature bits served, the fixed limits, and the number of
 *                              this interface: a program that was made for another must not
 *                              go on (LAYOUT says it to a stack)
 *   IPSP_CTL_COMPARTMENT_ADD   in: ipsp_compartment; makes /dev/ipsec-port/NAME.
 *                              EEXIST: name taken on this machine; EINVAL: a bad
 *                              or reserved name; ENOSPC: 64 compartments exist
 *   IPSP_CTL_COMPARTMENT_DEL   in: name. EBUSY: a rule names it, in force or set aside by
 *                              `confirm`; with IPSP_DELF_RULES_DROP those rules drop from
 *                              here on. Its manager and stacks end by themselves; see poll
 *   IPSP_CTL_COMPARTMENT_SET   in: ipsp_compartment; only stacks, spares, fail_open,
 *                              deadline, successor, hold_ms, mark, sample and flags may
 *                              differ from what was given. With fewer stacks, those whose index is too
 *                              high get no more tickets, and end when all of theirs
 *                              are answered (see 6)
 *   IPSP_CTL_COMPARTMENT_GET   in: name, or "" and index >= 0 to list this
 *                              namespace's; out: all. ENOENT: no such
 *   IPSP_CTL_RULES_SET         in: the whole ordered rule table of the namespace;
 *                              atomic. ENOENT: a compartment is unknown (`bad`
 *                              says which rule, counted from 0)
 *                              With `confirm` the kernel itself puts back the table that
 *                              was confirmed last, after so many seconds, whoever lives
 *                              or dies, unless RULES_CONFIRM or a set without `confirm`
 *                              comes before
 *   IPSP_CTL_RULES_CONFIRM     the table in force stays. ENOENT: none waits for that
 *   IPSP_CTL_RULES_GET         out: the table, and the seconds left to `confirm` it, 0: it
 *                              stays; E2BIG with `count` set if too small
 *   IPSP_CTL_STATS             in: name ("" = the namespace itself); out: counters
 *   IPSP_CTL_POISON            in: name, index from 0 (the oldest), where to copy the
 *                              packet; out: a ticket that two stacks died on, and its
 *                              packet. ENOENT: none of that index; EMSGSIZE: `length`
 *                              says what it needs
 *   IPSP_CTL_DISSENT           in: name, index from 0 (the oldest), where to copy packet and
 *                              answers, in a row; out: a ticket that stacks answered
 *                              differently. Errors as of POISON
 *   IPSP_CTL_RELAY_SET         in: ipsp_relay; with IPSP_RELAYF_ON the namespace's
 *                              NETLINK_XFRM is ours (see 7), without it is let go.
 *                              EADDRINUSE: another module has it (xfrm_user). With
 *                              IPSP_RELAYF_ALL so in every namespace there is, and ON
 *                              says what one to come begins with; all of them or, with an
 *                              error, none. EPERM without CAP_NET_ADMIN over the machine
 *   IPSP_CTL_RELAY_GET         out: ipsp_relay; ALL: one to come begins with its relay on
 *
 * 2. A port, /dev/ipsec-port/NAME
 *   open, then IPSP_IOC_ATTACH in one role. The descriptor belongs to the mm that
 *   attached it: any other gets EIO. Its release, or the end of that mm, undoes
 *   everything the attachment did.
 *
 *   IPSP_IOC_ATTACH   role STACK (index i, below stacks + spares, one more with RELIEF),
 *                     MANAGER (one) or ADMIN (many). EBUSY: the role or index is taken.
 *                     IPSP_ATTACHF_AGAIN: see 9; IPSP_ATTACHF_MERGES: see 6
 *   IPSP_IOC_LAYOUT   STACK: where to mmap what. Four areas: kernel's words
 *                     (read only), stack's words, down ring (read only, mapped
 *                     twice in a row), up ring (mapped twice in a row)
 *   IPSP_IOC_KICK     STACK, argument IPSP_KICK_*: takes all submitted up records;
 *                     with WAIT sleeps until a down record is there; packets of an SA of
 *                     which the last 16 were all dropped by stacks wake nobody by
 *                     themselves, but a millisecond later. 0, or EPIPE once the
 *                     attachment is broken (see 5), EINTR on a signal
 *   IPSP_IOC_GETMSG   the next record of the caller's read side, whole; with a band
 *                     only records of that band or above, nothing overtakes
 *                     (EAGAIN if the next one is of a lower band). EMSGSIZE:
 *                     `size` says what it needs, the record stays. A STACK may use
 *                     this or mmap, not both (EBUSY)
 *   IPSP_IOC_PUTMSG   hands one record in. read()/write() do the same without band.
 *                     All roles; blocks unless O_NONBLOCK
 *   IPSP_IOC_CONTROL  MANAGER: puts one control record into the down stream of all
 *                     attached stacks (`target` -1) or of one that awaits its
 *                     snapshot, or into none: EAGAIN when one has no room, then
 *                     poll for POLLOUT. A POLICY record also replaces or changes
 *                     the kernel's protect list, at the same point of the ticket
 *                     order
 *   IPSP_IOC_HANDLE_ADD, _SET, _DEL, _GET   MANAGER: the kernel's bookkeeping of SAs
 *   IPSP_IOC_HASH_KEY MANAGER: the key with which counters are named (see 4)
 *   IPSP_IOC_LABEL    MANAGER: the number of a label, or with `context` "" the label of a
 *                     number, see 10. ENOENT: no rule gives the compartment such a one
 *   IPSP_IOC_RELIEF   MANAGER: one more stack may attach than stacks + spares, as the last
 *                     index, or, with 0, may not any more; see 9. ENOSPC: there are
 *                     IPSP_STACKS_MAX
 *   IPSP_IOC_RETIRE   MANAGER: the stack of that index goes, as one does that is too many
 *                     (see 6). ENOENT: none is there; EBUSY: it is dealt to, and there is no
 *                     spare to take its place
 *   IPSP_IOC_STORE    MANAGER: keeps one descriptor (a regular shmem file) in the
 *                     port, -1 forgets it; IPSP_IOC_TAKE returns it. ENOENT: none
 *   poll: POLLIN a record to read, POLLOUT room to put one, POLLERR broken; MANAGER and
 *   ADMIN: POLLERR also when the compartment is deleted, and POLLHUP beside it (looked at
 *   again, it does not wake) when nobody else has the port open any more.
 *
 * 3. Records
 *   One message: a 64-byte header, a control part of fixed layout for its type, a
 *   data part. In a ring, records lie at multiples of 64 bytes and none is split
 *   (the ring is mapped twice in a row). See ipsec_port_ring.h for the verbs.
 *
 *   down stream                      control part         data part
 *     CLASSIFY  ticket, out          ipsp_packet          first <= 256 bytes
 *     PROTECT   ticket, out          ipsp_packet, stamped whole IP packet
 *     UNPROTECT ticket, in           ipsp_packet, stamped whole IP packet
 *     FLUSH                          none                 none: answer your runs now
 *     SA_ADD, SA_UPDATE, SA_DELETE   ipsp_sa              none (SECRET)
 *     POLICY                         ipsp_policy          ipsp_policy_entry[count]
 *     RELEASE, REFUSE                ipsp_acquired        none
 *     TIME                           ipsp_time            none
 *     CONFIG                         ipsp_config          none
 *     SNAPSHOT_BEGIN, SNAPSHOT_END   ipsp_snapshot        none
 *   up stream
 *     ANSWER                         ipsp_answer          the packet(s), if any
 *     ACQUIRE                        ipsp_acquire         none
 *     NOTE                           ipsp_note            none: an honest stack's count
 *                                                         of something with no ticket
 *   manager's read side
 *     EVENT                          ipsp_event           none
 *     ACQUIRE                        ipsp_acquire         none
 *     ADMIN_REQUEST                  ipsp_admin           words, each ended by NUL
 *   manager's write side
 *     ADMIN_REPLY                    ipsp_admin           text
 *   admin's write and read sides: ADMIN_REQUEST, ADMIN_REPLY
 *
 *   Answers. A packet ticket takes one ANSWER with one verdict:
 *     CLASSIFY     classify only: `handles` handle ids, 1..IPSP_STAMPS, outermost last.
 *                  The flow's packets are sealed by each in turn: a protect ticket is
 *                  for one of them, and what it gives is captured anew for the next
 *     TRANSFORMED  protect: `segments` IP packets, each `segment_len` bytes but the
 *                  last, back to back; segment i bears number first + i of its stamp.
 *                  unprotect: one IP packet; it holds what `segments` tickets
 *                  carried, this one and those just before it, of one handle, none
 *                  NOMERGE, at most IPSP_MERGE_MAX: they end with it, `merged`. More
 *                  than one: TCP, `offload` as in virtio_net_hdr with its gso_size
 *     MERGED       not served: a ticket is merged by the answer that holds it
 *     BYPASS       classify only; refused under `protect` and by the protect list
 *     DROP         `reason` IPSP_DROP_*
 *     HOLD         classify only, `acquire`; see 8
 *     TOOBIG       protect only: `mtu`, for the sender
 *   Anything else breaks the attachment.
 *
 *   A packet in PROTECT is the IP packet as the stack of the host made it: with
 *   `offload.gso_size` it is a super-packet to be cut, with NEEDS_CSUM its checksum
 *   is to be finished (the checksum field holds the pseudo-header sum). `mtu` is the
 *   largest packet that fits, before protection. Without IPSP_PKT_IGNORE_DF a packet
 *   larger than that, that is not TCP to be cut, gets TOOBIG if it may not be
 *   fragmented (IPv4 DF, any forwarded IPv6).
 *
 * 4. SA handles and counters
 *   An outbound number is used once with one key, whatever dies. So the counter
 *   belongs to the key: it is found by `counter`, SipHash-free: HMAC-SHA-256 under the
 *   HASH_KEY over (direction, algorithm names, keys[, destination, protocol, SPI
 *   for inbound windows]). It outlives the handle, as a 32-byte tombstone, until the
 *   module goes; a later handle of that name goes on above it. `next` can only
 *   raise it. The kernel stops at `ceiling`; SET may raise that (after the mark is
 *   on disk).
 *
 *   Limits are the handle's, like its counts, and both outlive stacks and managers. Packets
 *   and bytes are counted as XFRM does: what is protected, without the IP header in transport
 *   mode, each segment for itself. A packet finds the SA expired that has counted
 *   `hard_packets` or `hard_bytes`, or at `until`: it is dropped `expired`, and so is every
 *   later one; the packet that reaches the bytes still passes. Likewise `soft_`, which drops
 *   nothing. The first of each is told: EXPIRE, `cause` IPSP_EXPIRED_*. No packet beyond a
 *   hard limit leaves, however many were dealt. SET changes `until`, unless it is 0.
 *
 * 5. What breaks an attachment
 *   A record or index that this manual does not allow, a ticket older than the
 *   deadline, or a down stream that has had no room for a control record, nor has moved,
 *   for a deadline. Then: POLLERR, EPIPE from each call, the mappings are gone (SIGBUS),
 *   the process is killed, its tickets are dealt to a successor as identical records. A
 *   stack may also end its attachment itself, by close, by munmap of any of its areas, or
 *   by its own end: then nobody kills it.
 *
 * 6. Several stacks
 *   All stacks past their SNAPSHOT_END see every control record, at one point of the ticket
 *   order. `stacks` of them are dealt to, in bursts, the least loaded next; each ticket to
 *   one. Answers come in any order; tickets leave in theirs. The others are spares: one
 *   takes the place of a stack at the moment that its attachment ends, whatever their
 *   indices. A stack that ends has its tickets dealt to the others as identical records. One
 *   that has to go, because there are fewer `stacks` or `spares` now, gets neither tickets
 *   nor control records, may answer, and gets EPIPE when it has answered all.
 *
 *   The ticket at which the index of a dying stack points is suspected to be what it died
 *   on. After two such deaths it is poison: dropped, counted, told in an event, and kept for
 *   IPSP_CTL_POISON, the last IPSP_POISON_KEPT of a compartment.
 *
 *   Mode VOTE. Each ticket goes to all stacks that are dealt to, as the identical record, and
 *   none may be merged unless all of them attached with IPSP_ATTACHF_MERGES. The first answer
 *   that `quorum` of them gave, bit for bit (struct ipsp_answer, data, and the ACQUIRE in front
 *   of it), is the ticket's: the kernel's copy of it is checked and sent, and one that breaks
 *   the protocol breaks all who gave it. When no
 *   answer can have so many any more the ticket is dropped, `no-quorum`. Who answered
 *   otherwise, before or after, is outvoted: MISMATCH, with the stack's index, or ~0 where no
 *   answer won; packet and answers are kept for IPSP_CTL_DISSENT, the last
 *   IPSP_DISSENT_KEPT. One that is outvoted IPSP_EJECT times in IPSP_EJECT_WINDOW votes is
 *   broken, OUTVOTED. Tickets are not dealt again: a stack that ends loses its vote. With
 *   fewer stacks than `quorum` the compartment is closed, `no-quorum`; with
 *   IPSP_COMPARTMENTF_DEGRADE those that are left are enough, and DEGRADED tells of it. Mode
 *   SAMPLE: `sample` percent of the tickets are voted on so, the others are shared. Where all
 *   merge, inbound ones burst by burst, and nothing in a record says which it is.
 *
 *   Runs. Where stacks vote, or some tickets are voted on, one that merges does so as any other
 *   of its kind would: by its records alone. UNPROTECT bears NOMERGE, or BEGIN, or continues
 *   what is before it; what lies between two BEGINs was published at once, is at most
 *   IPSP_MERGE_MAX packets of 80 KiB together, and no run crosses a BEGIN or is cut but for what
 *   is in the packets. So a stack hands in before BEGIN if its up ring lacks room for all that
 *   (128 KiB are enough), and its last run when it has read what was published. An answer to a
 *   run is one vote on all its tickets: they are merged together, or none of them is by it.
 *
 * 7. The relay, /dev/ipsec-port/xfrm (mode 0600)
 *   Where RELAY_SET asked for it, NETLINK_XFRM messages of the namespace go to one
 *   keying agent and its answers come back. The module looks at struct nlmsghdr and
 *   nothing behind it; it checks CAP_NET_ADMIN as the kernel does. Who opens the device
 *   is the agent of its own network namespace: EPERM without CAP_NET_ADMIN over it,
 *   ENOTCONN where the relay is not on, EBUSY where there is an agent. Its release ends it.
 *   read() gives, write() takes one message: a struct ipsp_xfrm, and behind it netlink
 *   messages as they are on the socket. read(): EMSGSIZE if the room is too small, EPIPE
 *   once the relay is off. poll: POLLIN, POLLOUT always, POLLERR when off.
 *
 *     from the relay
 *       REQUEST    one netlink message of socket `portid`
 *       DUMP       the same, a dump: wanted are the entries from `cursor` on (0, 0 at
 *                  first; otherwise what the last PART said), in at most `room` bytes
 *     from the agent
 *       ANSWER     to the socket that sent request `id`: none or several messages; with
 *                  IPSP_XFRMF_DONE the request is over. ENOENT: it is already; ENOBUFS:
 *                  no memory, and it goes on as if nothing had been said
 *       PART       to DUMP `id`: entries; IPSP_XFRMF_MORE: `cursor` says where the rest
 *                  begins. With `error` (negative) the dump ends in it. EMSGSIZE: more than
 *                  `room`
 *       MULTICAST  to all sockets of the namespace that joined `group` (XFRMNLGRP_*),
 *                  from port id 0
 *
 *   Requests are read fairly: one of each sender in turn. A sender with
 *   IPSP_XFRM_SENDER_MAX requests out waits, a second at most, then ENOBUFS. No agent, one
 *   that goes: each of them ends in ECONNREFUSED at once; one that does not answer for
 *   ten seconds: ETIMEDOUT. Behind one that a signal killed they wait three seconds for a
 *   successor: it reads what was not read, and by its id it may answer what was, of which
 *   the kernel has no copy; sockets of groups see ENOBUFS. read() writes a message's head last. A dump goes at its reader's
 *   pace. Messages are zeroed when they leave the relay's memory, answers when their reader
 *   has them or closes.
 *
 * 8. Holding packets for a key exchange
 *   A stack that finds a policy without SA sends ACQUIRE, with the id that the manager gave
 *   with the policy, and answers HOLD with it. The ticket leaves the order and is `held`;
 *   the packets of its flow wait. ACQUIRE goes to the manager: of an id at most 8
 *   destinations a second, each once; of all ids 256; none while 64 are unread.
 *
 *   RELEASE of the id, put by CONTROL behind the SA's record, asks each of its held flows
 *   again: the held ticket ends as `rehired`, a new one is captured, and the flow's packets
 *   leave in their order. A policy change does so with all ids. REFUSE drops them, `no-sa`,
 *   and whatever else is answered HOLD with the id within a second. What has been held for
 *   `hold_ms`, counted from its first HOLD, is dropped `hold-expired`; so is what exceeds
 *   128 packets or 512 KiB of an id, or 1024 flows or 8 MiB of the compartment. RELEASE and
 *   REFUSE are for all stacks (`target` -1).
 *
 * 9. Upgrade
 *   A manager that calls execve(2) with its descriptor open is still the manager: nothing of
 *   its mailbox is lost, and nobody else can have the role. Its new image, of the same
 *   process, gives ATTACH with IPSP_ATTACHF_AGAIN on that descriptor; until then it may call
 *   nothing else (EIO). The stacks that are there are told of once more. EINVAL: the
 *   descriptor is no manager's; EIO: it is of another process; EBUSY: the mm has not changed;
 *   EPIPE: the role has been lost. With the end of the process, or of the descriptor, the
 *   role ends as ever.
 *
 *   Stacks are replaced one by one without a gap: RELIEF, a new one as the relief; RETIRE of
 *   an old one, whose place the relief takes at once; a new one at its index. RELIEF ends
 *   with a manager that attaches without the flag.
 *
 * 10. Labels
 *   A compartment's labels are the contexts of the rules that lead to it, and their numbers
 *   those of the kernel's security module until the next boot; 0 is none. A CLASSIFY record
 *   bears the number of the context of the packet's socket, without a socket SECMARK's, and
 *   0 while no policy of the compartment has a label; PROTECT and UNPROTECT bear the SA's.
 *
 *   A policy with a label is for packets of that label, one without for all; inbound, for
 *   what came under an SA of that label. An SA serves only policies of its own label, or,
 *   having none, of none. The kernel sees to it: CLASSIFY with a handle whose label is not
 *   that of the policy that the protect list finds first, or 0, is a drop, `label`. A clear
 *   packet that comes is nobody's yet: it must not pass where a policy of any label says so.
 *
 *   What comes up from UNPROTECT bears its SA's label as SECMARK, and enters no socket of
 *   another context: `label`. HANDLE_ADD of a label that the rules do not give the
 *   compartment: EACCES.
 */
#ifndef IPSEC_PORT_H
#define IPSEC_PORT_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* ---- limits -------------------------------------------------------------- */

#define IPSP_INTERFACE		2	/* rises when programs for an older one would go wrong */
#define IPSP_NAME_MAX		32	/* compartment name with its NUL */
#define IPSP_LABEL_MAX		64	/* security context with its NUL */
#define IPSP_STAMPS		4	/* SAs in one bundle */
#define IPSP_WINDOW_MIN		32	/* replay window, packets */
#define IPSP_WINDOW_MAX		4096
#define IPSP_ALIGN		64	/* of records in a ring */
#define IPSP_CLASSIFY_MAX	256	/* data part of a CLASSIFY ticket */
#define IPSP_RING_MIN		(256u << 10)
#define IPSP_RING_MAX		(64u << 20)
#define IPSP_RING_DEFAULT	(2u << 20)
#define IPSP_RECORD_MAX		(128u << 10)	/* a record of a packet never exceeds it */
#define IPSP_MERGE_MAX		64	/* tickets in one answer */
#define IPSP_RULES_MAX		1024
#define IPSP_CONFIRM_MAX	86400	/* seconds */
#define IPSP_COMPARTMENTS_MAX	64
#define IPSP_STACKS_MAX		16	/* stacks and spares together */
#define IPSP_POISON_KEPT	8
#define IPSP_DISSENT_KEPT	8
#define IPSP_DISSENT_ANSWERS	3
#define IPSP_EJECT		3	/* outvoted so often, */
#define IPSP_EJECT_WINDOW	1024	/* in so many tickets voted on: ejected */
#define IPSP_HASH_KEY_LEN	32
#define IPSP_COUNTER_LEN	32
#define IPSP_ADMIN_MAX		(64u << 10)	/* data part of ADMIN_REQUEST and _REPLY */
#define IPSP_MTU_FLOOR4		68
#define IPSP_MTU_FLOOR6		1280

/* ---- features: bits of ipsp_features.features ------------------------------ */

#define IPSP_FEATURE_ESP	(1ull << 0)	/* ESP, tunnel and transport */
#define IPSP_FEATURE_ESN	(1ull << 1)	/* extended sequence numbers */
#define IPSP_FEATURE_SHARE	(1ull << 2)	/* several stacks share the load */
#define IPSP_FEATURE_QUORUM	(1ull << 3)
#define IPSP_FEATURE_MERGE	(1ull << 4)	/* MERGED */
#define IPSP_FEATURE_HOLD	(1ull << 5)	/* HOLD, RELEASE, REFUSE */
#define IPSP_FEATURE_ENCAP	(1ull << 6)	/* ESP in UDP */
#define IPSP_FEATURE_AH		(1ull << 7)
#define IPSP_FEATURE_BUNDLE	(1ull << 8)	/* more than one handle a flow */
#define IPSP_FEATURE_LABEL	(1ull << 9)	/* rules by label */
#define IPSP_FEATURE_LIMITS	(1ull << 10)	/* byte and packet limits */
#define IPSP_FEATURE_RELAY	(1ull << 11)	/* XFRM netlink */

struct ipsp_features {
	__u64 features;
	__u32 stacks_max;
	__u32 rules_max;
	__u32 window_max;
	__u32 interface;		/* IPSP_INTERFACE */
	__u32 reserved[10];
};

/* ---- drop reasons: ipsp_answer.reason, counters ---------------------------- */

#define IPSP_DROPS(X) \
	/* the kernel's */ \
	X(NO_STACK,		"no-stack") \
	X(NO_SUCCESSOR,		"no-successor") \
	X(RING_FULL,		"ring-full") \
	X(ASKING,		"asking") \
	X(NO_MEMORY,		"no-memory") \
	X(NO_COMPARTMENT,	"no-compartment") \
	X(RULE,			"rule") \
	X(CLEAR,		"clear-for-protected") \
	X(DIVERTED_LOST,	"diverted-lost") \
	X(BYPASS_REFUSED,	"bypass-refused") \
	X(REPLAY,		"replay") \
	X(NUMBERS,		"numbers-used-up") \
	X(BAD_ANSWER,		"bad-answer") \
	X(POISON,		"poison") \
	X(GONE,			"gone") \
	X(STALE,		"stale-policy") \
	X(INNER,		"inner-address") \
	X(CLOSED,		"closed") \
	X(NOT_SERVED,		"not-served") \
	X(HOLD_EXPIRED,		"hold-expired") \
	X(ENCAP,		"encapsulation") \
	X(NO_QUORUM,		"no-quorum") \
	/* a stack's */ \
	X(POLICY,		"policy") \
	X(NO_SA,		"no-sa") \
	X(INTEGRITY,		"integrity") \
	X(MALFORMED,		"malformed") \
	X(PADDING,		"padding") \
	X(DUMMY,		"dummy") \
	X(SELECTOR,		"selector") \
	X(UNSUPPORTED,		"unsupported") \
	X(ECN,			"ecn") \
	X(EXPIRED,		"expired") \
	X(TTL,			"ttl") \
	X(STACK_ERROR,		"stack-error") \
	/* the kernel's */ \
	X(LABEL,		"label")

#define IPSP_DROP_ENUM(name, text) IPSP_DROP_##name,
enum ipsp_drop {	/* values travel as __u16/__u32, never as this enum */
	IPSP_DROP_NONE,
	IPSP_DROPS(IPSP_DROP_ENUM)
	IPSP_DROP_COUNT
};
#define IPSP_DROP_FIRST_OF_STACK IPSP_DROP_POLICY
#define IPSP_DROP_SLOTS	64	/* room in ipsp_stats */

/* ---- compartments ----------------------------------------------------------- */

#define IPSP_FAIL_CLOSED	0
#define IPSP_FAIL_OPEN		1

#define IPSP_MODE_SHARE		0
#define IPSP_MODE_VOTE		1	/* all tickets go to all stacks: see 6 */
#define IPSP_MODE_SAMPLE	2	/* `sample` percent of them do */

#define IPSP_COMPARTMENTF_DEGRADE (1u << 0)	/* VOTE, SAMPLE: fewer than `quorum` are enough */
#define IPSP_COMPARTMENTF_ALL	0x1u

/* Limits stand beside what they limit; 0 asks for the default. */
struct ipsp_compartment {
	char  name[IPSP_NAME_MAX];	/* [a-z0-9_-]+, NUL padded */
	__s32 index;			/* GET: which; else 0 */
	__u32 flags;			/* IPSP_COMPARTMENTF_* */
	__u32 owner_uid;		/* of the device node */
	__u32 owner_gid;
	__u32 owner_mode;		/* default 0600 */
	__u32 stacks;			/* 1..IPSP_STACKS_MAX: are dealt to */
	__u32 mode;			/* IPSP_MODE_* */
	__u32 quorum;			/* VOTE, SAMPLE: 1..stacks; SHARE: 0 or 1 */
	__u32 fail;			/* IPSP_FAIL_* */
	__u32 deadline_ms;		/* of a dealt ticket; default 100, 1..60000 */
	__u32 successor_ms;		/* pending tickets wait so long for one; default 1000 */
	__u32 down_size;		/* ring bytes, power of two, IPSP_RING_MIN..MAX */
	__u32 up_size;
	__u32 handles_max;		/* default 1024, up to 65536 */
	__u32 flows_max;		/* flow cache; default 8192, up to 1048576 */
	__u32 mark;			/* given to released inbound packets */
	__u32 mark_mask;		/* bits of it that are set */
	/* out, from GET */
	__u32 stacks_attached;		/* past their snapshot, and dealt to */
	__u32 manager_attached;
	__u32 generation;		/* of the policy */
	__u32 handles;
	__u32 spares_attached;		/* past their snapshot, and not dealt to */
	/* in */
	__u32 spares;			/* more that may attach; SET: 0 is none */
	__u32 sample;			/* SAMPLE: percent, 1..100; else 0 */
	__u32 hold_ms;			/* HOLD lasts so long; default 5000, 1..60000 */
	__u32 reserved[3];
};

#define IPSP_DELF_RULES_DROP	(1u << 0)	/* rules that name it turn into drop */
#define IPSP_DELF_ALL		0x1u

struct ipsp_name {
	char  name[IPSP_NAME_MAX];
	__u32 flags;			/* DEL: IPSP_DELF_* */
	__u32 reserved[7];
};

/* ---- selectors, rules ----------------------------------------------------------- */

#define IPSP_DIR_OUT	0
#define IPSP_DIR_IN	1
#define IPSP_DIR_FWD	2

/*
 * RFC 4301 4.4.1.1. A packet without ports (protocol has none, or a later
 * fragment) matches only a selector whose port ranges are 0..65535. ICMP uses
 * the source range for the type and the destination range for the code, as
 * XFRM does.
 */
struct ipsp_selector {
	__u8  source[16];
	__u8  destination[16];
	__u8  source_prefix;		/* bits */
	__u8  destination_prefix;
	__u8  family;			/* 4, 6; 0 = both, then the prefixes are 0 */
	__u8  protocol;			/* 0 = any */
	__u16 source_first, source_last;
	__u16 destination_first, destination_last;
	__u32 ifindex;			/* 0 = any */
	__u32 if_id;			/* 0 = any */
	__u32 mark, mark_mask;
	__u32 reserved;
};

#define IPSP_RULE_OUT		(1u << IPSP_DIR_OUT)
#define IPSP_RULE_IN		(1u << IPSP_DIR_IN)
#define IPSP_RULE_FWD		(1u << IPSP_DIR_FWD)

#define IPSP_RULE_TO_PORT	0
#define IPSP_RULE_BYPASS	1
#define IPSP_RULE_DROP		2

#define IPSP_RULEF_PROTECT	(1u << 0)	/* no clear packet, ever */
#define IPSP_RULEF_UID		(1u << 1)	/* `uid` is looked at */
#define IPSP_RULEF_GID		(1u << 2)
#define IPSP_RULEF_CGROUP	(1u << 3)	/* `cgroup` is looked at, else 0; EOPNOTSUPP: sockets
						 * of this kernel know none
						 */
#define IPSP_RULEF_LABEL	(1u << 4)	/* `label` is looked at, else ""; EOPNOTSUPP: no security
						 * module here labels sockets
						 */
#define IPSP_RULEF_ALL		0x1fu

struct ipsp_rule {
	struct ipsp_selector selector;	/* ifindex and if_id are 0: `device` instead */
	__u8  directions;		/* IPSP_RULE_OUT... */
	__u8  action;			/* IPSP_RULE_TO_PORT... */
	__u16 reserved16;
	__u32 flags;
	__u32 uid, gid;
	__u64 cgroup;			/* version 2, its number: the socket was made in it */
	char  device[16];		/* "" = any; out: leaving by, in and fwd: come by */
	char  compartment[IPSP_NAME_MAX];
	char  label[IPSP_LABEL_MAX];	/* a security context: of the socket that sends, or would
					 * receive; without one: netfilter's SECMARK
					 */
	__u64 hits;			/* out, from RULES_GET */
	__u32 reserved[12];
};

struct ipsp_rules {
	__u64 rules;			/* user pointer to ipsp_rule[count] */
	__u32 count;
	__u32 bad;			/* out: index of the refused rule */
	__u32 confirm;			/* seconds, 0..IPSP_CONFIRM_MAX; 0: it stays */
	__u32 reserved[3];
};

/* ---- counters --------------------------------------------------------------------- */

/*
 * The ledger, in tickets, holds at all times:
 *   captured = classified + released + merged + bypassed + toobig
 *            + dropped + rehired + held + pending
 * A packet dropped before it had a ticket is captured and dropped.
 */
#define IPSP_COUNTERS(X) \
	X(CAPTURED,	"captured") \
	X(CLASSIFIED,	"classified") \
	X(RELEASED,	"released") \
	X(MERGED,	"merged") \
	X(BYPASSED,	"bypassed") \
	X(TOOBIG,	"toobig") \
	X(DROPPED,	"dropped") \
	X(REHIRED,	"rehired") \
	X(HELD,		"held") \
	X(PENDING,	"pending") \
	/* beside the ledger */ \
	X(FAILED_OPEN,	"failed-open") \
	X(CLEAR_PASSED,	"clear-passed") \
	X(CACHE_HIT,	"cache-hit") \
	X(CACHE_MISS,	"cache-miss") \
	X(OUT_PACKETS,	"out-packets") \
	X(OUT_BYTES,	"out-bytes") \
	X(IN_PACKETS,	"in-packets") \
	X(IN_BYTES,	"in-bytes") \
	X(DEALT,	"dealt") \
	X(DEALT_AGAIN,	"dealt-again") \
	X(KICKS,	"kicks") \
	X(WAKEUPS,	"wake-ups") \
	X(STACKS_ATTACHED, "stacks-attached") \
	X(STACKS_DIED,	"stacks-died") \
	X(STACKS_HUNG,	"stacks-hung") \
	X(STACKS_BROKEN, "stacks-broken") \
	X(OBJECTS_MADE,	"objects-made") \
	X(OBJECTS_FREED, "objects-freed") \
	X(VOTED,	"voted") \
	X(MISMATCHES,	"mismatches") \
	X(STACKS_EJECTED, "stacks-ejected")

#define IPSP_COUNTER_ENUM(name, text) IPSP_COUNT_##name,
enum ipsp_counter {
	IPSP_COUNTERS(IPSP_COUNTER_ENUM)
	IPSP_COUNT_COUNT
};
#define IPSP_COUNT_SLOTS 64

struct ipsp_stats {
	char  name[IPSP_NAME_MAX];
	__u64 counter[IPSP_COUNT_SLOTS];	/* by enum ipsp_counter */
	__u64 drop[IPSP_DROP_SLOTS];		/* by enum ipsp_drop */
	__u64 memory;				/* kernel bytes of the compartment now */
	__u64 reserved[7];
};

/* ---- poison ------------------------------------------------------------------------ */

struct ipsp_poison {
	char  name[IPSP_NAME_MAX];	/* in: of the compartment */
	__u64 data;			/* in: user pointer, where the packet goes */
	__u32 size;			/* in: room there */
	__u32 index;			/* in: which, from 0, the oldest */
	/* out */
	__u32 length;			/* bytes of the packet */
	__u16 type;			/* IPSP_REC_* of the ticket */
	__u16 reserved16;
	__u32 stack;			/* index of the one that died last */
	__u32 handle;			/* 0: none, a question */
	__u64 ticket;
	__u64 time;			/* CLOCK_REALTIME */
	__u32 reserved[8];
};

/* ---- control ioctls ----------------------------------------------------------------- */

#define IPSP_MAGIC 0xb7
#define IPSP_CTL_FEATURES	 _IOR(IPSP_MAGIC, 0x00, struct ipsp_features)
#define IPSP_CTL_COMPARTMENT_ADD _IOW(IPSP_MAGIC, 0x01, struct ipsp_compartment)
#define IPSP_CTL_COMPARTMENT_DEL _IOW(IPSP_MAGIC, 0x02, struct ipsp_name)
#define IPSP_CTL_COMPARTMENT_SET _IOW(IPSP_MAGIC, 0x03, struct ipsp_compartment)
#define IPSP_CTL_COMPARTMENT_GET _IOWR(IPSP_MAGIC, 0x04, struct ipsp_compartment)
#define IPSP_CTL_RULES_SET	 _IOWR(IPSP_MAGIC, 0x05, struct ipsp_rules)
#define IPSP_CTL_RULES_GET	 _IOWR(IPSP_MAGIC, 0x06, struct ipsp_rules)
#define IPSP_CTL_STATS		 _IOWR(IPSP_MAGIC, 0x07, struct ipsp_stats)
#define IPSP_CTL_POISON		 _IOWR(IPSP_MAGIC, 0x08, struct ipsp_poison)
#define IPSP_CTL_RELAY_GET	 _IOR(IPSP_MAGIC, 0x09, struct ipsp_relay)
#define IPSP_CTL_DISSENT	 _IOWR(IPSP_MAGIC, 0x0a, struct ipsp_dissent)
#define IPSP_CTL_RULES_CONFIRM	 _IO(IPSP_MAGIC, 0x0b)
#define IPSP_CTL_RELAY_SET	 _IOW(IPSP_MAGIC, 0x0c, struct ipsp_relay)

/* ---- port: roles and layout ------------------------------------------------------------ */

#define IPSP_ROLE_STACK		1
#define IPSP_ROLE_MANAGER	2
#define IPSP_ROLE_ADMIN		3

#define IPSP_ATTACHF_AGAIN	(1u << 0)	/* MANAGER, see 9 */
#define IPSP_ATTACHF_MERGES	(1u << 1)	/* STACK: it merges what is voted on, see 6 */

struct ipsp_attach {
	__u32 role;
	__u32 index;			/* of the stack; else 0 */
	__u32 flags;			/* IPSP_ATTACHF_* */
	__u32 reserved[5];
};

/* Offsets are for mmap(2), sizes what to map there; a ring's size is given once. */
struct ipsp_layout {
	__u64 kernel_words_offset;	/* one page, PROT_READ */
	__u64 stack_words_offset;	/* one page, PROT_READ | PROT_WRITE */
	__u64 down_offset;		/* 2 * down_size, PROT_READ */
	__u64 up_offset;		/* 2 * up_size, PROT_READ | PROT_WRITE */
	__u32 down_size;
	__u32 up_size;
	__u32 page_size;
	__u32 interface;		/* IPSP_INTERFACE */
	__u32 reserved[4];
};

/* See 9. */
struct ipsp_relief {
	__u32 places;			/* 0 or 1 */
	__u32 reserved[7];
};

struct ipsp_retire {
	__u32 index;			/* of the stack */
	__u32 reserved[7];
};

/* See 10. */
struct ipsp_label {
	char  context[IPSP_LABEL_MAX];	/* in; with "" out */
	__u32 label;			/* out; with `context` "" in */
	__u32 reserved[7];
};

#define IPSP_KICK_WAIT		1u	/* sleep until a down record is there */
#define IPSP_KICK_ALL		1u

/* GETMSG and PUTMSG move one whole record; nothing of it is split off. */
struct ipsp_message {
	__u64 record;			/* user pointer */
	__u32 size;			/* in: room or length; out: length */
	__u32 band;			/* GETMSG: least band taken */
	__u32 reserved[4];
};

#define IPSP_TARGET_ALL		(-1)
struct ipsp_control {
	__u64 record;			/* user pointer to a whole control record */
	__u32 size;
	__s32 target;			/* IPSP_TARGET_ALL, or a stack's index */
	__u32 generation;		/* out: the policy generation after it */
	__u32 reserved[3];
};

/* ---- SA handles ----------------------------------------------------------------------------- */

#define IPSP_SA_TRANSPORT	0	/* values of XFRM_MODE_* */
#define IPSP_SA_TUNNEL		1
#define IPSP_SA_BEET		4

#define IPSP_ESP		50	/* values of IPPROTO_* */
#define IPSP_AH			51

#define IPSP_HANDLEF_ESN	(1u << 0)
#define IPSP_HANDLEF_ALL	0x1u

#define IPSP_EXPIRED_SOFT	1
#define IPSP_EXPIRED_HARD	2

/* Reasons that an SA counts apart, each with its packets: reason << 56 | packets */
#define IPSP_HANDLE_DROPS	3
#define IPSP_HANDLE_DROP_SHIFT	56

/*
 * The kernel's view of one SA: no key. ADD: `id` comes back. An inbound handle is
 * found by (destination, protocol, spi), unique in its namespace (EEXIST); ADD of
 * an outbound one whose counter stands above `next` goes on above it.
 *
 * A packet of n bytes becomes at most n + fixed + align + 1 bytes. The largest
 * packet that fits path MTU m is ((m - fixed) & ~(align - 1)) - 2 bytes (AH: not - 2), counted
 * in transport mode and BEET without its own IP header (which `fixed` holds).
 */
struct ipsp_handle {
	__u32 id;			/* ADD: out; SET, DEL, GET: in */
	__u32 flags;			/* IPSP_HANDLEF_* */
	__u8  direction;		/* IPSP_DIR_OUT or IPSP_DIR_IN */
	__u8  family;			/* of the outer addresses: 4 or 6 */
	__u8  protocol;			/* 50, 51 */
	__u8  mode;			/* IPSP_SA_* */
	__be32 spi;
	__u8  source[16];
	__u8  destination[16];
	__be16 encap_source;		/* ports of ESP in UDP, RFC 3948; both 0: none */
	__be16 encap_destination;
	__u16 fixed;			/* IP + ESP + IV + ICV, or IP + AH with its ICV, bytes */
	__u16 align;			/* power of two, 1..256 */
	__u32 reqid;
	__u32 window;			/* inbound: packets; 0 = no replay check */
	__u32 mark, mark_mask;
	__u32 if_id;
	__u32 inner_family;		/* transport: = family; tunnel: 4, 6 or 0 = both; BEET: 4 or 6 */
	__u8  counter[IPSP_COUNTER_LEN];
	__u64 next;			/* ADD: least first number (1); GET: next, or highest seen */
	__u64 ceiling;			/* outbound: last number that may be used; 0 = by ESN flag */
	__u64 soft_bytes, hard_bytes, soft_packets, hard_packets;	/* 0 = none; see 4 */
	/* out, from GET */
	__u64 packets, bytes;
	__u64 dropped, replayed, integrity_failed;
	__u64 used_first, used_last;	/* CLOCK_REALTIME; 0 = never */
	__u8  peer[16];			/* inbound, ESP in UDP: where authentic packets came from */
	__be16 peer_port;
	__u16 expired;			/* out: IPSP_EXPIRED_* that were told */
	/* in */
	__u32 label;			/* 0 = none; see 10 */
	__u64 until;			/* CLOCK_BOOTTIME; no packet from then on; 0 = for ever */
	/* out: of `dropped`, by the first reasons that came; REPLAY and INTEGRITY stand above */
	__u64 drops[IPSP_HANDLE_DROPS];
	__u64 reserved[1];
};

/* ---- port ioctls ---------------------------------------------------------------------------------- */

#define IPSP_IOC_ATTACH		_IOW(IPSP_MAGIC, 0x20, struct ipsp_attach)
#define IPSP_IOC_LAYOUT		_IOR(IPSP_MAGIC, 0x21, struct ipsp_layout)
#define IPSP_IOC_KICK		_IO(IPSP_MAGIC, 0x22)
#define IPSP_IOC_GETMSG		_IOWR(IPSP_MAGIC, 0x23, struct ipsp_message)
#define IPSP_IOC_PUTMSG		_IOW(IPSP_MAGIC, 0x24, struct ipsp_message)
#define IPSP_IOC_CONTROL	_IOWR(IPSP_MAGIC, 0x25, struct ipsp_control)
#define IPSP_IOC_HANDLE_ADD	_IOWR(IPSP_MAGIC, 0x26, struct ipsp_handle)
#define IPSP_IOC_HANDLE_SET	_IOW(IPSP_MAGIC, 0x27, struct ipsp_handle)
#define IPSP_IOC_HANDLE_DEL	_IOW(IPSP_MAGIC, 0x28, struct ipsp_handle)
#define IPSP_IOC_HANDLE_GET	_IOWR(IPSP_MAGIC, 0x29, struct ipsp_handle)
#define IPSP_IOC_HASH_KEY	_IOR(IPSP_MAGIC, 0x2a, __u8[IPSP_HASH_KEY_LEN])
#define IPSP_IOC_STORE		_IOW(IPSP_MAGIC, 0x2b, __s32)
#define IPSP_IOC_TAKE		_IO(IPSP_MAGIC, 0x2c)
#define IPSP_IOC_RELIEF		_IOW(IPSP_MAGIC, 0x2d, struct ipsp_relief)
#define IPSP_IOC_RETIRE		_IOW(IPSP_MAGIC, 0x2e, struct ipsp_retire)
#define IPSP_IOC_LABEL		_IOWR(IPSP_MAGIC, 0x2f, struct ipsp_label)

/* ---- records ------------------------------------------------------------------------------------------- */

/* tickets, down */
#define IPSP_REC_CLASSIFY	1
#define IPSP_REC_PROTECT	2
#define IPSP_REC_UNPROTECT	3
/* control, down */
#define IPSP_REC_FLUSH		16
#define IPSP_REC_SA_ADD		17
#define IPSP_REC_SA_UPDATE	18
#define IPSP_REC_SA_DELETE	19
#define IPSP_REC_POLICY		20
#define IPSP_REC_RELEASE	21
#define IPSP_REC_REFUSE		22
#define IPSP_REC_TIME		23
#define IPSP_REC_CONFIG		24
#define IPSP_REC_SNAPSHOT_BEGIN	25
#define IPSP_REC_SNAPSHOT_END	26
/* up */
#define IPSP_REC_ANSWER		32
#define IPSP_REC_ACQUIRE	33
#define IPSP_REC_NOTE		34
/* manager and admin */
#define IPSP_REC_EVENT		48
#define IPSP_REC_ADMIN_REQUEST	49
#define IPSP_REC_ADMIN_REPLY	50

#define IPSP_RECF_SECRET	(1u << 0)	/* zeroed when released */
#define IPSP_RECF_NOMERGE	(1u << 1)	/* unprotect: do not merge across it */
#define IPSP_RECF_AGAIN		(1u << 2)	/* never set on the wire of a stack: see deal */
#define IPSP_RECF_BEGIN		(1u << 3)	/* unprotect: not in one run with what is before */
#define IPSP_RECF_ALL		0xfu

#define IPSP_BAND_PACKET	0
#define IPSP_BAND_CONTROL	1
#define IPSP_BAND_URGENT	2

struct ipsp_record {
	__u32 len;			/* whole, a multiple of IPSP_ALIGN */
	__u16 type;			/* IPSP_REC_* */
	__u16 flags;			/* IPSP_RECF_* */
	__u32 control_len;		/* the control part starts at 64 */
	__u32 data_offset;		/* from the record's start, a multiple of 64 */
	__u32 data_len;
	__u32 generation;		/* of the policy, at this point of the order */
	__u64 ticket;			/* packets and answers */
	__u8  band;
	__u8  reserved8[3];
	__u32 reserved[7];
};

/* As struct virtio_net_hdr: same members, same values, host order. */
#define IPSP_OFFLOAD_NEEDS_CSUM	1
#define IPSP_OFFLOAD_DATA_VALID	2
#define IPSP_GSO_NONE		0
#define IPSP_GSO_TCPV4		1
#define IPSP_GSO_TCPV6		4
#define IPSP_GSO_UDP_L4		5
#define IPSP_GSO_ECN		0x80
struct ipsp_offload {
	__u8  flags;
	__u8  gso_type;
	__u16 header_len;		/* IP and TCP or UDP headers; 0 = find out */
	__u16 gso_size;			/* payload bytes of one segment */
	__u16 csum_start;		/* from the IP header */
	__u16 csum_offset;
	__u16 reserved;
};

/* The numbers a ticket may use with one SA: first, first + 1, ... count of them. */
struct ipsp_stamp {
	__u32 handle;
	__u32 count;			/* unprotect: 1 */
	__u64 first;			/* 64 bits; without ESN below 2^32. unprotect: inferred */
};

#define IPSP_PKT_LOCAL		(1u << 0)	/* made by this host */
#define IPSP_PKT_IGNORE_DF	(1u << 1)	/* the sender does not insist on DF: see 3 */
#define IPSP_PKT_FRAGMENT	(1u << 2)	/* is a fragment: no ports beyond the first */

struct ipsp_packet {
	struct ipsp_offload offload;
	__u8  family;			/* 4 or 6, of the packet in the data part */
	__u8  direction;		/* IPSP_DIR_* */
	__u16 flags;			/* IPSP_PKT_* */
	__u32 length;			/* of the whole packet */
	__u32 mtu;			/* protect: largest that fits; see 3 */
	__u32 ifindex;
	__u32 if_id;
	__u32 mark;
	__u32 label;			/* 0 = none; see 10 */
	/*
	 * protect: the first alone. unprotect: the SA that is to open it, and behind it, count
	 * and first 0, those that the packet came out of before, the last one first: innermost
	 * first; handle 0 ends it. With one of them the record bears NOMERGE.
	 */
	struct ipsp_stamp stamp[IPSP_STAMPS];
	__u32 reserved[6];
};

#define IPSP_VERDICT_CLASSIFY	 1
#define IPSP_VERDICT_TRANSFORMED 2
#define IPSP_VERDICT_MERGED	 3
#define IPSP_VERDICT_BYPASS	 4
#define IPSP_VERDICT_DROP	 5
#define IPSP_VERDICT_HOLD	 6
#define IPSP_VERDICT_TOOBIG	 7

struct ipsp_answer {
	__u16 verdict;
	__u16 reason;			/* DROP */
	__u32 segments;			/* TRANSFORMED */
	__u32 segment_len;
	__u32 mtu;			/* TOOBIG */
	struct ipsp_offload offload;	/* TRANSFORMED, unprotect */
	__u32 acquire;			/* HOLD */
	__u32 handle[IPSP_STAMPS];	/* CLASSIFY, innermost first */
	__u32 handles;
	__u32 reserved[3];
};

struct ipsp_acquire {
	__u32 acquire;			/* the id the policy gave */
	__u32 policy;			/* its index */
	struct ipsp_selector selector;	/* host-length, of the packet that asked */
	__u32 label;
	__u32 reserved[5];
};

struct ipsp_note {
	__u32 handle;
	__u16 reason;			/* IPSP_DROP_* */
	__u16 reserved16;
	__u64 count;
	__u32 reserved[4];
};

/* ---- dissent ------------------------------------------------------------------------ */

struct ipsp_dissent_answer {
	__u32 voters;			/* who said so, a bit for each index */
	__u32 data_len;
	struct ipsp_answer answer;
};

struct ipsp_dissent {
	char  name[IPSP_NAME_MAX];	/* in: of the compartment */
	__u64 data;			/* in: user pointer, where packet and answers go */
	__u32 size;			/* in: room there */
	__u32 index;			/* in: which, from 0, the oldest */
	/* out */
	__u32 length;			/* bytes of the packet and each answer's data */
	__u32 packet_len;
	__u16 type;			/* IPSP_REC_* of the ticket */
	__u16 answers;			/* so many of `answer` */
	__u32 stack;			/* index of who was outvoted, ~0: none won */
	__u32 handle;			/* 0: none, a question */
	__u32 elected;			/* 1: answer[0] is the one that won */
	__u64 ticket;
	__u64 time;			/* CLOCK_REALTIME */
	struct ipsp_dissent_answer answer[IPSP_DISSENT_ANSWERS];
	__u32 reserved[8];
};

/* ---- control records -------------------------------------------------------------------------------- */

#define IPSP_KEY_MAX	72
struct ipsp_algorithm {
	char  name[64];			/* XFRM's: "rfc4106(gcm(aes))"; "" = none */
	__u32 key_bits;			/* salt included */
	__u32 icv_bits;
	__u8  key[IPSP_KEY_MAX];
};

#define IPSP_SAF_ESN		(1u << 0)
#define IPSP_SAF_NOECN		(1u << 1)	/* values of XFRM_STATE_*: own numbering */
#define IPSP_SAF_DECAP_DSCP	(1u << 2)
#define IPSP_SAF_DONT_ENCAP_DSCP (1u << 3)
#define IPSP_SAF_NOPMTUDISC	(1u << 4)
#define IPSP_SAF_AF_UNSPEC	(1u << 5)	/* tunnel: both inner families */
#define IPSP_SAF_ALIGN4		(1u << 6)	/* AH, IPv4: the ICV is padded to 4 bytes, not 8 */
#define IPSP_SAF_ALL		0x7fu

struct ipsp_sa {
	__u32 handle;
	__u32 flags;			/* IPSP_SAF_* */
	__u8  direction;
	__u8  family;			/* of the outer addresses */
	__u8  protocol;
	__u8  mode;			/* IPSP_SA_* */
	__be32 spi;
	__u8  source[16];
	__u8  destination[16];
	__u32 reqid;
	__u32 tfc_pad;			/* pad to so many bytes; 0 = none */
	__be16 encap_source, encap_destination;
	__u32 mark, mark_mask, if_id;
	struct ipsp_selector selector;
	struct ipsp_algorithm aead, cipher, auth;
	__u32 label;			/* 0 = none; see 10 */
	__u32 reserved[7];
};

#define IPSP_POLICY_DROP	0
#define IPSP_POLICY_BYPASS	1
#define IPSP_POLICY_APPLY	2

/* What the kernel keeps of a policy: the protect list's entry. */
struct ipsp_protect {
	struct ipsp_selector selector;
	__u8  direction;		/* IPSP_DIR_* */
	__u8  clear;			/* 1: may pass in clear; 0: must not */
	__u16 reserved16;
	__u32 priority;			/* lower first; equal: older first */
	__u32 index;			/* the policy's, unique in the compartment */
	__u32 label;			/* 0 = any; see 10 */
};

struct ipsp_template {
	__u8  source[16];
	__u8  destination[16];
	__be32 spi;			/* 0 = any */
	__u32 reqid;			/* 0 = any */
	__u8  family;			/* of the outer addresses */
	__u8  protocol;
	__u8  mode;
	__u8  optional;			/* level use */
	__u32 reserved;
};

struct ipsp_policy_entry {
	struct ipsp_protect protect;	/* clear = (action == BYPASS) */
	__u8  action;			/* IPSP_POLICY_* */
	__u8  templates;		/* 0..IPSP_STAMPS, innermost first */
	__u16 reserved16;
	__u32 acquire;			/* id for ACQUIRE; 0 = none */
	struct ipsp_template template_[IPSP_STAMPS];
	__u32 reserved[2];
};

#define IPSP_POLICY_REPLACE	0	/* the entries are the whole list */
#define IPSP_POLICY_ADD		1	/* or replace the one of the same index */
#define IPSP_POLICY_DELETE	2	/* by index */

struct ipsp_policy {
	__u32 operation;		/* IPSP_POLICY_REPLACE... */
	__u32 count;			/* entries in the data part */
	__u32 generation;		/* set by the kernel: valid from here on */
	__u32 reserved[5];
};

struct ipsp_acquired {
	__u32 acquire;			/* not 0 */
	__u32 reserved[7];
};

struct ipsp_time {
	__u64 monotonic;
	__u64 realtime;
	__u32 reserved[4];
};

#define IPSP_CONFIGF_DEFAULT_DROP (1u << 0)	/* a flow without policy: drop, not bypass */
struct ipsp_config {
	__u32 flags;			/* IPSP_CONFIGF_* */
	__u32 engine[4];		/* preference; IPSP_ENGINE_*, 0 ends it */
	__u32 sas_max, policies_max;
	__u32 reserved[9];
};
#define IPSP_ENGINE_OPENSSL	1
#define IPSP_ENGINE_IPSECMB	2
#define IPSP_ENGINE_SODIUM	3

struct ipsp_snapshot {
	__u32 sas, policies;		/* BEGIN: how many follow */
	__u32 generation;		/* END: set by the kernel */
	__u32 reserved[5];
};

/* ---- manager and admin --------------------------------------------------------------------------------- */

#define IPSP_EVENT_STACK_ATTACHED	1	/* awaits its snapshot */
#define IPSP_EVENT_STACK_READY		2	/* got SNAPSHOT_END: packets follow */
#define IPSP_EVENT_STACK_DIED		3	/* `cause` 0 */
#define IPSP_EVENT_STACK_HUNG		4
#define IPSP_EVENT_STACK_BROKEN		5	/* `cause` IPSP_BROKEN_* */
#define IPSP_EVENT_POISON		6	/* `count` is the ticket */
#define IPSP_EVENT_EXPIRE		7	/* `handle`, `cause` IPSP_EXPIRED_* */
#define IPSP_EVENT_MISMATCH		8	/* outvoted: `stack`, ~0: no answer won; `count` is
						 * the ticket
						 */
#define IPSP_EVENT_CEILING		9	/* `handle` nears its ceiling */
#define IPSP_EVENT_LOST			10	/* `count` events did not fit */
#define IPSP_EVENT_MAPPING		11	/* `handle`'s peer has another address or port */
#define IPSP_EVENT_DEGRADED		12	/* `count` stacks vote, fewer than `quorum` */

#define IPSP_BROKENS(X) \
	X(INDEX,	"index")	/* a ring index jumped */ \
	X(RECORD,	"record")	/* a record's lengths, flags or type */ \
	X(TICKET,	"ticket")	/* never dealt, or answered twice */ \
	X(VERDICT,	"verdict")	/* not one that this ticket takes */ \
	X(HANDLE,	"handle")	/* foreign or dead handle */ \
	X(HEADER,	"header")	/* an IP or ESP header other than stamped */ \
	X(NUMBER,	"number")	/* a number other than stamped */ \
	X(LENGTH,	"length")	/* longer than the bound */ \
	X(INNER,	"inner")	/* an inner packet outside the rules */ \
	X(MTU,		"mtu")		/* TOOBIG outside its range */ \
	X(DEADLINE,	"deadline") \
	X(ROOM,		"room")		/* no room for control records for a deadline */ \
	X(NOT_SERVED,	"not-served") \
	X(OUTVOTED,	"outvoted")	/* see 6 */
#define IPSP_BROKEN_ENUM(name, text) IPSP_BROKEN_##name,
enum ipsp_broken {
	IPSP_BROKEN_NONE,
	IPSP_BROKENS(IPSP_BROKEN_ENUM)
	IPSP_BROKEN_COUNT
};

struct ipsp_event {
	__u32 event;			/* IPSP_EVENT_* */
	__u32 cause;
	__u32 stack;			/* index */
	__s32 pid;			/* of the stack, as its manager sees it; 0: it cannot */
	__u32 handle;
	__u32 reserved32;
	__u64 count;			/* pending tickets, or lost events */
	__u64 time;			/* CLOCK_REALTIME */
	__u32 reserved[6];
};

#define IPSP_ADMINF_JSON	(1u << 0)
#define IPSP_ADMINF_KEYS	(1u << 1)
#define IPSP_ADMINF_ALL		0x3u

struct ipsp_admin {
	__u64 id;			/* set by the kernel; the reply bears it */
	__u32 uid, gid;			/* set by the kernel: who asks */
	__s32 pid;
	__s32 status;			/* reply: exit status */
	__u32 flags;			/* IPSP_ADMINF_* */
	__u32 start;			/* request: entries of a list to leave out; reply: where
					 * the list goes on that this much did not hold, or 0 */
	__u32 reserved[6];
};

/* ---- the relay ------------------------------------------------------------------------------------------ */

#define IPSP_XFRM_NAME		"xfrm"	/* the device's */
#define IPSP_XFRM_MAX		(64u << 10)	/* bytes behind a struct ipsp_xfrm */
#define IPSP_XFRM_SENDER_MAX	64	/* requests of one socket that are out */

#define IPSP_RELAYF_ON		(1u << 0)
#define IPSP_RELAYF_AGENT	(1u << 1)	/* out: there is one */
#define IPSP_RELAYF_ALL		(1u << 2)	/* every namespace, present and to come */

struct ipsp_relay {
	__u32 flags;			/* IPSP_RELAYF_* */
	__u32 waiting;			/* out: requests and dumps without an answer */
	__u64 requests;			/* out: that came in */
	__u64 refused;			/* out: of those, answered by the relay itself */
	__u32 reserved[10];
};

#define IPSP_XFRM_REQUEST	1
#define IPSP_XFRM_DUMP		2
#define IPSP_XFRM_ANSWER	3
#define IPSP_XFRM_PART		4
#define IPSP_XFRM_MULTICAST	5

#define IPSP_XFRMF_DONE		(1u << 0)
#define IPSP_XFRMF_MORE		(1u << 1)

struct ipsp_xfrm {
	__u32 len;			/* of the whole, this header included */
	__u32 type;			/* IPSP_XFRM_* */
	__u64 id;			/* of the request or dump; 0: MULTICAST */
	__u64 cursor[2];		/* DUMP, PART: the agent's, opaque */
	__u32 portid;			/* REQUEST, DUMP: who asks */
	__u32 flags;			/* IPSP_XFRMF_* */
	__u32 room;			/* DUMP */
	__u32 group;			/* MULTICAST */
	__s32 error;			/* PART */
	__u32 reserved[3];
};

#endif
