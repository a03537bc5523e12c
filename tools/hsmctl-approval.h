/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that can need approvals, for the verbs that send them (hsmctl-approval.c).
 */
#ifndef HSMCTL_APPROVAL_H
#define HSMCTL_APPROVAL_H

#include <hsm/approval.h>
#include "hsmctl.h"

/**
 * approval_call - send a request that can need approvals, or do with it what the options say
 * @request: with all its fields
 *
 * --request FILE: nothing is sent, the file gets what has to be signed. --approval FILE: goes along. An answer that
 * approvals are missing is reported, with what is wrong with those that were there. Return: enum ctl_exit
 */
int approval_call(struct ctl *ctl, struct link *link, struct hsm_request *request,
		  enum hsm_operation operation);

/* approval_try, approval_answer - the same in two steps, for who looks at the answer in between */
int approval_try(struct ctl *ctl, struct link *link, struct hsm_request *request,
		 enum hsm_operation operation);
int approval_answer(struct ctl *ctl, struct hsm_request *request);

/**
 * approval_grant - let a partition run one command that needs approvals, over function 0
 * @partition: its id
 * @operation, @fields: the command
 *
 * With --request and --approval as approval_call() has them. Return: enum ctl_exit
 */
int approval_grant(struct ctl *ctl, struct link *link, const uint8_t partition[HSM_PARTITION_ID_SIZE],
		   enum hsm_operation operation, const struct hsm_writer *fields);

/* approval_is_asked - was the request only written, and nothing done? */
bool approval_is_asked(const struct ctl *ctl);

#endif /* HSMCTL_APPROVAL_H */
