// SPDX-License-Identifier: Apache-2.0
/*
 * The policies' bytes: stored beside the partitions, while the root record holds their hashes, so that they
 * are as safe from old copies as the record. What they say is the firmware's business (board.h).
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

static const uint8_t none[BOARD_HASH_SIZE];

int policy_draft(struct state *state, struct root_entry *entry, struct policy_bytes policy)
{
	if (policy.length > BOARD_POLICY_MAX)
		return -EINVAL;
	if (!policy.length) {
		memset(entry->policy, 0, sizeof(entry->policy));
		return 0;
	}
	return keys_hash(state->keys, policy.data, policy.length, entry->policy);
}

int policy_write(struct nvm *nvm, void *data)
{
	const struct policy_change *change = data;

	return nvm_policy_set(nvm, change->id, change->policy.data, change->policy.length);
}

static int read_policy(struct state *state, const struct root_entry *entry, void *bytes,
		       size_t capacity, size_t *length)
{
	uint8_t hash[BOARD_HASH_SIZE];
	int ret;

	if (!memcmp(entry->policy, none, sizeof(none)))
		return 0;
	ret = nvm_policy_get(state->nvm, entry->partition.id, bytes, capacity, length);
	if (!ret)
		ret = keys_hash(state->keys, bytes, *length, hash);
	if (!ret && memcmp(hash, entry->policy, sizeof(hash)))
		ret = -EBADMSG;
	return ret;
}

int state_policy(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE],
		 void *bytes, size_t capacity, size_t *length)
{
	const struct root_entry *entry;
	int ret;

	*length = 0;
	ret = state_enter(state);
	if (ret)
		return ret;
	entry = function ? state_own_entry(state, function, id) : root_find(state->record, id);
	ret = entry ? read_policy(state, entry, bytes, capacity, length) : -ENOENT;
	state_leave(state);
	return ret;
}
