/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keyd.h - ipsec-port-keyd: speaks XFRM netlink with IKE daemons and `ip xfrm`, and fills the databases
 * of compartments by the words of their managers
 *
 *   main         options, privileges, the loop
 *   relay        messages of /dev/ipsec-port/xfrm
 *   request      one request: its attributes, the table of handlers, its acknowledgement
 *   hand         the request in hand, kept for who comes after us
 *   store        what XFRM knows and the compartment does not, in a file of /run: survives us
 *   ages         its entries by age
 *   sa           NEWSA ... FLUSHSA, ALLOCSPI, EXPIRE
 *   sa_message   an SA as netlink tells it
 *   sa_words     an SA as the manager is told it
 *   policy, policy_message, policy_words    the same of policies
 *   migrate      MIGRATE
 *   aevent       NEWAE, GETAE
 *   info         counts of both databases
 *   removal      what goes, at once or when its manager takes it away
 *   lifetime     what expires by time, bytes, packets
 *   label        security contexts
 *   mapping      what comes from behind a NAT that gave it another name
 *   acquire      what a policy needs an SA for: ACQUIRE
 *   acquire_request    ACQUIRE from outside
 *   compartments the list of those that are served
 *   place        in which of them an SA or a policy lies
 *   compartment  requests to a manager
 *   opener       opens ports for the unprivileged part
 *   jail         the system calls that are left to it
 *
 * Handlers return 0 or a negative errno, as the kernel's; what fails changed nothing.
 */
#ifndef KEYD_KEYD_H
#define KEYD_KEYD_H

#include <linux/ipsec.h>
#include <linux/xfrm.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipsec_port.h"

#define KEYD_SA_DIR	33		/* XFRMA_SA_DIR of newer kernels */
#define KEYD_SA_IN	1
#define KEYD_SA_OUT	2
#define KEYD_ENCAP_ESPINTCP 7		/* TCP_ENCAP_ESPINTCP of the kernel's own header */
#define KEYD_ATTR_MAX	KEYD_SA_DIR
#define KEYD_BYTES_MAX	640		/* of an algorithm or an ESN window, name included */
#define KEYD_TEXT_MAX	256
#define KEYD_COMPARTMENTS_MAX 64
#define KEYD_PLACES_MAX	1024
#define SA_LARVAL_SECONDS 30		/* as net.core.xfrm_acq_expires */
#ifndef XFRM_MAX_DEPTH
#define XFRM_MAX_DEPTH	6		/* the kernel's own header has it */
#endif

/* ---- the store ---------------------------------------------------------------------- */

/*
 * LEAVING: its manager is asked to take it away, and may refuse. ENDING: it goes, and is there only until its manager has
 * taken it away.
 */
enum sa_state { SA_NONE, SA_LARVAL, SA_CHANGING, SA_VALID, SA_LEAVING, SA_ENDING };

struct keyd_bytes {
	__u32 size;			/* 0: not given */
	__u8 at[KEYD_BYTES_MAX];
};

struct keyd_label {
	__u32 len;			/* as it was given, with its NUL or without; 0: none */
	char context[IPSP_LABEL_MAX];
};

/* Entries begin zeroed; `state` is written last and cleared first: a torn one is none. */
struct keyd_sa {
	__u32 state;			/* SA_* */
	__u32 soft_told;		/* the soft expiry was told */
	uint64_t id;			/* its age: later ones are greater */
	char compartment[IPSP_NAME_MAX];	/* where it lies; a larval one lies nowhere */
	struct xfrm_usersa_info info;	/* curlft: as last read */
	struct xfrm_lifetime_cur before;	/* what a predecessor of the same SA had counted */
	struct xfrm_mark mark, set_mark;
	struct xfrm_encap_tmpl encap;
	xfrm_address_t coaddr;
	struct keyd_bytes aead, auth, cipher, esn;
	struct xfrm_replay_state replay;
	uint64_t last_used;
	__u32 has_encap, has_coaddr;
	__u32 if_id, extra_flags, tfc_pad, mapping_maxage;
	__u32 replay_maxage, replay_maxdiff;
	__u32 direction;		/* XFRMA_SA_DIR, 0: not given */
	struct keyd_label label;
	__be16 peer_port, told_port;	/* ESP in UDP, inbound: where it comes from, ... */
	xfrm_address_t peer, told_peer;	/* ... and where the last MAPPING said so */
	uint64_t mapping_time;		/* of that one */
};

struct keyd_policy {
	__u32 state;			/* as an SA's; never larval */
	__u32 soft_told;		/* seconds, when the soft expiry was told last */
	uint64_t id;
	char compartment[IPSP_NAME_MAX];	/* where it lies */
	struct xfrm_userpolicy_info info;
	struct xfrm_mark mark;
	__u32 if_id, templates;
	struct keyd_label label;
	struct xfrm_user_tmpl template_[XFRM_MAX_DEPTH];
};

/* See hand.c. On a page of its own, so that a head is written whole or not at all. */
struct keyd_hand {
	_Alignas(4096) char bytes[sizeof(struct ipsp_xfrm) + IPSP_XFRM_MAX];
	__u32 is_decided, is_over, tries;
	int32_t err;			/* what it is answered with, once decided */
};

struct keyd_store {
	uint64_t magic;
	uint64_t netns;			/* its cookie: of this boot, and of no other namespace */
	uint64_t next_id;
	__u32 sas_max, policies_max;
	__u32 sas, policies;		/* in use: those beyond are zero */
	__u32 index_generator;
	__u32 next_seq;
	struct xfrmu_spdhthresh threshold[2];	/* IPv4, IPv6 */
	struct xfrm_userpolicy_default default_;
	struct keyd_hand hand;
	/* keyd_sa[sas_max], keyd_policy[policies_max] */
};

struct keyd_compartment {
	char name[IPSP_NAME_MAX];
	int port;			/* its port, role admin; -1: not open */
	int acquire;			/* the same, with a request that waits; -1: not open */
	int64_t acquire_retry;		/* seconds, when to try again */
	int64_t silent_until;		/* the same: its manager did not reply */
	bool has_gone;			/* as it was asked last: there is no such compartment */
	int removal_err;		/* how its manager took it, in that pass; */
	uint64_t removal_pass;
	int64_t removal_at;		/* seconds, when what waits is tried again */
};

/* A line of the file of places: each condition that is given must be met. */
struct keyd_place {
	__u8 family;			/* of the prefixes: 4 or 6; 0: any */
	__u8 from[16], to[16], from_bits, to_bits;
	__u8 proto;			/* 0: any */
	__u8 has_if_id, has_reqid;
	__u32 mark, mask;
	__u32 if_id, reqid;
	char label[IPSP_LABEL_MAX];	/* "": any */
	char compartment[IPSP_NAME_MAX];
};

enum keys { KEYS_HIDDEN, KEYS_TOLD };	/* hidden: as many zeros */

struct keyd {
	int relay;			/* /dev/ipsec-port/xfrm */
	int opener;			/* who opens ports */
	struct keyd_compartment compartment[KEYD_COMPARTMENTS_MAX];	/* the first is the default one */
	struct keyd_place place[KEYD_PLACES_MAX];
	__u32 compartments, places;
	struct keyd_store *store;
	int store_fd;			/* its lock: no other agent has it while one of ours is there */
	uint64_t removal_pass;		/* of what is taken away together */
	bool labels;			/* a security module here labels sockets */
	enum keys events;		/* what multicasts tell of keys */
	bool over;
};

/* ---- requests ----------------------------------------------------------------------- */

struct request {
	struct keyd *k;
	struct ipsp_xfrm *from;		/* as it came */
	struct nlmsghdr *head;
	void *body;			/* its fixed part */
	struct nlattr *attr[KEYD_ATTR_MAX + 1];
	char text[KEYD_TEXT_MAX];	/* what was wrong, for the extended error */
};

/* err, with its text */
int request_fail(struct request *r, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
uint32_t request_u32(const struct request *r, int type, uint32_t otherwise);
void request_mark(const struct request *r, struct xfrm_mark *mark);
void request_serve(struct keyd *k, struct ipsp_xfrm *x);

/* hand.c */
struct ipsp_xfrm *hand_message(struct keyd *k);
void hand_decide(struct keyd *k, int err);	/* in front of what cannot be taken back; the first one counts */
void hand_over(struct keyd *k);			/* it was answered */
void hand_recover(struct keyd *k);		/* after the databases */
bool hand_is_whole(struct keyd *k);			/* a predecessor had one */
bool hand_added(struct keyd *k, const struct keyd_sa *sa);	/* what was decided is that it is there */
bool hand_put(struct keyd *k, const struct keyd_policy *p);
bool hand_migrates(struct keyd *k);

/* relay.c */
int relay_open(void);				/* descriptor or -errno */
void relay_readable(struct keyd *k);
void relay_answer(struct request *r, struct nl_msg *m, __u32 flags);	/* m: freed, may be NULL */
void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m);	/* m: freed */
void relay_part(struct request *r, const void *data, size_t size, __u32 flags,
		const uint64_t cursor[2], int error);

/* store.c */
int store_open(struct keyd *k, const char *path);	/* 0, or -errno; EBUSY: it is another agent's */
void store_close(struct keyd *k);			/* for this process */
struct keyd_sa *store_sas(struct keyd *k);
struct keyd_policy *store_policies(struct keyd *k);
struct keyd_sa *store_new_sa(struct keyd *k);		/* NULL: full */
struct keyd_policy *store_new_policy(struct keyd *k);
void store_free_sa(struct keyd *k, struct keyd_sa *sa);
void store_free_policy(struct keyd *k, struct keyd_policy *p);
/*
 * Once its SPI, its reqid, its limits and that it is ENDING are written; the next one of that SPI behind `after` (NULL: the
 * first).
 */
void store_named(struct keyd *k, const struct keyd_sa *sa);
struct keyd_sa *store_find_spi(struct keyd *k, __be32 spi, const struct keyd_sa *after);
struct keyd_sa *store_find_reqid(struct keyd *k, __u32 reqid, const struct keyd_sa *after);	/* 0: all */
struct keyd_sa *store_find_larval(struct keyd *k, const struct keyd_sa *after);
struct keyd_sa *store_find_watched(struct keyd *k, const struct keyd_sa *after);	/* and some that need not be */
struct keyd_policy *store_find_watched_policy(struct keyd *k, const struct keyd_policy *after);
/* Once its selector, its index, its limits and that it is ENDING are written; the next one that may be it. */
void store_named_policy(struct keyd *k, const struct keyd_policy *p);
__u32 store_sum(const struct xfrm_selector *s);
struct keyd_policy *store_find_selector(struct keyd *k, __u32 sum, const struct keyd_policy *after);
struct keyd_policy *store_find_index(struct keyd *k, __u32 index, const struct keyd_policy *after);
/* The youngest one that is older than `below` (0: the youngest of all), NULL: none. */
struct keyd_sa *store_next_sa(struct keyd *k, uint64_t below);
struct keyd_policy *store_next_policy(struct keyd *k, uint64_t below);

/* sa.c */
int sa_new(struct request *r);
int sa_delete(struct request *r);
int sa_get(struct request *r);
int sa_flush(struct request *r);
int sa_alloc_spi(struct request *r);
int sa_expire(struct request *r);
int sa_dump(struct request *r);
struct keyd_sa *sa_find(struct keyd *k, const struct xfrm_mark *mark, const xfrm_address_t *daddr,
			__be32 spi, __u8 proto, __u16 family);
void sa_told_expired(struct keyd *k, struct keyd_sa *sa, bool hard, __u32 portid);
void sa_recover(struct keyd *k);
bool address_equal(const xfrm_address_t *a, const xfrm_address_t *b, __u16 family);

/* The larval one that stands for an exchange about such a state, and has no SPI yet. */
struct keyd_sa *sa_find_asked(struct keyd *k, const struct xfrm_usersa_info *like, const struct xfrm_mark *mark,
			      int64_t if_id, const struct keyd_label *label);		/* below 0: of any */

/* sa_verify.c */
int sa_verify(struct request *r, const struct xfrm_usersa_info *info);
int sa_verify_context(struct request *r);		/* of a policy's, too */

/* sa_message.c; usage is read from the compartment before */
struct nl_msg *sa_message(struct keyd_sa *sa, __u16 type, __u32 portid, __u32 seq, int flags,
			  enum keys keys);
struct nl_msg *sa_message_expire(struct keyd_sa *sa, bool hard, __u32 portid);
struct nl_msg *sa_message_mapping(const struct keyd_sa *sa);	/* to `peer` */
struct nl_msg *sa_message_ae(struct keyd_sa *sa, __u32 flags, __u32 portid, __u32 seq);
int sa_message_mark(struct nl_msg *m, const struct xfrm_mark *mark);
__u32 sa_window_size(const struct keyd_sa *sa);

/* sa_words.c, policy_words.c: the manager's errno; text in r, where r is given */
int sa_words_add(struct keyd *k, const struct keyd_sa *sa, struct request *r);
int sa_words_delete(struct keyd *k, const struct keyd_sa *sa);
bool sa_words_is_there(struct keyd *k, const struct keyd_sa *sa);
int sa_words_update(struct keyd *k, const struct keyd_sa *sa, struct request *r);	/* its counts begin anew */
int sa_words_usage(struct keyd *k, struct keyd_sa *sa);	/* into info, replay, last_used, peer */
int policy_words_set(struct keyd *k, const struct keyd_policy *p, struct request *r);
int policy_words_delete(struct keyd *k, const struct keyd_policy *p);

/* policy.c */
int policy_new(struct request *r);
int policy_get(struct request *r);			/* and DELPOLICY */
int policy_flush(struct request *r);
int policy_expire(struct request *r);
int policy_dump(struct request *r);
int policy_default_get(struct request *r);
int policy_default_set(struct request *r);
void policy_recover(struct keyd *k);
void policy_told_expired(struct keyd *k, const struct keyd_policy *p, bool hard, __u32 portid);
struct keyd_policy *policy_of_selector(const struct request *r, __u8 dir, const struct xfrm_selector *selector);
void policy_take(struct keyd_policy *p, const struct request *r, const struct xfrm_userpolicy_info *info);
/* policy_verify.c */
int policy_verify(struct request *r, const struct xfrm_userpolicy_info *info);
int policy_verify_type(struct request *r);
bool policy_is_sub(const struct request *r);
/* policy_message.c */
/* Asks for the use of the SAs that serve p; messages tell what was known last. */
void policy_read_use(struct keyd *k, const struct keyd_policy *p);
__u64 policy_use_time(struct keyd *k, const struct keyd_policy *p);	/* as was known last; 0: never */
struct nl_msg *policy_message_deleted(struct keyd *k, const struct keyd_policy *p, bool by_index, __u32 portid, __u32 seq);
void policy_message_attributes(struct nl_msg *m, const struct keyd_policy *p);	/* templates, type, mark, if_id */
struct nl_msg *policy_message(struct keyd *k, const struct keyd_policy *p, __u16 type, __u32 portid,
			      __u32 seq, int flags);

/* acquire.c */
void acquire_open(struct keyd *k, struct keyd_compartment *c);	/* if it is not, and it is time */
void acquire_readable(struct keyd *k, struct keyd_compartment *c);
void acquire_lost(struct keyd *k, struct keyd_compartment *c);
/* For the daemons: id, address, selector, algorithms and number of `about`, all else of p; or NULL. */
struct nl_msg *acquire_message(const struct keyd_policy *p, const struct xfrm_user_acquire *about);
/* One thing that the manager of c needs an SA for. */
void acquire_line(struct keyd *k, const struct keyd_compartment *c, const char *line);

/* acquire_request.c */
int acquire_request(struct request *r);

/* migrate.c, aevent.c, info.c */
int migrate_new(struct request *r);
int aevent_new(struct request *r);
int aevent_get(struct request *r);
int info_sad(struct request *r);
int info_spd(struct request *r);
int info_spd_set(struct request *r);

/* removal.c */
/* Of a request: 0, decided and free; or refused with r's text, and it is as it was. */
int removal_sa(struct request *r, struct keyd_sa *sa);
int removal_policy(struct request *r, struct keyd_policy *p);
/* Not to be refused: 0, and free; or ENDING, and why. */
int removal_sa_promised(struct keyd *k, struct keyd_sa *sa);
int removal_policy_promised(struct keyd *k, struct keyd_policy *p);
/* Of several: a manager that refused one is not asked about the others. */
void removal_begin(struct keyd *k);
int removal_sa_in_pass(struct keyd *k, struct keyd_sa *sa);
int removal_policy_in_pass(struct keyd *k, struct keyd_policy *p);
int removal_fail(struct request *r, const char *compartment, int err);	/* err, with r's text */
int removal_fail_flush(struct request *r, int err);
bool removal_waits(struct keyd *k);		/* something is ENDING */
void removal_run(struct keyd *k);

/* lifetime.c */
bool lifetime_is_limited(const struct xfrm_lifetime_cfg *l);
bool lifetime_is_timed(const struct xfrm_lifetime_cfg *l);	/* in seconds */
int lifetime_timeout(const struct keyd *k);		/* ms; -1: nothing runs */
void lifetime_run(struct keyd *k);
/* A manager tells that one has met a limit, and what it had counted then; it may be gone there already. */
void lifetime_met(struct keyd *k, const struct keyd_compartment *c, const char *destination, __be32 spi,
		  const struct xfrm_lifetime_cur *counted);

/* mapping.c */
void mapping_begin(struct keyd_sa *sa);		/* an SA that comes from where its address and ports say */
bool mapping_is_watched(const struct keyd_sa *sa);
void mapping_check(struct keyd *k, struct keyd_sa *sa);	/* after its use is read */

/* compartment.c */
#define COMPARTMENT_WORDS 128	/* a policy of four templates has 80 */
struct compartment_words {
	const char *word[COMPARTMENT_WORDS];
	int count;
	size_t used;
	char room[4096];
};
void compartment_word(struct compartment_words *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The manager of that name: 0 or -errno; its reply's text, in a buffer of this function's, to *text (may be NULL).
 * Wipes w.
 */
int compartment_ask(struct keyd *k, const char *name, struct compartment_words *w, __u32 flags,
		    const char **text);

/* compartments.c */
struct keyd_compartment *compartments_add(struct keyd *k, const char *name);	/* once; NULL: full */
struct keyd_compartment *compartments_find(struct keyd *k, const char *name);	/* NULL: none */

/* place.c */
struct words;
int place_parse(struct words *w, struct keyd_place *p);
int place_read(struct keyd *k, const char *path);	/* 0, or -1 after it said why not */
/* The compartment of the first place whose conditions it meets, or the default one. */
const char *place_of_sa(const struct keyd *k, const struct keyd_sa *sa);
const char *place_of_policy(const struct keyd *k, const struct keyd_policy *p);

/* label.c */
bool label_is_served(void);			/* before the jail closes */
int label_verify(struct request *r);		/* 0, or -EINVAL as the kernel's */
void label_take(struct keyd_label *to, const struct request *r);
bool label_is(const struct keyd_label *a, const struct keyd_label *b);
int label_message(struct nl_msg *m, const struct keyd_label *label);	/* 0, or -1: no room */
void label_words(struct compartment_words *w, const struct keyd_label *label);

/* jail.c */
int jail_close(void);		/* 0 or -errno; from here on any other system call kills */

/* opener.c */
int opener_start(int *child_end);			/* forks: 0 in the child, its pid outside */
int opener_ask(struct keyd *k, const struct keyd_compartment *c);	/* a descriptor, or -errno */
int opener_serve(const struct keyd *k, int end, int child);	/* until the child ends: an exit status */

#endif
