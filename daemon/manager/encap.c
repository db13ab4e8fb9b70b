// SPDX-License-Identifier: GPL-2.0-only
/*
 * encap.c - sockets that tell the kernel's UDP which ports carry ESP (RFC 3948)
 *
 * The module recognises most of it without them. Whole IPv6 packets that came in fragments
 * it sees only behind such a socket, and without one a keepalive is answered by an ICMP
 * error. Where an IKE daemon has its own on that port, ours is not needed, and must not be:
 * of two that share a port the later one gets the messages. So ours says that it shares
 * (SO_REUSEADDR) only when it has the port; a daemon that comes later gets its own.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"

static int encap_bind4(int fd, __be16 port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = port };

	return bind(fd, (struct sockaddr *)&any, sizeof(any));
}

static int encap_bind6(int fd, __be16 port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = port };
	const int on = 1;

	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ||
	       bind(fd, (struct sockaddr *)&any, sizeof(any));
}

/* -1: none of ours; another's does as well. */
static int encap_socket(__u8 family, __be16 port)
{
	const int on = 1, type = UDP_ENCAP_ESPINUDP, least = 1;
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) ||
	    setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) ||
	    (family == 4 ? encap_bind4(fd, port) : encap_bind6(fd, port)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int encap_is_wanted(struct manager *m, const struct encap *e)
{
	const struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;

	for (; sa < end; sa++)
		if (sa->used && sa->sa.direction == IPSP_DIR_IN && sa->sa.family == e->family &&
		    sa->sa.encap_destination == e->port)
			return 1;
	return 0;
}

static struct encap *encap_find(struct manager *m, __u8 family, __be16 port)
{
	struct encap *e = m->encap;

	for (; e < m->encap + ENCAP_MAX; e++)
		if (e->port == port && (!port || e->family == family))
			return e;
	return NULL;
}

void encap_open(struct manager *m, const struct ipsp_sa *sa)
{
	struct encap *e;

	if (sa->direction != IPSP_DIR_IN || !sa->encap_destination ||
	    encap_find(m, sa->family, sa->encap_destination))
		return;
	e = encap_find(m, 0, 0);
	if (!e) {
		fprintf(stderr, "ipsec-portd: %s: UDP port %u: %d ports have a socket already\n", m->name,
			ntohs(sa->encap_destination), ENCAP_MAX);
		return;
	}
	e->fd = encap_socket(sa->family, sa->encap_destination);
	if (e->fd < 0) {
		fprintf(stderr, "ipsec-portd: %s: UDP port %u: left to the socket that is there: %s\n",
			m->name, ntohs(sa->encap_destination), strerror(errno));
		return;
	}
	e->family = sa->family;
	e->port = sa->encap_destination;
}

void encap_sweep(struct manager *m)
{
	struct encap *e = m->encap;

	for (; e < m->encap + ENCAP_MAX; e++) {
		if (!e->port || encap_is_wanted(m, e))
			continue;
		close(e->fd);
		memset(e, 0, sizeof(*e));
	}
}

void encap_open_all(struct manager *m)
{
	const struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;

	for (; sa < end; sa++)
		if (sa->used)
			encap_open(m, &sa->sa);
}
