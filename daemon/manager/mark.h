/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mark.h - how far the numbers of a key may have gone, on disk, for keys that outlive the module
 *
 * A key from a file meets the same peer again after a reboot, when the module has forgotten its
 * counter. So each such key has a mark, a small file under STATE-DIR/marks, named by a keyed hash
 * of the key:
 *   outbound  no number above it was ever used. It is synced well ahead, before the handle's
 *             ceiling is raised to it, and the kernel stops at the ceiling; the next life of
 *             the module begins above it
 *   inbound   the highest number that was let in, as of the last look or the manager's clean
 *             end; the next life of the module takes only what is above it
 */
#ifndef MANAGER_MARK_H
#define MANAGER_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec_port.h"
#include "words/word.h"

#define MARK_DIRECTORY	"/var/lib/ipsec-port"
#define MARK_AHEAD	(1ull << 22)	/* numbers; a second of them is never used up at once */
#define MARK_LOOK_MS	1000

struct manager;

struct mark {				/* of one entry of the database */
	uint64_t written;		/* what is on disk; 0: not known */
	uint64_t last;			/* outbound: the next number at the last look */
};

struct mark_range {
	uint64_t next, ceiling;		/* as in struct ipsp_handle */
};

/* Does the line's key come from a file of its own (@FILE)? */
bool mark_is_wanted(const struct words *w);
/* Takes `fresh-key` off the line's end: the key was never used before. */
bool mark_is_fresh(struct words *w);

/*
 * Where a handle with this key, whose first number is at least `least` (0: 1), begins and ends;
 * on disk when it returns 0. -ENOKEY: no mark, and not fresh; -ERANGE: all numbers are used;
 * -EBADMSG: a mark that is none; or the disk's error. Nothing has changed then.
 */
int mark_begin(struct manager *m, const struct ipsp_sa *sa, bool is_fresh, uint64_t least,
	       struct mark_range *range);
/* What such an error means; and the complaint. */
const char *mark_error(int err);
int mark_fail(struct words *w, const struct ipsp_sa *sa, int err);

struct database_sa;

/* Before the SA goes: what came in by it. */
void mark_save(struct manager *m, const struct database_sa *sa);
/* Looks at all such handles when it is time, raises marks and then ceilings. */
void mark_look(struct manager *m);
void mark_end(struct manager *m);		/* at once, the last time */
int mark_timeout(const struct manager *m, int other);	/* ms; the earlier of it and `other` */

#endif
