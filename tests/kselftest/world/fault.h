/* SPDX-License-Identifier: GPL-2.0-only */
/* fault.h - a call in which each allocation and each copy fails once, in turn */
#ifndef KSELFTEST_FAULT_H
#define KSELFTEST_FAULT_H

#include "world.h"

#define FAULTS_MOST 200			/* of one call: more is a loop */

extern int fault_is_there;		/* this kernel has fault injection */

struct fault_call {
	const char *what;
	int (*run)(void);		/* 0 or errno */
	void (*undo)(void);		/* of one that went through; or NULL */
	void (*prepare)(void);		/* in front of each, no fault in it; or NULL */
	int is_bare;			/* it may well do without memory */
};

int fault_begin(void);			/* 0: there is none, and each call is made once, untouched */
void fault_own(void);			/* faults are the caller's own thread's from now on */
void fault_arm(unsigned int n);		/* the n-th from here on; 0: none */
int fault_hit(void);			/* was it? And none from here on. */
/*
 * How many faults it met, each said by an errno or borne; -1: one left something behind, or it never came through. The
 * realm's events are read over.
 */
int fault_through(struct realm *r, const struct fault_call *c);

#endif
