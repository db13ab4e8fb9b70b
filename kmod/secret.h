/* SPDX-License-Identifier: GPL-2.0 */
/* secret.h - buffers of netlink that are zeroed when their last reader is done with them */
#ifndef IPSP_SECRET_H
#define IPSP_SECRET_H

struct sk_buff;

/* Before it goes anywhere. Its data must stay where they are: allocated without room to spare. */
void ipsp_secret_mark(struct sk_buff *skb);
void ipsp_secret_exit(void);

#endif
