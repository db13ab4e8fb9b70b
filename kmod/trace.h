/* SPDX-License-Identifier: GPL-2.0 */
/* trace.h - tracepoints ipsec_port:ipsp_{capture,deal,answer,release,drop} */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ipsec_port

#if !defined(IPSP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IPSP_TRACE_H

#include <linux/tracepoint.h>
#include "compat/compat.h"

/* One shape for all: which compartment, which ticket, and what of it. */
DECLARE_EVENT_CLASS(ipsp_ticket,
	TP_PROTO(const char *name, u64 ticket, u32 what),
	TP_ARGS(name, ticket, what),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, ticket)
		__field(u32, what)
	),
	TP_fast_assign(
		ipsp_assign_str(name, name);
		__entry->ticket = ticket;
		__entry->what = what;
	),
	TP_printk("%s ticket=%llu what=%u", __get_str(name), __entry->ticket, __entry->what)
);

#define IPSP_TICKET_EVENT(event)					\
DEFINE_EVENT(ipsp_ticket, event,					\
	TP_PROTO(const char *name, u64 ticket, u32 what),		\
	TP_ARGS(name, ticket, what))

IPSP_TICKET_EVENT(ipsp_capture);	/* what: kind */
IPSP_TICKET_EVENT(ipsp_deal);		/* what: stack */
IPSP_TICKET_EVENT(ipsp_answer);		/* what: verdict */
IPSP_TICKET_EVENT(ipsp_release);	/* what: verdict */
IPSP_TICKET_EVENT(ipsp_drop);		/* what: reason */

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
