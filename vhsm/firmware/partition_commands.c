// SPDX-License-Identifier: Apache-2.0
/*
 * Administration of partitions by the device's officer: the list, creating, changing, assigning and destroying them. The
 * board keeps them; here is decided what may be asked of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include "audit.h"
#include "approval.h"
#include "officers.h"

static void put_record(struct hsm_writer *out, const struct board_partition *info)
{
	struct hsm_partition_status status = {
		.function = htole32(info->function),
		.slot = htole32(info->slot),
		.profile = htole32(policy_profile(info)),
		.max_objects = htole32(info->max_objects),
		.max_sessions = htole32(info->max_sessions),
		.max_bytes = htole32(info->max_bytes),
	};

	memcpy(status.id, info->id, sizeof(status.id));
	memcpy(status.name, info->name, sizeof(status.name) - 1);
	hsm_put_raw(out, &status, sizeof(status));
}

#define LIST_MAX 500 /* records in one answer */

_Static_assert(LIST_MAX * sizeof(struct hsm_partition_status) <= 65536, "records fit their field");

static int by_slot(const void *a, const void *b)
{
	const struct board_partition *one = a, *other = b;

	return one->slot < other->slot ? -1 : one->slot > other->slot;
}

/* Return: the slot number where the rest begins; the device's own partition, which is in no list, is the last. */
static uint32_t put_records(struct hsm_writer *out, const struct board_partition *list,
			    size_t count, uint64_t from)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	size_t mark = hsm_put_begin(out, HSM_FIELD_RECORDS), put = 0, i;

	for (i = 0; i < count && put < LIST_MAX; i++) {
		if (list[i].slot < from || !memcmp(list[i].id, device, sizeof(device)))
			continue;
		put_record(out, &list[i]);
		put++;
	}
	hsm_put_end(out, mark);
	return i < count ? list[i].slot : UINT32_MAX;
}

CK_RV command_partition_list(struct command *command)
{
	struct board_partition *list = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0;
	uint32_t rest;
	int ret;

	if (!list)
		return CKR_HOST_MEMORY;
	ret = ask_board(BOARD_LIST, NULL, 0, list, BOARD_MESSAGE_MAX, &length);
	if (ret == 0) {
		qsort(list, length / sizeof(*list), sizeof(*list), by_slot);
		rest = put_records(&command->out, list, length / sizeof(*list),
				   hsm_fields_u64(&command->fields, HSM_FIELD_SLOT, 0));
		if (rest != UINT32_MAX)
			hsm_put_u32(&command->out, HSM_FIELD_SLOT, rest);
	}
	OPENSSL_free(list);
	return board_error(ret);
}

static uint32_t number(const struct command *command, enum hsm_field_tag tag, uint32_t absent)
{
	uint64_t value = hsm_fields_u64(&command->fields, tag, absent);

	return value > UINT32_MAX ? UINT32_MAX : value;
}

bool name_valid(const uint8_t *name, size_t length)
{
	unsigned long character;
	int n;

	if (!length || length >= BOARD_NAME_MAX)
		return false;
	for (; length; name += n, length -= n) {
		n = UTF8_getc(name, (int)length, &character);
		if (n <= 0 || character < 0x20 || (character >= 0x7f && character < 0xa0))
			return false;
	}
	return true;
}

static CK_RV take_name(const struct command *command, struct board_partition *info)
{
	const uint8_t *name;
	size_t length;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!name)
		return CKR_OK;
	if (!name_valid(name, length))
		return CKR_ARGUMENTS_BAD;
	memset(info->name, 0, sizeof(info->name));
	memcpy(info->name, name, length);
	return CKR_OK;
}

CK_RV partition_put_board(enum board_request type, struct board_partition *info,
			  const struct policy *policy)
{
	uint8_t *request = OPENSSL_malloc(sizeof(*info) + BOARD_POLICY_MAX);
	struct hsm_writer out;
	size_t length;
	int ret;

	if (!request)
		return CKR_HOST_MEMORY;
	hsm_writer_init(&out, request + sizeof(*info), BOARD_POLICY_MAX);
	ret = policy_to_board(policy, info, &out);
	memcpy(request, info, sizeof(*info));
	if (!ret)
		ret = ask_board(type, request, sizeof(*info) + out.length, info, sizeof(*info),
				&length);
	OPENSSL_free(request);
	if (!ret && type == BOARD_PARTITION_CREATE && length != sizeof(*info))
		return CKR_DEVICE_ERROR;
	return board_error(ret);
}

/* An owner whose key says nothing could never consent. */
static CK_RV take_policy(struct policy *policy, const struct hsm_fields *fields)
{
	const struct policy_blob *owner = &policy->blob[HSM_POLICY_BLOB_OWNER_KEY];
	CK_RV rv = policy_change(policy, fields);
	EVP_PKEY *key;

	if (rv != CKR_OK || !owner->length)
		return rv;
	key = officer_public_key(owner->data, owner->length);
	EVP_PKEY_free(key);
	return key ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV command_partition_create(struct command *command)
{
	struct board_partition info = { .function = number(command, HSM_FIELD_FUNCTION, 0) };
	/* What an officer makes is strict unless told otherwise; only the board's own first partition is not. */
	uint32_t profile = number(command, HSM_FIELD_PROFILE, HSM_PROFILE_STRICT);
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_PARTITION_CREATED, actor);
	struct policy policy;
	CK_RV rv = take_name(command, &info);

	if (profile >= HSM_PROFILES)
		return CKR_ARGUMENTS_BAD;
	policy_begin(&policy, profile);
	if (rv == CKR_OK)
		rv = take_policy(&policy, &command->fields);
	record.subject = info.name;
	record.function = info.function;
	if (rv == CKR_OK)
		rv = audit_asked(command, &record);
	if (rv != CKR_OK)
		return rv;
	rv = partition_put_board(BOARD_PARTITION_CREATE, &info, &policy);
	record.partition =
		(struct hsm_audit_bytes){ info.id, rv == CKR_OK ? PARTITION_ID_SIZE : 0 };
	record.number = info.slot;
	if (audit_answered(command, &record, rv) != CKR_OK)
		return rv;
	hsm_put_bytes(&command->out, HSM_FIELD_PARTITION, info.id, PARTITION_ID_SIZE);
	hsm_put_u32(&command->out, HSM_FIELD_SLOT, info.slot);
	return CKR_OK;
}

/* The partition that the command names; never the device's own */
static CK_RV named_partition(const struct command *command, uint8_t id[PARTITION_ID_SIZE])
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	const uint8_t *field;
	size_t length;

	field = hsm_fields_bytes(&command->fields, HSM_FIELD_PARTITION, &length);
	if (length != PARTITION_ID_SIZE || !memcmp(field, device, sizeof(device)))
		return CKR_ARGUMENTS_BAD;
	memcpy(id, field, PARTITION_ID_SIZE);
	return CKR_OK;
}

CK_RV command_partition_assign(struct command *command)
{
	struct board_partition info = { .function = number(command, HSM_FIELD_FUNCTION, 0) };
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_PARTITION_ASSIGNED, actor);
	size_t length;
	CK_RV rv = named_partition(command, info.id);

	record.partition = (struct hsm_audit_bytes){ info.id, PARTITION_ID_SIZE };
	record.function = info.function;
	if (rv == CKR_OK)
		rv = audit_asked(command, &record);
	if (rv != CKR_OK)
		return rv;
	rv = board_error(ask_board(BOARD_PARTITION_ASSIGN, &info, sizeof(info), &info, sizeof(info),
				   &length));
	return audit_answered(command, &record, rv);
}

/* ---- policies ---- */

static int find_info(const uint8_t id[PARTITION_ID_SIZE], struct board_partition *info)
{
	struct board_partition *list = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0, i;
	int ret = list ? ask_board(BOARD_LIST, NULL, 0, list, BOARD_MESSAGE_MAX, &length) : -ENOMEM;

	if (!ret)
		ret = -ENOENT;
	for (i = 0; ret == -ENOENT && i < length / sizeof(*list); i++) {
		if (memcmp(list[i].id, id, PARTITION_ID_SIZE))
			continue;
		*info = list[i];
		ret = 0;
	}
	OPENSSL_free(list);
	return ret;
}

int partition_policy_read(const uint8_t id[PARTITION_ID_SIZE], struct board_partition *info,
			  struct policy *policy)
{
	uint8_t *bytes = OPENSSL_malloc(BOARD_POLICY_MAX);
	size_t length = 0;
	int ret;

	if (!bytes)
		return -ENOMEM;
	ret = find_info(id, info);
	if (!ret)
		ret = ask_board(BOARD_POLICY, id, PARTITION_ID_SIZE, bytes, BOARD_POLICY_MAX,
				&length);
	if (!ret)
		ret = policy_from_board(policy, info, bytes, length);
	OPENSSL_free(bytes);
	return ret;
}

/* The partition that the command names and its policy, as the board has them */
static CK_RV read_partition(const struct command *command, struct board_partition *info,
			    struct policy *policy)
{
	uint8_t id[PARTITION_ID_SIZE];
	CK_RV rv = named_partition(command, id);

	return rv == CKR_OK ? board_error(partition_policy_read(id, info, policy)) : rv;
}

/* A policy that does not verify names no owner: what is damaged can still be destroyed, by as many officers as that takes. */
static CK_RV may_destroy(struct command *command, const uint8_t id[PARTITION_ID_SIZE])
{
	struct policy *policy = OPENSSL_malloc(sizeof(*policy));
	struct board_partition info;
	CK_RV rv;
	int ret;

	if (!policy)
		return CKR_HOST_MEMORY;
	ret = partition_policy_read(id, &info, policy);
	rv = ret && ret != -EBADMSG ? board_error(ret)
				    : approval_check(command, ret ? NULL : policy);
	OPENSSL_free(policy);
	return rv;
}

CK_RV command_partition_destroy(struct command *command)
{
	uint8_t id[PARTITION_ID_SIZE];
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_PARTITION_DESTROYED, actor);
	size_t length;
	CK_RV rv = named_partition(command, id);

	if (rv == CKR_OK)
		rv = may_destroy(command, id);
	record.partition = (struct hsm_audit_bytes){ id, PARTITION_ID_SIZE };
	if (rv == CKR_OK)
		rv = audit_asked(command, &record);
	if (rv != CKR_OK)
		return rv;
	rv = board_error(ask_board(BOARD_PARTITION_DESTROY, id, sizeof(id), NULL, 0, &length));
	return audit_answered(command, &record, rv);
}

static CK_RV update(struct command *command, struct board_partition *info, struct policy *next,
		    bool relaxes)
{
	uint8_t fingerprint[POLICY_FINGERPRINT];
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(
		command, relaxes ? HSM_AUDIT_POLICY_RELAXED : HSM_AUDIT_POLICY_CHANGED, actor);
	CK_RV rv;

	if (policy_fingerprint(next, fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	record.subject = info->name;
	record.partition = (struct hsm_audit_bytes){ info->id, PARTITION_ID_SIZE };
	record.fingerprint = (struct hsm_audit_bytes){ fingerprint, sizeof(fingerprint) };
	rv = audit_asked(command, &record);
	if (rv != CKR_OK)
		return rv;
	return audit_answered(command, &record,
			      partition_put_board(BOARD_PARTITION_UPDATE, info, next));
}

/*
 * A stricter policy is always taken. What allows more than before must be said to do so: nobody loosens a policy by a slip
 * in a command that was meant to tighten it.
 */
static CK_RV read_and_update(struct command *command, uint64_t flags)
{
	struct board_partition info;
	struct policy now, next;
	bool relaxes;
	CK_RV rv;

	rv = read_partition(command, &info, &now);
	if (rv != CKR_OK)
		return rv;
	next = now;
	rv = take_policy(&next, &command->fields);
	if (rv == CKR_OK)
		rv = take_name(command, &info);
	relaxes = policy_relaxes(&now, &next);
	if (rv == CKR_OK && relaxes && !(flags & HSM_UPDATE_RELAX))
		rv = CKR_ACTION_PROHIBITED;
	/* Now's owner is asked, who may be another one next. */
	if (rv == CKR_OK && relaxes)
		rv = approval_check(command, &now);
	return rv == CKR_OK ? update(command, &info, &next, relaxes) : rv;
}

/* One at a time: of two that began with the same policy the later one would undo what the other one has made stricter. */
CK_RV command_partition_update(struct command *command)
{
	static pthread_mutex_t updating = PTHREAD_MUTEX_INITIALIZER;
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	CK_RV rv;

	if (flags & ~(uint64_t)HSM_UPDATE_RELAX)
		return CKR_ARGUMENTS_BAD;
	pthread_mutex_lock(&updating);
	rv = read_and_update(command, flags);
	pthread_mutex_unlock(&updating);
	return rv;
}

static CK_RV put_policy(struct command *command, const struct policy *policy)
{
	uint8_t fingerprint[POLICY_FINGERPRINT];

	if (policy_fingerprint(policy, fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	policy_put(&command->out, policy);
	hsm_put_bytes(&command->out, HSM_FIELD_FINGERPRINT, fingerprint, sizeof(fingerprint));
	return CKR_OK;
}

CK_RV command_partition_policy(struct command *command)
{
	struct board_partition info;
	struct policy policy;
	CK_RV rv = read_partition(command, &info, &policy);

	return rv == CKR_OK ? put_policy(command, &policy) : rv;
}

CK_RV command_policy(struct command *command)
{
	return put_policy(command, policy_of(command->partition));
}
