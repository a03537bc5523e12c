// SPDX-License-Identifier: Apache-2.0
/*
 * Several commands' changes in one commit. What takes time is the disk, and it takes no longer for ten objects than
 * for one. While a commit is on its way, the commands that come meanwhile wait in a list; then the first of them takes
 * all there are. Each is told only when its own change is on disk, and each has its own result.
 */
#include <string.h>
#include "commands.h"
#include "commit_group.h"

#define GROUP_MAX 64 /* change sets in one commit */

_Static_assert(GROUP_MAX *CHANGES_MAX <= STORE_CHANGES_MAX, "a group fits a commit");

void commit_group_init(struct commit_group *group)
{
	pthread_mutex_init(&group->lock, NULL);
	group->last = &group->first;
}

void commit_group_destroy(struct commit_group *group)
{
	pthread_mutex_destroy(&group->lock);
}

/* ---- the list; with the group's lock held ---- */

static void list_add(struct commit_group *group, struct change_set *set)
{
	set->next = NULL;
	*group->last = set;
	group->last = &set->next;
}

/* Up to GROUP_MAX from the front */
static struct change_set *list_take(struct commit_group *group)
{
	struct change_set *first = group->first, **end = &group->first;
	unsigned int i;

	for (i = 0; i < GROUP_MAX && *end; i++)
		end = &(*end)->next;
	group->first = *end;
	if (!group->first)
		group->last = &group->first;
	*end = NULL;
	return first;
}

/* ---- one commit; with commit_lock held ---- */

/**
 * struct gathered - change sets on their way to the disk together
 * @rest: those that must wait for the next commit, since one of these changes the same object
 */
struct gathered {
	struct partition_state next;
	struct change_set *sets[GROUP_MAX];
	unsigned int count;
	struct store_change changes[GROUP_MAX * CHANGES_MAX];
	size_t rows;
	bool advance;
	struct change_set *rest;
	struct change_set **rest_end;
};

static bool touched(const struct gathered *gathered, const struct change_set *set)
{
	size_t i;

	for (i = 0; set->before && i < gathered->rows; i++)
		if (gathered->changes[i].before == set->before)
			return true;
	return false;
}

static void gather(struct partition *partition, struct gathered *gathered, struct change_set *set)
{
	struct audit_state audit;

	if (touched(gathered, set)) {
		set->next = NULL;
		*gathered->rest_end = set;
		gathered->rest_end = &set->next;
		return;
	}
	audit = gathered->next.audit;
	set->count = 0;
	set->rv = set->prepare(partition, &gathered->next, set);
	if (set->rv != CKR_OK) {
		/* What does not happen is not recorded. */
		gathered->next.audit = audit;
		return;
	}
	gathered->sets[gathered->count++] = set;
	gathered->advance |= set->advance;
	memcpy(gathered->changes + gathered->rows, set->changes,
	       set->count * sizeof(set->changes[0]));
	gathered->rows += set->count;
}

static CK_RV commit(struct partition *partition, struct gathered *gathered)
{
	unsigned int i;
	CK_RV rv;

	rv = store_commit(partition, &gathered->next, gathered->changes, gathered->rows,
			  gathered->advance);
	for (i = 0; i < gathered->count; i++) {
		gathered->sets[i]->rv = rv;
		if (rv == CKR_OK)
			gathered->sets[i]->finish(partition, gathered->sets[i]);
	}
	return rv;
}

static void begin(struct partition *partition, struct gathered *gathered)
{
	gathered->next = partition->state;
	gathered->count = 0;
	gathered->rows = 0;
	gathered->advance = false;
	gathered->rest = NULL;
	gathered->rest_end = &gathered->rest;
	partition->group.rows = 0;
	partition->group.bytes = 0;
}

/* Together they were refused: alone, each gets the answer that is its own. */
static void commit_each(struct partition *partition, struct gathered *gathered)
{
	struct change_set *sets[GROUP_MAX];
	unsigned int count = gathered->count, i;
	struct change_set *rest = gathered->rest;

	memcpy(sets, gathered->sets, count * sizeof(struct change_set *));
	for (i = 0; i < count; i++) {
		begin(partition, gathered);
		gather(partition, gathered, sets[i]);
		if (gathered->count)
			commit(partition, gathered);
	}
	gathered->rest = rest;
}

static void run(struct partition *partition, struct change_set *first)
{
	struct gathered *gathered = OPENSSL_malloc(sizeof(*gathered));
	struct change_set *set, *next;

	if (!gathered) {
		for (set = first; set; set = set->next)
			set->rv = CKR_HOST_MEMORY;
		return;
	}
	for (; first; first = gathered->rest) {
		begin(partition, gathered);
		for (set = first; set; set = next) {
			next = set->next;
			gather(partition, gathered, set);
		}
		if (gathered->count && commit(partition, gathered) != CKR_OK &&
		    gathered->count > 1 && !partition->failed)
			commit_each(partition, gathered);
	}
	OPENSSL_clear_free(gathered, sizeof(*gathered));
}

/* ---- whose turn it is ---- */

/* Ours is the first in the list: with it go all that wait. */
static void lead(struct partition *partition)
{
	struct commit_group *group = &partition->group;
	struct change_set *members[GROUP_MAX], *set;
	unsigned int count = 0;

	pthread_mutex_lock(&partition->commit_lock);
	pthread_mutex_lock(&group->lock);
	set = list_take(group);
	pthread_mutex_unlock(&group->lock);
	/* The links serve the commit from here on. */
	for (struct change_set *each = set; each; each = each->next)
		members[count++] = each;
	run(partition, set);
	pthread_mutex_unlock(&partition->commit_lock);
	pthread_mutex_lock(&group->lock);
	while (count--) {
		members[count]->done = true;
		pthread_cond_signal(&members[count]->wake);
	}
	group->led = group->first != NULL;
	if (group->first) {
		group->first->leads = true;
		pthread_cond_signal(&group->first->wake);
	}
	pthread_mutex_unlock(&group->lock);
}

CK_RV commit_together(struct task *task, struct partition *partition, struct change_set *set)
{
	struct commit_group *group = &partition->group;

	set->done = set->leads = false;
	pthread_cond_init(&set->wake, NULL);
	task_wait_begin(task);
	pthread_mutex_lock(&group->lock);
	list_add(group, set);
	if (!group->led)
		group->led = set->leads = true;
	while (!set->done && !set->leads)
		pthread_cond_wait(&set->wake, &group->lock);
	pthread_mutex_unlock(&group->lock);
	if (!set->done)
		lead(partition);
	task_wait_end(task);
	pthread_cond_destroy(&set->wake);
	return set->rv;
}
