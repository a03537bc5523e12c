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

#define AUDIT_ACTOR_MAX AUDIT_NAME_MAX
#define AUDIT_PUBLIC	"public" /* actor: nobody is logged in */

/**
 * audit_record - a record for the commit of @next
 * @record: sequence and time are filled in here; the rest is copied
 *
 * An event with HSM_AUDIT_REPEAT, and one with HSM_AUDIT_OPEN by the actor public, is only counted in @next, see
 * audit_count.c. The caller holds commit_lock.
 * Return: CKR_OK; CKR_DEVICE_MEMORY: the log is full and the policy says that nothing is done then;
 * CKR_HOST_MEMORY. Then @next is as before.
 */
CK_RV audit_record(struct partition *partition, struct partition_state *next,
		   const struct hsm_audit_record *record);

/* audit_record_reserve - the same for who must get in when the log is full: its reserve may be used */
CK_RV audit_record_reserve(struct partition *partition, struct partition_state *next,
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

/**
 * audit_asked, audit_answered - around something that the board does, in a transaction of its own
 * @record: from audit_begin()
 * @rv: what came of it
 *
 * One record says that it is asked for, before it is. What was refused has another one with the result; what has happened
 * has the board's event, which the board keeps in the step that it happens in.
 * Return: audit_asked(): as audit_commit(); audit_answered(): @rv.
 */
CK_RV audit_asked(struct command *command, const struct hsm_audit_record *record);
CK_RV audit_answered(struct command *command, const struct hsm_audit_record *record, CK_RV rv);

/* audit_account - name of an account of the partition: so, user, user:NAME, officer. The caller holds partition.lock or commit_lock. */
void audit_account(const struct partition *partition, const struct partition_state *state,
		   uint32_t account, char name[AUDIT_ACTOR_MAX]);

/* audit_object - what a record says of an object: number, class, type */
void audit_object(struct hsm_audit_record *record, const struct attributes *attributes,
		  uint64_t handle);

/* ---- PINs (pin.c), one at a time. The caller holds commit_lock. ---- */

/* audit_try - a PIN is about to be tried: wrong until it proves right */
CK_RV audit_try(struct partition *partition, struct partition_state *next, uint32_t account);

/**
 * audit_right - it was: what was wrong before it becomes a record
 * @command: says whether it was a login
 */
CK_RV audit_right(const struct command *command, struct partition_state *next, uint32_t account);

/*
 * audit_wrong - it was wrong and the last one: that it is locked becomes a record; takes commit_lock itself. What fails here
 * is made up for with the next try, and before the log is read: the state knows of the try.
 */
CK_RV audit_wrong(struct partition *partition);

/* ---- uses of keys (audit_uses.c) ---- */

/**
 * audit_use - one use of a key, as far as the policy has uses in the log
 * @use: CKA_SIGN and so on
 *
 * The caller holds no lock. Return: CKR_OK, or why the use cannot be recorded, and must not be then.
 */
CK_RV audit_use(struct command *command, const struct object *object, uint64_t use,
		uint64_t mechanism);

/*
 * audit_uses_end - the key is destroyed in the commit of @next: its count becomes a record
 * audit_uses_flush - the counts of all keys do
 * audit_uses_taken - that commit is on disk, or will not be: called by audit_built()
 * The caller holds commit_lock.
 */
CK_RV audit_uses_end(struct partition *partition, struct partition_state *next, uint64_t handle);
CK_RV audit_uses_flush(struct partition *partition, struct partition_state *next);
void audit_uses_taken(struct partition *partition, bool done);
void audit_uses_free(struct partition *partition);

/* ---- events of the board (board_events.c) ---- */

/**
 * board_events_take - what the board keeps for the device's log goes there
 * @partition: any; nothing happens for another than the device's
 *
 * The caller holds no lock. Return: CKR_OK, or why not all of it is in the log; the board keeps the rest.
 */
CK_RV board_events_take(struct partition *partition);

/* board_report - have the board keep an event of this process for the device's log: HSM_AUDIT_SELF_TEST and its failure */
void board_report(enum hsm_audit_event event, const char *detail);

/*
 * board_log_head - tell the board where the log stands, for its sideband; of the device's log signed. Between commits, which
 * say so themselves.
 */
void board_log_head(struct partition *partition);

/* ---- life ---- */

/* audit_close - the process ends or loses the partition: counts become records, as far as possible */
void audit_close(struct partition *partition);

#endif /* FIRMWARE_AUDIT_H */
