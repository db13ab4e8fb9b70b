/* SPDX-License-Identifier: GPL-2.0 */
/* sandbox - a stack gives up everything but its port, in stages; see sandbox.c */
#ifndef STACK_SANDBOX_H
#define STACK_SANDBOX_H

#include <sys/types.h>

/* Each returns NULL, or a text that names what failed (errno says why). */
const char *sandbox_early(int port_fd);
const char *sandbox_namespaces(void);
const char *sandbox_identity(uid_t uid, gid_t gid);
const char *sandbox_close(int port_fd);

#endif
