// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about masked keys. Only session keys are masked: a token key has its one place, from which it can be
 * destroyed for good; who wants it outside copies it into a session, if it may be copied, and destroys the original.
 */
#include <string.h>
#include <openssl/rand.h>
#include "audit.h"
#include "mask.h"
#include "users.h"

#define OUT_HEAD sizeof(struct hsm_field_header)

/* May the key be made to live outside? Masking is making a copy that nobody counts. */
static CK_RV may_mask(const struct command *command, const struct object *object)
{
	const struct attributes *set = &object->attributes;
	uint64_t class = attributes_ulong(set, CKA_CLASS, ~0ULL);

	if (class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY)
		return CKR_KEY_HANDLE_INVALID;
	if (object->is_private && !user_may(command->client, MAY_USE))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (object->token || !attributes_bool(set, CKA_COPYABLE, true))
		return CKR_ACTION_PROHIBITED;
	if (attributes_find(set, CKA_HSM_USE_LIMIT) || attributes_find(set, CKA_HSM_USE_COUNT))
		return CKR_ACTION_PROHIBITED;
	return CKR_OK;
}

/* An id for a key that has none yet: with the key itself, so that all that is ever masked of it has the same one */
static CK_RV give_id(struct command *command, struct object *object)
{
	struct attributes set = { 0 };
	uint64_t id = 0;
	CK_RV rv = attributes_copy(&set, &object->attributes);

	while (rv == CKR_OK && !id)
		if (RAND_bytes_ex(mech_libctx(), (uint8_t *)&id, sizeof(id), 0) != 1)
			rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK)
		rv = attributes_set_ulong(&set, CKA_HSM_MASK_ID, id);
	if (rv == CKR_OK)
		rv = object_replace(command, object, &set);
	attributes_free(&set);
	return rv;
}

/* The key that the command names, with an id. Another session of the application may change it at the same time. */
static CK_RV find_key(struct command *command, struct object **result)
{
	uint64_t handle = hsm_fields_u64(&command->fields, HSM_FIELD_KEY, 0);
	struct object *object;
	CK_RV rv;

	for (;;) {
		object = object_find(command, handle);
		if (!object)
			return CKR_KEY_HANDLE_INVALID;
		*result = object;
		rv = may_mask(command, object);
		if (rv == CKR_OK && attributes_find(&object->attributes, CKA_HSM_MASK_ID))
			return CKR_OK;
		if (rv == CKR_OK)
			rv = give_id(command, object);
		object_put(object);
		if (rv != CKR_OK && rv != OBJECT_STALE)
			return rv;
	}
}

/*
 * What is sealed: all of the key's attributes, its history with them. Outside it does not change any more, and the trust
 * that an SO puts in a wrapping key, which can be taken back, stays behind.
 */
static CK_RV prepare(const struct object *object, struct attributes *set)
{
	CK_RV rv = attributes_copy(set, &object->attributes);

	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_MODIFIABLE, false);
	if (rv == CKR_OK && attributes_bool(set, CKA_TRUSTED, false))
		rv = attributes_set_bool(set, CKA_TRUSTED, false);
	return rv;
}

static CK_RV put_masked(struct command *command, const struct attributes *set)
{
	struct hsm_writer *out = &command->out;
	size_t start = out->length, room = out->capacity - start, length, mark;
	CK_RV rv;

	if (room < OUT_HEAD)
		return CKR_DEVICE_MEMORY;
	room -= OUT_HEAD;
	if (room > HSM_DATA_MAX)
		room = HSM_DATA_MAX;
	mark = hsm_put_begin(out, HSM_FIELD_MASKED);
	rv = mask_seal(command->partition, set, out->data + out->length, room, &length);
	if (rv != CKR_OK) {
		out->length = start;
		return rv;
	}
	out->length += length;
	hsm_put_end(out, mark);
	return CKR_OK;
}

CK_RV command_object_mask(struct command *command)
{
	struct attributes set = { 0 };
	struct object *object;
	CK_RV rv = find_key(command, &object);

	if (rv != CKR_OK)
		return rv;
	rv = prepare(object, &set);
	if (rv == CKR_OK)
		rv = put_masked(command, &set);
	attributes_free(&set);
	object_put(object);
	return rv;
}

static CK_RV open_field(struct command *command, struct masked *masked)
{
	const uint8_t *data;
	size_t length;
	CK_RV rv;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_MASKED, &length);
	rv = mask_open(command->partition, data, length, masked);
	/* Somebody else's login in the same partition opens nothing for this one. */
	if (rv == CKR_OK && attributes_bool(&masked->attributes, CKA_PRIVATE, true) &&
	    !session_user(command->session)) {
		mask_free(masked);
		rv = CKR_USER_NOT_LOGGED_IN;
	}
	return rv;
}

static bool is_old(struct partition *partition, const struct masked *masked)
{
	bool old;

	pthread_mutex_lock(&partition->lock);
	old = masked->epoch != partition->state.masks.epoch;
	pthread_mutex_unlock(&partition->lock);
	return old;
}

/* Where it came from it says itself; that it has been outside since then is added. */
static CK_RV mark_unmasked(struct attributes *set)
{
	uint64_t origin = attributes_ulong(set, CKA_HSM_ORIGIN, CK_HSM_ORIGIN_IMPORTED);

	return attributes_set_ulong(set, CKA_HSM_ORIGIN, origin | CK_HSM_ORIGIN_UNMASKED);
}

CK_RV command_object_unmask(struct command *command)
{
	struct masked masked;
	uint64_t handle;
	CK_RV rv = open_field(command, &masked);

	if (rv != CKR_OK)
		return rv;
	if (is_old(command->partition, &masked))
		rv = CKR_HSM_MASK_OLD;
	else if (attributes_bool(&masked.attributes, CKA_PRIVATE, true) &&
		 !user_may(command->client, MAY_USE))
		rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (rv == CKR_OK)
		rv = attributes_set_bool(&masked.attributes, CKA_TOKEN, false);
	if (rv == CKR_OK)
		rv = template_unique(&masked.attributes);
	if (rv == CKR_OK)
		rv = mark_unmasked(&masked.attributes);
	if (rv == CKR_OK)
		rv = objects_add(command, &masked.attributes, 1, &handle);
	/* Who destroyed it meanwhile has not seen it among the loaded ones. */
	if (rv == CKR_OK && mask_is_revoked(command->partition, masked.id)) {
		masked_objects_drop(command->partition, masked.id);
		rv = CKR_WRAPPED_KEY_INVALID;
	}
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	mask_free(&masked);
	return rv;
}

CK_RV command_object_remask(struct command *command)
{
	struct masked masked;
	CK_RV rv = open_field(command, &masked);

	if (rv == CKR_OK) {
		rv = put_masked(command, &masked.attributes);
		mask_free(&masked);
	}
	return rv;
}

/* Change the state on disk; the counter of the fuses moves on, so that no older copy brings back what was destroyed. */
static CK_RV commit(struct command *command, void (*change)(struct mask_state *, uint64_t),
		    uint64_t value)
{
	struct partition *partition = command->partition;
	struct partition_state *next = OPENSSL_malloc(sizeof(*next));
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_MASK_REVOKED, actor);
	CK_RV rv;

	if (!next)
		return CKR_HOST_MEMORY;
	record.number = value;
	pthread_mutex_lock(&partition->commit_lock);
	*next = partition->state;
	change(&next->masks, value);
	rv = audit_record(partition, next, &record);
	if (rv == CKR_OK)
		rv = store_commit(partition, next, NULL, 0, true);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_clear_free(next, sizeof(*next));
	return rv;
}

CK_RV command_mask_revoke(struct command *command)
{
	struct masked masked;
	CK_RV rv;

	if (!session_writes(command->session))
		return CKR_SESSION_READ_ONLY;
	rv = open_field(command, &masked);
	if (rv != CKR_OK)
		return rv;
	if (!attributes_bool(&masked.attributes, CKA_DESTROYABLE, true))
		rv = CKR_ACTION_PROHIBITED;
	if (rv == CKR_OK)
		rv = commit(command, mask_revoke, masked.id);
	if (rv == CKR_OK)
		masked_objects_drop(command->partition, masked.id);
	mask_free(&masked);
	return rv;
}

static void end_grace(struct mask_state *masks, uint64_t value)
{
	(void)value;
	masks->grace = 0;
	masks->former.count = 0;
}

CK_RV command_mask_state(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	struct partition *partition = command->partition;
	CK_RV rv = CKR_OK;

	if (flags > 1)
		return CKR_ARGUMENTS_BAD;
	if (flags && !session_writes(command->session))
		return CKR_SESSION_READ_ONLY;
	if (flags && !session_user(command->session) && !session_so(command->session))
		return CKR_USER_NOT_LOGGED_IN;
	if (flags)
		rv = commit(command, end_grace, 0);
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->lock);
	hsm_put_u64(&command->out, HSM_FIELD_EPOCH, partition->state.masks.epoch);
	hsm_put_u64(&command->out, HSM_FIELD_GRACE, partition->state.masks.grace);
	hsm_put_u64(&command->out, HSM_FIELD_COUNT, partition->state.masks.revoked.count);
	pthread_mutex_unlock(&partition->lock);
	hsm_put_u64(&command->out, HSM_FIELD_MAX, MASK_REVOKED_MAX);
	return CKR_OK;
}
