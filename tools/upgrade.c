// SPDX-License-Identifier: GPL-2.0-only
/* upgrade.c - manager and stacks of a compartment give way to the programs that were installed since */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "portctl.h"
#include "words/device.h"

#define UPGRADE_PATIENCE_MS (600 * 1000)

/* Each stack is waited for, so this takes longer than a manager's other answers. */
static int upgrade_ask(int port, struct device_reply *reply)
{
	static const char *const ask[] = { "manager", "upgrade" };
	struct pollfd p = { .fd = port, .events = POLLIN };
	int err = device_attach(port, IPSP_ROLE_ADMIN, 0), n;

	if (!err)
		err = device_send(port, 0, 0, ask, 2);
	if (err)
		return err;
	do {
		n = poll(&p, 1, UPGRADE_PATIENCE_MS);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	return device_receive(port, reply);
}

static int upgrade(const char *name)
{
	static struct device_reply reply;
	struct ipsp_compartment c = { .index = 0 };
	int err, port;

	strcpy(c.name, name);		/* portctl_name() has seen it */
	err = device_control(IPSP_CTL_COMPARTMENT_GET, &c);
	if (err)
		return portctl_refused(name, err);
	port = device_open(name, O_RDWR | O_CLOEXEC);
	if (port < 0)
		return portctl_refused(name, port);
	err = upgrade_ask(port, &reply);
	close(port);
	if (err == -EPIPE)
		portctl_usage("compartment \"%s\": no manager, or it ended; wanted: a running ipsec-portd", name);
	else if (err)
		portctl_refused(name, err);
	else
		fprintf(reply.status ? stderr : stdout, "%s%s", reply.status ? "ipsec-portctl: " : "", reply.text);
	return err ? 1 : reply.status;
}

int upgrade_main(const struct portctl *p, struct words *w)
{
	const char *name;

	(void)p;
	word_next(w);
	name = word_next(w);
	if (!name)
		return portctl_usage("upgrade: the line ends here; allowed: NAME");
	if (portctl_name(name) || portctl_end(w, "upgrade"))
		return 2;
	return upgrade(name);
}
