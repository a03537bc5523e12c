// SPDX-License-Identifier: Apache-2.0
/*
 * Administration of the device, over function 0 alone: claiming it, the officer's login, and partitions. The board
 * keeps the partitions; here is decided who may ask for what.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <openssl/asn1.h>
#include <openssl/rand.h>
#include "commands.h"

static CK_RV board_error(int error)
{
	switch (error) {
	case 0:
		return CKR_OK;
	case -EACCES:
	case -EPERM:
		return CKR_PIN_INCORRECT;
	case -EALREADY:
		return CKR_USER_ALREADY_LOGGED_IN;
	case -ENOENT:
		return CKR_OBJECT_HANDLE_INVALID;
	case -EINVAL:
	case -EEXIST:
	case -ERANGE:
		return CKR_ARGUMENTS_BAD;
	case -ENOSPC:
	case -EDQUOT:
	case -EUSERS:
		return CKR_DEVICE_MEMORY;
	default:
		return CKR_DEVICE_ERROR;
	}
}

static int ask_board(enum board_request type, const void *body, size_t size, void *reply,
		     size_t capacity, size_t *length)
{
	struct iovec part = { .iov_base = (void *)body, .iov_len = size };

	return storage_call(type, &part, size ? 1 : 0, reply, capacity, length);
}

/* On a user's own board that user is the officer. */
static bool embedded_owner(const struct command *command)
{
	return command->client->owner && (partitions_hello()->flags & BOARD_HELLO_EMBEDDED);
}

/* ---- the officer ---- */

static CK_RV commit_officer(struct partition *partition, const struct credential *officer,
			    bool pending)
{
	struct partition_state next = partition->state;
	CK_RV rv;

	next.so = *officer;
	next.flags &= ~STATE_CLAIM_PENDING;
	if (pending)
		next.flags |= STATE_CLAIM_PENDING;
	rv = store_commit(partition, &next, NULL, 0, true);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static bool board_claimed(void)
{
	struct board_hello hello;
	size_t length;

	return ask_board(BOARD_HELLO, NULL, 0, &hello, sizeof(hello), &length) == 0 &&
	       length == sizeof(hello) && (hello.flags & BOARD_HELLO_CLAIMED);
}

/*
 * The PIN is stored before the code is tried, marked as pending, so that there is no moment at which the board is
 * claimed and nobody is its officer. A pending PIN counts once the board is claimed. The caller holds commit_lock.
 */
static CK_RV claim_by_code(struct partition *partition, const struct credential *officer,
			   const uint8_t *code, size_t size)
{
	const struct credential none = { 0 };
	size_t length;
	CK_RV rv;

	if (board_claimed())
		return CKR_USER_ALREADY_LOGGED_IN;
	rv = commit_officer(partition, officer, true);
	if (rv != CKR_OK)
		return rv;
	rv = board_error(ask_board(BOARD_CLAIM, code, size, NULL, 0, &length));
	if (rv == CKR_OK)
		return commit_officer(partition, officer, false);
	commit_officer(partition, &none, false);
	return rv;
}

static bool has_officer(const struct partition_state *state)
{
	return state->so.set && (!(state->flags & STATE_CLAIM_PENDING) || board_claimed());
}

CK_RV command_claim(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *code, *pin;
	struct credential officer;
	size_t size, length;
	CK_RV rv;

	code = hsm_fields_bytes(&command->fields, HSM_FIELD_CODE, &size);
	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &length);
	if (!code && !embedded_owner(command))
		return CKR_ARGUMENTS_BAD;
	if (RAND_priv_bytes_ex(mech_libctx(), private_key, sizeof(private_key), 0) != 1)
		return CKR_FUNCTION_FAILED;
	rv = pin_make(&officer, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->commit_lock);
	if (has_officer(&partition->state))
		rv = CKR_USER_ALREADY_LOGGED_IN;
	else if (code)
		rv = claim_by_code(partition, &officer, code, size);
	else
		rv = commit_officer(partition, &officer, false);
	pthread_mutex_unlock(&partition->commit_lock);
	if (rv == CKR_OK)
		command->client->officer = true;
	return rv;
}

CK_RV command_officer_login(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *pin;
	size_t length;
	bool known;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	if (command->client->officer)
		return CKR_USER_ALREADY_LOGGED_IN;
	pthread_mutex_lock(&partition->commit_lock);
	known = has_officer(&partition->state);
	pthread_mutex_unlock(&partition->commit_lock);
	if (!known)
		return CKR_USER_PIN_NOT_INITIALIZED;
	rv = pin_check(partition, CKU_SO, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv == CKR_OK)
		command->client->officer = true;
	return rv;
}

CK_RV command_officer_pin(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	struct credential officer;
	const uint8_t *pin, *new_pin;
	size_t length, new_length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	new_pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &new_length);
	if (pin_length(new_length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	rv = pin_check(partition, CKU_SO, pin, length, private_key);
	if (rv == CKR_OK)
		rv = pin_make(&officer, new_pin, new_length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->commit_lock);
	rv = commit_officer(partition, &officer, false);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

/* ---- the device ---- */

CK_RV command_device_status(struct command *command)
{
	struct board_hello hello;
	uint64_t counter = 0;
	size_t length;
	int ret;

	ret = ask_board(BOARD_HELLO, NULL, 0, &hello, sizeof(hello), &length);
	if (ret < 0 || length != sizeof(hello))
		return CKR_DEVICE_ERROR;
	ret = ask_board(BOARD_COUNTER, NULL, 0, &counter, sizeof(counter), &length);
	if (ret < 0 || length != sizeof(counter))
		return CKR_DEVICE_ERROR;
	hsm_put_u64(&command->out, HSM_FIELD_FLAGS, hello.flags);
	hsm_put_u64(&command->out, HSM_FIELD_COUNT, hello.functions);
	hsm_put_u64(&command->out, HSM_FIELD_COUNTER, counter);
	hsm_put_u64(&command->out, HSM_FIELD_STATE, command->client->officer);
	return CKR_OK;
}

/* ---- partitions ---- */

static void put_record(struct hsm_writer *out, const struct board_partition *info)
{
	struct hsm_partition_status status = {
		.function = htole32(info->function),
		.slot = htole32(info->slot),
		.profile = htole32(!!(info->flags & BOARD_PARTITION_STRICT)),
		.max_objects = htole32(info->max_objects),
		.max_sessions = htole32(info->max_sessions),
		.max_bytes = htole32(info->max_bytes),
	};

	memcpy(status.id, info->id, sizeof(status.id));
	memcpy(status.name, info->name, sizeof(status.name) - 1);
	hsm_put_raw(out, &status, sizeof(status));
}

CK_RV command_partition_list(struct command *command)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct board_partition *list = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0, mark, i;
	int ret;

	if (!list)
		return CKR_HOST_MEMORY;
	ret = ask_board(BOARD_LIST, NULL, 0, list, BOARD_MESSAGE_MAX, &length);
	if (ret == 0) {
		mark = hsm_put_begin(&command->out, HSM_FIELD_RECORDS);
		for (i = 0; i < length / sizeof(*list); i++)
			if (memcmp(list[i].id, device, sizeof(device)))
				put_record(&command->out, &list[i]);
		hsm_put_end(&command->out, mark);
	}
	OPENSSL_free(list);
	return board_error(ret);
}

static uint32_t number(const struct command *command, enum hsm_field_tag tag, uint32_t absent)
{
	uint64_t value = hsm_fields_u64(&command->fields, tag, absent);

	return value > UINT32_MAX ? UINT32_MAX : value;
}

/* UTF-8 without control characters: it is shown on terminals and in lists. */
static bool name_valid(const uint8_t *name, size_t length)
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

CK_RV command_partition_create(struct command *command)
{
	struct board_partition info = { .flags = BOARD_PARTITION_STRICT };
	const uint8_t *name;
	size_t length;
	int ret;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!name_valid(name, length))
		return CKR_ARGUMENTS_BAD;
	memcpy(info.name, name, length);
	/* What an officer makes is strict unless told otherwise; only the board's own first partition is not. */
	switch (number(command, HSM_FIELD_PROFILE, 1)) {
	case 0:
		info.flags = 0;
		break;
	case 1:
		break;
	default:
		return CKR_ARGUMENTS_BAD;
	}
	info.function = number(command, HSM_FIELD_FUNCTION, 0);
	info.max_objects = number(command, HSM_FIELD_MAX_OBJECTS, 0);
	info.max_sessions = number(command, HSM_FIELD_MAX_SESSIONS, 0);
	info.max_bytes = number(command, HSM_FIELD_MAX_BYTES, 0);
	ret = ask_board(BOARD_PARTITION_CREATE, &info, sizeof(info), &info, sizeof(info), &length);
	if (ret < 0)
		return board_error(ret);
	if (length != sizeof(info))
		return CKR_DEVICE_ERROR;
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
	size_t length;
	CK_RV rv = named_partition(command, info.id);

	if (rv != CKR_OK)
		return rv;
	return board_error(ask_board(BOARD_PARTITION_ASSIGN, &info, sizeof(info), &info,
				     sizeof(info), &length));
}

CK_RV command_partition_destroy(struct command *command)
{
	uint8_t id[PARTITION_ID_SIZE];
	size_t length;
	CK_RV rv = named_partition(command, id);

	if (rv != CKR_OK)
		return rv;
	return board_error(
		ask_board(BOARD_PARTITION_DESTROY, id, sizeof(id), id, sizeof(id), &length));
}
