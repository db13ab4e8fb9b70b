// SPDX-License-Identifier: GPL-2.0-only
/* flip.c - see flip.h */
#include "flip.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned char *volatile record;		/* the one that is handed in */

static void wait_a_little(void)
{
	volatile int i;

	for (i = 0; i < 200; i++)
		;
}

/* Each place is as long wrong as it is right, and a record is left as it was found. */
static void *flip(void *how)
{
	const struct flip *place;
	volatile unsigned char *at;

	for (;;)
		for (place = how; place->bits; place++) {
			at = record + place->at;
			*at ^= place->bits;
			wait_a_little();
			*at ^= place->bits;
			wait_a_little();
		}
	return NULL;
}

int flip_put(struct stack *s, const struct draft *d, const struct flip *places)
{
	static pthread_t thread;
	unsigned char *at = ipsp_ring_record(&s->up);

	memcpy(at, &d->rec, sizeof(d->rec));
	memcpy(at + sizeof(d->rec), &d->answer, sizeof(d->answer));
	memcpy(at + d->rec.data_offset, d->data, d->length);
	record = at;
	if (!thread && pthread_create(&thread, NULL, flip, (void *)(uintptr_t)places))
		_exit(4);
	ipsp_ring_step(&s->up, d->publish);
	ipsp_ring_submit(&s->up);
	return ioctl(s->fd, IPSP_IOC_KICK, 0);
}
