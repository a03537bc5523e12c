/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points: a command on its way, one that takes too long, a controller that is reset. Nothing
 * of what a message holds.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ihsm

#if !defined(IHSM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IHSM_TRACE_H

#include <linux/tracepoint.h>

#include "ihsm.h"

/* Copied: a trace may be read after the module, and with it the text, is gone. */
#define IHSM_WHY_MAX	48

TRACE_EVENT(ihsm_submit,
	TP_PROTO(const struct ihsm_queue *queue, const struct ihsm_cmd *cmd, u16 tag),
	TP_ARGS(queue, cmd, tag),
	TP_STRUCT__entry(
		__field(int, minor)
		__field(u16, qid)
		__field(u16, cid)
		__field(u8, opcode)
		__field(u32, in_len)
		__field(u32, out_len)
	),
	TP_fast_assign(
		__entry->minor = MINOR(queue->ihsm->dev.devt);
		__entry->qid = queue->qid;
		__entry->cid = tag;
		__entry->opcode = cmd->opcode;
		__entry->in_len = cmd->in_len;
		__entry->out_len = cmd->out_len;
	),
	TP_printk("ihsm%d: queue %u cid 0x%04x opcode 0x%02x in %u out %u", __entry->minor,
		  __entry->qid, __entry->cid, __entry->opcode, __entry->in_len, __entry->out_len)
);

TRACE_EVENT(ihsm_complete,
	TP_PROTO(const struct ihsm_queue *queue, const struct ihsm_cqe *cqe),
	TP_ARGS(queue, cqe),
	TP_STRUCT__entry(
		__field(int, minor)
		__field(u16, qid)
		__field(u16, cid)
		__field(u16, status)
		__field(u32, result)
	),
	TP_fast_assign(
		__entry->minor = MINOR(queue->ihsm->dev.devt);
		__entry->qid = queue->qid;
		__entry->cid = le16_to_cpu(cqe->cid);
		__entry->status = le16_to_cpu(cqe->status) >> IHSM_CQE_STATUS_SHIFT;
		__entry->result = le32_to_cpu(cqe->result);
	),
	TP_printk("ihsm%d: queue %u cid 0x%04x status 0x%02x result %u", __entry->minor,
		  __entry->qid, __entry->cid, __entry->status, __entry->result)
);

TRACE_EVENT(ihsm_timeout,
	TP_PROTO(const struct ihsm_queue *queue, u16 cid, bool hopeless),
	TP_ARGS(queue, cid, hopeless),
	TP_STRUCT__entry(
		__field(int, minor)
		__field(u16, qid)
		__field(u16, cid)
		__field(bool, hopeless)
	),
	TP_fast_assign(
		__entry->minor = MINOR(queue->ihsm->dev.devt);
		__entry->qid = queue->qid;
		__entry->cid = cid;
		__entry->hopeless = hopeless;
	),
	TP_printk("ihsm%d: queue %u cid 0x%04x %s", __entry->minor, __entry->qid, __entry->cid,
		  __entry->hopeless ? "reset" : "abort")
);

TRACE_EVENT(ihsm_reset,
	TP_PROTO(const struct ihsm_device *ihsm, const char *why),
	TP_ARGS(ihsm, why),
	TP_STRUCT__entry(
		__field(int, minor)
		__field(u32, generation)
		__array(char, why, IHSM_WHY_MAX)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ihsm->dev.devt);
		__entry->generation = ihsm->generation;
		strscpy(__entry->why, why, sizeof(__entry->why));
	),
	TP_printk("ihsm%d: start %u ends: %s", __entry->minor, __entry->generation, __entry->why)
);

#endif /* IHSM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
