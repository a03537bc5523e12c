/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log of a partition, and of the device in function 0's partition. A record goes to the disk in the
 * commit of what it records: it is there exactly when that happened. Documentation/audit.rst is the normative text.
 *
 * Whoever changes what is stored holds commit_lock, copies partition.state into a state "next", changes that, calls
 * audit_record() with it and commits it. A next that is thrown away takes its records with it.
 */
#ifndef FIRMWARE_AUDIT_H
#define FIRMWARE_AUDIT_H

#include <hsm/audit.h>
#include "commands.h"

#define AUDIT_ACTOR_MAX 80

/**
 * audit_record - a record for the commit of @next
 * @record: sequence and time are filled in here; the rest is copied
 *
 * An event with HSM_AUDIT_REPEAT that was recorded before, by the same actor, about the same subject and with
 * the same result, is only counted. The caller holds commit_lock.
 * Return: CKR_OK; CKR_DEVICE_MEMORY: the log is full and the policy says that nothing is done then;
 * CKR_HOST_MEMORY.
 */
CK_RV audit_record(struct partition *partition, struct partition_state *next,
		   const struct hsm_audit_record *record);

/**
 * audit_commit - a record of something that changes nothing else that is stored
 * @task: the command; NULL: none
 *
 * The caller holds no lock. Return: as audit_record() and store_commit().
 */
CK_RV audit_commit(struct task *task, struct partition *partition,
		   const struct hsm_audit_record *record);

/**
 * audit_begin - a record's usual fields: event, actor, operation
 * @actor: room for the actor's name; the record points to it
 */
struct hsm_audit_record audit_begin(const struct command *command, enum hsm_audit_event event,
				    char actor[AUDIT_ACTOR_MAX]);

#endif /* FIRMWARE_AUDIT_H */
