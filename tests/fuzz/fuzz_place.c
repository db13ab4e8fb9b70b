// SPDX-License-Identifier: GPL-2.0
/* fuzz_place - a line of the file of places: what it says is taken, and what differs in one thing is not */
#include <sys/socket.h>

#include "daemon/keyd/keyd.h"
#include "tests/fuzz/line.h"
#include "words/option.h"

static struct keyd k;

/* An SA that is for exactly what the line names */
static void meet(struct keyd_sa *sa, const struct keyd_place *p)
{
	struct xfrm_selector *s = &sa->info.sel;

	memset(sa, 0, sizeof(*sa));
	s->family = p->family == 6 ? AF_INET6 : AF_INET;
	memcpy(&s->saddr, p->from, sizeof(p->from));
	memcpy(&s->daddr, p->to, sizeof(p->to));
	s->prefixlen_s = p->from_bits;
	s->prefixlen_d = p->to_bits;
	s->proto = p->proto;
	sa->mark = (struct xfrm_mark){ p->mark, p->mask };
	sa->if_id = p->if_id;
	sa->info.reqid = p->reqid;
	memcpy(sa->label.context, p->label, sizeof(p->label));
}

static bool is_taken(const struct keyd_sa *sa)
{
	const char *name = place_of_sa(&k, sa);

	fuzz_check(name == k.place[0].compartment || name == k.compartment[0].name);
	return name == k.place[0].compartment;
}

static void judge_prefixes(const struct keyd_place *p)
{
	struct keyd_sa sa;

	meet(&sa, p);
	if (p->from_bits)
		((__u8 *)&sa.info.sel.saddr)[(p->from_bits - 1) / 8] ^= (__u8)(0x80 >> (p->from_bits - 1) % 8);
	fuzz_check(is_taken(&sa) == !p->from_bits);
	meet(&sa, p);
	sa.info.sel.prefixlen_d -= !!p->to_bits;
	fuzz_check(is_taken(&sa) == !p->to_bits);
	meet(&sa, p);
	sa.info.sel.family = sa.info.sel.family == AF_INET ? AF_INET6 : AF_INET;
	fuzz_check(is_taken(&sa) == !p->family);
}

static void judge_rest(const struct keyd_place *p)
{
	struct keyd_sa sa;

	meet(&sa, p);
	sa.info.sel.proto++;
	fuzz_check(is_taken(&sa) == !p->proto);
	meet(&sa, p);
	sa.if_id++;
	fuzz_check(is_taken(&sa) == !p->has_if_id);
	meet(&sa, p);
	sa.info.reqid--;
	fuzz_check(is_taken(&sa) == !p->has_reqid);
	meet(&sa, p);
	sa.mark.m &= sa.mark.m - 1;			/* one bit less: for other marks, too */
	fuzz_check(is_taken(&sa) == !p->mask);
	meet(&sa, p);
	sa.label.context[0]++;
	fuzz_check(is_taken(&sa) == !*p->label);
}

static void judge(const struct keyd_place *p)
{
	struct keyd_sa sa;

	fuzz_check(option_is_name(p->compartment) && !(p->mark & ~p->mask));
	fuzz_check(p->from_bits <= (p->family == 6 ? 128 : 32) && p->to_bits <= (p->family == 6 ? 128 : 32));
	fuzz_check(!p->from_bits || p->family);
	k.place[0] = *p;
	k.places = 1;
	meet(&sa, p);
	fuzz_check(is_taken(&sa));
	judge_prefixes(p);
	judge_rest(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keyd_place *place = malloc(sizeof(*place));
	struct line l;

	fuzz_check(place && compartments_add(&k, "default"));
	if (!line_begin(&l, data, size)) {
		if (place_parse(&l.w, place))
			line_judge_complaint(&l.w);
		else
			judge(place);
		line_end(&l);
	}
	free(place);
	return 0;
}
