/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of several commands in one commit. Included by commands.h's users that change objects.
 */
#ifndef FIRMWARE_COMMIT_GROUP_H
#define FIRMWARE_COMMIT_GROUP_H

#include "commands.h"

#define CHANGES_MAX OBJECTS_ADD_MAX /* rows that one command changes */

/**
 * struct change_set - what one command changes
 * @prepare: fill in @changes, @count and @advance. Called with commit_lock held, by whichever thread commits, perhaps
 *	again when the first commit failed. @next is the state with what the sets before this one did to it. Not
 *	CKR_OK: the set is left out, and this is its result
 * @finish: it is on disk: change the index; may set @rv. With commit_lock held
 * @before: the object that is replaced or destroyed, NULL when none is
 * @rv: the result
 * @wake, @done, @leads, @next: commit_group.c's
 */
struct change_set {
	CK_RV (*prepare)(struct partition *partition, struct partition_state *next,
			 struct change_set *set);
	void (*finish)(struct partition *partition, struct change_set *set);
	struct object *before;
	struct store_change changes[CHANGES_MAX];
	size_t count;
	bool advance;
	CK_RV rv;

	pthread_cond_t wake;
	bool done;
	bool leads;
	struct change_set *next;
};

/**
 * commit_together - put a change set on disk, with others that wait
 * @set: prepare, finish and before are set
 *
 * The caller holds no lock. Return: the set's @rv.
 */
CK_RV commit_together(struct task *task, struct partition *partition, struct change_set *set);

#endif /* FIRMWARE_COMMIT_GROUP_H */
