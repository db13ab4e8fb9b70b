/* SPDX-License-Identifier: GPL-2.0 */
/* mailbox.h - messages of managers and admins; see port.h for struct mailbox */
#ifndef IPSP_MAILBOX_H
#define IPSP_MAILBOX_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/types.h>

struct mailbox;

struct message {
	struct list_head list;
	u32 size;
	u8 data[] __aligned(8);		/* a whole record */
};

struct message *ipsp_mailbox_message(u32 size, gfp_t gfp);
void ipsp_mailbox_free(struct message *m);		/* zeroes it */
void ipsp_mailbox_purge(struct list_head *list);
/* For the manager; takes msg over. False: none is there, or full. */
bool ipsp_mailbox_put(struct mailbox *m, struct message *msg);

#endif
