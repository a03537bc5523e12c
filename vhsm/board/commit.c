// SPDX-License-Identifier: Apache-2.0
/*
 * What a function does with its own partitions: list them, open one, read its rows, commit. Every
 * entry point first asks whether the partition is the function's own; a foreign one does not exist.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include "internal.h"

/* Device partition and function 0 have the number 0 in common; unassigned ones carry it as well. */
static bool is_own(const struct root_entry *entry, uint32_t function)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

	if (memcmp(entry->partition.id, device, PARTITION_ID_SIZE) == 0)
		return function == 0;
	return function != 0 && entry->partition.function == function;
}

struct root_entry *state_own_entry(struct state *state, uint32_t function,
				   const uint8_t id[PARTITION_ID_SIZE])
{
	struct root_entry *entry = root_find(state->record, id);

	if (function && !state_serves(state))
		return NULL;
	return entry && is_own(entry, function) ? entry : NULL;
}

int state_list(struct state *state, uint32_t function, struct board_partition *list,
	       size_t capacity, size_t *count)
{
	const struct root_entry *entry;
	uint32_t i;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	*count = 0;
	for (i = 0; i < state->record->count; i++) {
		entry = &state->record->entries[i];
		if (function != 0 && (!state_serves(state) || !is_own(entry, function)))
			continue;
		if (*count == capacity) {
			ret = -EMSGSIZE;
			break;
		}
		list[(*count)++] = entry->partition;
	}
	state_leave(state);
	return ret;
}

/* Rows and bytes are counted once, then kept in step by the commits. */
static int measure(struct state *state, struct root_entry *entry)
{
	int ret;

	if (entry->measured)
		return 0;
	ret = nvm_usage(state->nvm, entry->partition.id, &entry->rows, &entry->bytes,
			&entry->audit);
	entry->measured = !ret;
	return ret;
}

static int derive_key(struct state *state, const struct root_entry *entry, uint32_t version,
		      uint8_t key[BOARD_KEY_SIZE])
{
	uint8_t ladder[BOARD_KEY_SIZE];
	int ret;

	/* Firmware of a lower version gets no key of a higher one. */
	if (version > state->security_version)
		return -EKEYREJECTED;
	ret = keys_ladder(state->keys, state->platform, version, ladder);
	if (!ret)
		ret = keys_partition(state->keys, ladder, entry->wrapping, entry->partition.id,
				     entry->generation, key);
	OPENSSL_cleanse(ladder, sizeof(ladder));
	return ret;
}

int state_partition_open(struct state *state, uint32_t function,
			 const uint8_t id[PARTITION_ID_SIZE], struct board_open *opened,
			 void *header, size_t capacity)
{
	struct root_entry *entry;
	size_t length = 0;
	int ret;

	memset(opened, 0, sizeof(*opened));
	ret = state_enter(state);
	if (ret)
		return ret;
	entry = state_own_entry(state, function, id);
	ret = entry ? measure(state, entry) : -ENOENT;
	if (!ret)
		ret = nvm_header_get(state->nvm, id, header, capacity, &length);
	if (!ret)
		ret = derive_key(state, entry, entry->security_version, opened->key);
	if (!ret) {
		opened->partition = entry->partition;
		opened->generation = entry->generation;
		opened->counter = entry->counter;
		opened->header_length = (uint32_t)length;
		opened->rows = entry->rows;
		opened->flags = entry->accept ? BOARD_OPEN_ACCEPT : 0;
	}
	state_leave(state);
	return ret;
}

int state_ladder(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE],
		 struct board_ladder *ladder)
{
	struct root_entry *entry;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	entry = state_own_entry(state, function, id);
	if (!entry)
		ret = -ENOENT;
	else if (entry->security_version >= state->security_version)
		ret = -EALREADY;
	else
		ret = derive_key(state, entry, state->security_version, ladder->key);
	ladder->security_version = state->security_version;
	state_leave(state);
	return ret;
}

int state_rows(struct state *state, uint32_t function, const struct board_rows *request,
	       void *buffer, size_t capacity, size_t *length)
{
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	if (state_own_entry(state, function, request->partition))
		ret = nvm_rows(state->nvm, request->partition, request->after, buffer, capacity,
			       length);
	else
		ret = -ENOENT;
	state_leave(state);
	return ret;
}

/* A commit, taken apart; @rows, @bytes and of these @audit are what the partition has after it. */
struct commit {
	struct board_commit head;
	const uint8_t *header;
	const uint8_t *changes;
	uint32_t rows;
	uint64_t bytes;
	uint64_t audit;
};

/* A partition moves up the ladder with its counter, and not without saying so. */
static bool flags_valid(const struct board_commit *head)
{
	if (head->flags & ~(BOARD_COMMIT_ADVANCE | BOARD_COMMIT_LADDER))
		return false;
	if (head->flags & BOARD_COMMIT_LADDER)
		return head->flags & BOARD_COMMIT_ADVANCE;
	return !head->ladder;
}

/* Check the whole before anything is done: after this the pieces can be walked without a look. */
static int commit_parse(const uint8_t *request, size_t length, struct commit *commit)
{
	struct board_change change;
	uint32_t i;

	if (length < sizeof(commit->head))
		return -EINVAL;
	memcpy(&commit->head, request, sizeof(commit->head));
	request += sizeof(commit->head);
	length -= sizeof(commit->head);
	if (commit->head.header_length == 0 || commit->head.header_length > BOARD_BLOB_MAX ||
	    commit->head.header_length > length || !flags_valid(&commit->head))
		return -EINVAL;
	commit->header = request;
	commit->changes = request + commit->head.header_length;
	request = commit->changes;
	length -= commit->head.header_length;

	for (i = 0; i < commit->head.changes; i++) {
		if (length < sizeof(change))
			return -EINVAL;
		memcpy(&change, request, sizeof(change));
		length -= sizeof(change);
		if (change.id == 0 || change.length > BOARD_BLOB_MAX || change.length > length)
			return -EINVAL;
		request += sizeof(change) + change.length;
		length -= change.length;
	}
	return length ? -EINVAL : 0;
}

static int commit_write(struct nvm *nvm, void *data)
{
	struct commit *commit = data;
	const uint8_t *at = commit->changes;
	struct board_change change;
	bool existed;
	size_t old;
	uint32_t i;
	int ret;

	ret = nvm_header_set(nvm, commit->head.partition, commit->header,
			     commit->head.header_length);
	for (i = 0; !ret && i < commit->head.changes; i++) {
		memcpy(&change, at, sizeof(change));
		at += sizeof(change);
		ret = nvm_row_set(nvm, commit->head.partition, change.id, at, change.length,
				  &existed, &old);
		if (ret)
			break;
		commit->rows += (change.length != 0) - (uint32_t)existed;
		commit->bytes += change.length - old;
		if (change.id >= BOARD_AUDIT_ROWS)
			commit->audit += change.length - old;
		at += change.length;
	}
	return ret;
}

/*
 * The turn of quota and disk: what a commit adds may be refused, what it takes away or leaves is
 * not, so that counters move and things can be destroyed when all is full.
 */
static int commit_checked(struct nvm *nvm, void *data)
{
	struct commit *commit = ((struct commit **)data)[0];
	const struct root_entry *entry = ((struct root_entry **)data)[1];
	int ret;

	ret = commit_write(nvm, commit);
	if (ret || commit->bytes <= entry->bytes)
		return ret;
	if (commit->bytes - commit->audit > entry->partition.max_bytes ||
	    commit->audit > BOARD_AUDIT_MAX)
		return -EDQUOT;
	return nvm_room(nvm, commit->bytes - entry->bytes);
}

static int commit_plain(struct state *state, state_write write, void *data)
{
	int ret;

	ret = nvm_begin(state->nvm);
	if (ret)
		return ret;
	ret = write(state->nvm, data);
	if (!ret)
		return nvm_commit(state->nvm);
	nvm_rollback(state->nvm);
	return ret;
}

static int commit_advance(struct state *state, const struct root_entry *entry, void **both)
{
	const struct board_commit *head = &((const struct commit *)both[0])->head;
	bool climbs = head->flags & BOARD_COMMIT_LADDER;
	struct root_entry *next;
	int ret = state->stale ? state_recovery_try(state) : 0;

	/* Wrapped for a rung that is not the board's any more: to be asked for anew. */
	if (!ret && climbs && head->ladder != state->security_version)
		ret = -ESTALE;
	if (ret)
		return ret;
	next = root_find(state_draft(state), entry->partition.id);
	next->counter++;
	if (climbs)
		next->security_version = head->ladder;
	next->accept = false;
	return state_apply(state, commit_checked, both);
}

static int commit_entry(struct state *state, struct root_entry *entry, struct commit *commit)
{
	void *both[] = { commit, entry };
	int ret;

	ret = measure(state, entry);
	if (ret)
		return ret;
	commit->rows = entry->rows;
	commit->bytes = entry->bytes;
	commit->audit = entry->audit;
	if (commit->head.flags & BOARD_COMMIT_ADVANCE) {
		ret = commit_advance(state, entry, both);
	} else {
		ret = commit_plain(state, commit_checked, both);
	}
	return ret;
}

int state_commit(struct state *state, uint32_t function, const uint8_t *request, size_t length,
		 struct board_committed *committed)
{
	struct root_entry *entry;
	struct commit commit;
	int ret;

	ret = commit_parse(request, length, &commit);
	if (ret)
		return ret;
	ret = state_enter(state);
	if (ret)
		return ret;
	entry = state_own_entry(state, function, commit.head.partition);
	ret = entry ? commit_entry(state, entry, &commit) : -ENOENT;
	if (!ret) {
		/* The record may be another one now. */
		entry = root_find(state->record, commit.head.partition);
		entry->rows = commit.rows;
		entry->bytes = commit.bytes;
		entry->audit = commit.audit;
		entry->sequence = commit.head.sequence;
		memcpy(entry->head, commit.head.head, sizeof(entry->head));
		committed->counter = entry->counter;
	}
	state_leave(state);
	return ret;
}

int state_log_head(struct state *state, uint32_t function, const struct board_log_head *head)
{
	struct root_entry *entry;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	entry = state_own_entry(state, function, head->partition);
	if (entry) {
		entry->sequence = head->sequence;
		memcpy(entry->head, head->head, sizeof(entry->head));
	}
	state_leave(state);
	return entry ? 0 : -ENOENT;
}

uint32_t state_log_heads(struct state *state, uint32_t from, struct board_log_head *heads,
			 uint32_t room, uint32_t *total)
{
	const struct root_entry *entry;
	uint32_t i, count = 0;

	*total = 0;
	if (state_enter(state))
		return 0;
	for (i = 0; i < state->record->count; i++) {
		entry = &state->record->entries[i];
		if (!entry->sequence || (*total)++ < from || count == room)
			continue;
		heads[count].sequence = entry->sequence;
		memcpy(heads[count].partition, entry->partition.id, PARTITION_ID_SIZE);
		memcpy(heads[count].head, entry->head, sizeof(entry->head));
		count++;
	}
	state_leave(state);
	return count;
}

int state_counter(struct state *state, uint64_t *counter)
{
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	*counter = fuses_values(state->fuses)->counter;
	state_leave(state);
	return 0;
}

void state_identity(struct state *state, struct board_hello *hello)
{
	const struct fuse_values *values;

	pthread_mutex_lock(&state->lock);
	values = fuses_values(state->fuses);
	if (values->flags & FUSE_EMBEDDED)
		hello->flags |= BOARD_HELLO_EMBEDDED;
	if (state->apart)
		hello->flags |= BOARD_HELLO_ROLLBACK_SAFE;
	if (!fuses_in_file(state->config.fuses))
		hello->flags |= BOARD_HELLO_SECRET_SAFE;
	if (values->flags & FUSE_CLAIMED)
		hello->flags |= BOARD_HELLO_CLAIMED;
	if (values->flags & FUSE_APPROVED)
		hello->flags |= BOARD_HELLO_APPROVED;
	if (values->flags & FUSE_TAMPERED)
		hello->flags |= BOARD_HELLO_TAMPERED;
	if (values->flags & FUSE_RECOVERED)
		hello->flags |= BOARD_HELLO_RECOVERED;
	if (state->stale)
		hello->flags |= BOARD_HELLO_STALE;
	hello->lifecycle = values->lifecycle;
	hello->min_security_version = values->minimum_version;
	memcpy(hello->board_id, values->board_id, sizeof(hello->board_id));
	memcpy(hello->serial, values->serial, sizeof(hello->serial));
	pthread_mutex_unlock(&state->lock);
}
