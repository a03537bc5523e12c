// SPDX-License-Identifier: Apache-2.0
/*
 * Administration of the device, over function 0 alone: claiming it, the officer's login, its state. Partitions are in
 * partition_commands.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <openssl/rand.h>
#include "audit.h"
#include "users.h"

CK_RV board_error(int error)
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
	case -EKEYREVOKED:
	case -EBUSY:
		return CKR_ACTION_PROHIBITED;
	case -ENOSPC:
	case -EDQUOT:
	case -EUSERS:
		return CKR_DEVICE_MEMORY;
	default:
		return CKR_DEVICE_ERROR;
	}
}

int ask_board(enum board_request type, const void *body, size_t size, void *reply, size_t capacity,
	      size_t *length)
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
	/* That it was claimed, or tried, is an event of the board, which remembers it in its fuses. */
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
	rv = pin_make(partition, NULL, &officer, pin, length, private_key);
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
	OPENSSL_cleanse(&officer, sizeof(officer));
	if (rv == CKR_OK)
		command->client->officer = true;
	return rv;
}

/* By name, or the first officer, who has none */
static CK_RV find_officer(const struct command *command, uint32_t *account, uint32_t *role)
{
	struct partition *partition = command->partition;
	const struct named_user *user;
	const uint8_t *name;
	size_t length;
	CK_RV rv = CKR_OK;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	*account = CKU_SO;
	*role = ROLE_OFFICER;
	pthread_mutex_lock(&partition->commit_lock);
	user = length ? user_by_name(partition->state.users, name, length) : NULL;
	if (user) {
		*account = user->account;
		*role = user->role;
	} else if (length) {
		rv = CKR_PIN_INCORRECT;
	} else if (!has_officer(&partition->state)) {
		rv = CKR_USER_PIN_NOT_INITIALIZED;
	}
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

/* Who is an officer without a login, as the owner of the directory, can be one by name as well. */
static bool by_ownership(const struct command *command)
{
	return embedded_owner(command) && command->client->account == CKU_SO &&
	       hsm_fields_find(&command->fields, HSM_FIELD_NAME);
}

/*
 * The account may have been removed while the PIN was checked, and its clients logged out. That is done under the same
 * lock, after the table has been changed: either it is seen here, or the login is seen there.
 */
static CK_RV enter(struct partition *partition, struct client *client, uint32_t account,
		   uint32_t role)
{
	bool there;

	pthread_mutex_lock(&partition->lock);
	there = account == CKU_SO || user_by_account(partition->state.users, account);
	if (there) {
		client->account = account;
		client->officer = role == ROLE_OFFICER;
		client->auditor = role == ROLE_AUDITOR;
	}
	pthread_mutex_unlock(&partition->lock);
	return there ? CKR_OK : CKR_PIN_INCORRECT;
}

CK_RV command_officer_login(struct command *command)
{
	struct client *client = command->client;
	uint8_t private_key[SECRET_SIZE];
	uint32_t account, role;
	const uint8_t *pin;
	size_t length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	if ((client->officer || client->auditor) && !by_ownership(command))
		return CKR_USER_ALREADY_LOGGED_IN;
	rv = find_officer(command, &account, &role);
	if (rv == CKR_OK)
		rv = pin_check(command, account, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv == CKR_OK ? enter(command->partition, client, account, role) : rv;
}

static CK_RV copy_credential(struct partition *partition, uint32_t account,
			     struct credential *credential)
{
	const struct credential *found;

	pthread_mutex_lock(&partition->commit_lock);
	found = credential_of(&partition->state, account);
	if (found)
		*credential = *found;
	pthread_mutex_unlock(&partition->commit_lock);
	return found ? CKR_OK : CKR_USER_TYPE_INVALID;
}

/* Of whoever is logged in */
CK_RV command_officer_pin(struct command *command)
{
	struct partition *partition = command->partition;
	uint32_t account = command->client->account;
	uint8_t private_key[SECRET_SIZE];
	struct credential old = { 0 }, officer = { 0 };
	const uint8_t *pin, *new_pin;
	size_t length, new_length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	new_pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &new_length);
	if (pin_length(partition, new_length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	rv = pin_check(command, account, pin, length, private_key);
	if (rv == CKR_OK)
		rv = copy_credential(partition, account, &old);
	if (rv == CKR_OK)
		rv = pin_make(partition, &old, &officer, new_pin, new_length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv == CKR_OK)
		rv = credential_store(command, account, &officer);
	OPENSSL_cleanse(&old, sizeof(old));
	OPENSSL_cleanse(&officer, sizeof(officer));
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
