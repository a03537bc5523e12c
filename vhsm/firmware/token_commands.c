// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about the token, its PINs, sessions and logins. PKCS#11 3.2, 5.5 and 5.6.
 */
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include "builtin_objects.h"
#include "commands.h"
#include "selftest.h"

CK_RV command_nop(struct command *command)
{
	const struct hsm_field *data = hsm_fields_find(&command->fields, HSM_FIELD_DATA);

	if (data)
		hsm_put_bytes(&command->out, HSM_FIELD_DATA, data->data, data->length);
	return CKR_OK;
}

/* ---- token ---- */

static uint64_t credential_flags(const struct credential *credential, uint64_t low, uint64_t final,
				 uint64_t locked)
{
	if (!credential->set || !credential->failures)
		return 0;
	if (credential->failures >= PIN_TRIES)
		return low | locked;
	return credential->failures == PIN_TRIES - 1 ? low | final : low;
}

static uint64_t token_flags(const struct partition_state *state)
{
	uint64_t flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_CLOCK_ON_TOKEN |
			 CKF_DUAL_CRYPTO_OPERATIONS | CKF_ASYNC_SESSION_SUPPORTED;

	if (state->flags & STATE_INITIALIZED)
		flags |= CKF_TOKEN_INITIALIZED;
	if (state->user.set)
		flags |= CKF_USER_PIN_INITIALIZED;
	flags |= credential_flags(&state->user, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY,
				  CKF_USER_PIN_LOCKED);
	return flags | credential_flags(&state->so, CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY,
					CKF_SO_PIN_LOCKED);
}

CK_RV command_token_info(struct command *command)
{
	struct partition *partition = command->partition;
	struct hsm_writer *out = &command->out;
	const uint8_t *id = partition->info.id;
	char serial[17], time[CLOCK_TEXT_SIZE];

	snprintf(serial, sizeof(serial), "%02x%02x%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2],
		 id[3], id[4], id[5], id[6], id[7]);
	pthread_mutex_lock(&partition->lock);
	hsm_put_bytes(out, HSM_FIELD_LABEL, partition->state.label, LABEL_SIZE);
	hsm_put_bytes(out, HSM_FIELD_SERIAL, serial, 16);
	hsm_put_u64(out, HSM_FIELD_FLAGS,
		    token_flags(&partition->state) | (selftest_failed() ? CKF_ERROR_STATE : 0));
	hsm_put_u64(out, HSM_FIELD_SESSIONS, command->client->count);
	hsm_put_u64(out, HSM_FIELD_RW_SESSIONS, command->client->rw_count);
	hsm_put_u64(out, HSM_FIELD_MAX_SESSIONS, partition->info.max_sessions);
	hsm_put_u64(out, HSM_FIELD_TOTAL_MEMORY, partition->info.max_bytes);
	hsm_put_u64(out, HSM_FIELD_FREE_MEMORY,
		    partition->token_bytes < partition->info.max_bytes
			    ? partition->info.max_bytes - partition->token_bytes
			    : 0);
	hsm_put_u64(out, HSM_FIELD_MIN, PIN_MIN);
	hsm_put_u64(out, HSM_FIELD_MAX, PIN_MAX);
	hsm_put_u32(out, HSM_FIELD_PROFILE, policy_of(partition)->profile);
	pthread_mutex_unlock(&partition->lock);
	clock_text(time);
	hsm_put_bytes(out, HSM_FIELD_TIME, time, sizeof(time));
	return CKR_OK;
}

CK_RV command_mechanism_list(struct command *command)
{
	const struct hsm_mechanism_info *info;
	size_t mark, i;
	uint64_t type;

	mark = hsm_put_begin(&command->out, HSM_FIELD_TYPES);
	for (i = 0; (info = hsm_mechanism_at(i)); i++) {
		type = htole64(info->mechanism);
		if (policy_flags(command->partition, info))
			hsm_put_raw(&command->out, &type, sizeof(type));
	}
	hsm_put_end(&command->out, mark);
	return CKR_OK;
}

CK_RV command_mechanism_info(struct command *command)
{
	uint64_t type = hsm_fields_u64(&command->fields, HSM_FIELD_MECHANISM, 0);
	const struct hsm_mechanism_info *info = hsm_mechanism_find(type);

	uint64_t flags = info ? policy_flags(command->partition, info) : 0;
	uint32_t min, max;

	if (!flags)
		return CKR_MECHANISM_INVALID;
	policy_limits(command->partition, info, &min, &max);
	hsm_put_u64(&command->out, HSM_FIELD_MIN, min);
	hsm_put_u64(&command->out, HSM_FIELD_MAX, max);
	hsm_put_u64(&command->out, HSM_FIELD_FLAGS, flags);
	return CKR_OK;
}

/* ---- C_InitToken ---- */

/* No session may be open, of whatever client, nor be opened until end_reset() */
static CK_RV begin_reset(struct partition *partition)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&partition->lock);
	if (partition->sessions || partition->resetting)
		rv = CKR_SESSION_EXISTS;
	else
		partition->resetting = true;
	pthread_mutex_unlock(&partition->lock);
	return rv;
}

static void end_reset(struct partition *partition)
{
	pthread_mutex_lock(&partition->lock);
	partition->resetting = false;
	pthread_mutex_unlock(&partition->lock);
}

static CK_RV reset(struct partition *partition, const struct credential *so, const uint8_t *label)
{
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	next.flags |= STATE_INITIALIZED;
	memcpy(next.label, label, LABEL_SIZE);
	next.so = *so;
	memset(&next.user, 0, sizeof(next.user));
	rv = partition_reset(partition, &next);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static CK_RV token_init(struct partition *partition, const uint8_t *pin, size_t length,
			const uint8_t *label)
{
	uint8_t private_key[SECRET_SIZE];
	struct credential so;
	CK_RV rv = CKR_OK;

	if (partition->state.flags & STATE_INITIALIZED)
		rv = pin_check(partition, CKU_SO, pin, length, private_key);
	/* What the old key sealed goes; so does the key. */
	if (rv == CKR_OK && RAND_priv_bytes_ex(mech_libctx(), private_key, SECRET_SIZE, 0) != 1)
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		rv = pin_make(&so, pin, length, private_key);
	if (rv == CKR_OK)
		rv = reset(partition, &so, label);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

CK_RV command_token_init(struct command *command)
{
	const uint8_t *pin, *label;
	size_t pin_size, label_size;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &pin_size);
	label = hsm_fields_bytes(&command->fields, HSM_FIELD_LABEL, &label_size);
	if (label_size != LABEL_SIZE)
		return CKR_ARGUMENTS_BAD;
	rv = begin_reset(command->partition);
	if (rv != CKR_OK)
		return rv;
	rv = token_init(command->partition, pin, pin_size, label);
	end_reset(command->partition);
	return rv;
}

/* ---- PINs ---- */

static CK_RV store_credential(struct partition *partition, int user,
			      const struct credential *credential)
{
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	if (user == CKU_USER)
		next.user = *credential;
	else
		next.so = *credential;
	/* The old PIN must not come back with an older copy. */
	rv = store_commit(partition, &next, NULL, 0, true);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV command_pin_init(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	struct credential user;
	const uint8_t *pin;
	size_t length;
	bool so;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &length);
	pthread_mutex_lock(&partition->lock);
	so = session_so(command->session);
	memcpy(private_key, partition->private_key, SECRET_SIZE);
	pthread_mutex_unlock(&partition->lock);
	rv = so ? pin_make(&user, pin, length, private_key) : CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK)
		rv = store_credential(partition, CKU_USER, &user);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

CK_RV command_pin_set(struct command *command)
{
	int user = session_so(command->session) ? CKU_SO : CKU_USER;
	uint8_t private_key[SECRET_SIZE];
	struct credential credential;
	const uint8_t *pin, *new_pin;
	size_t length, new_length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	new_pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &new_length);
	if (!command->session->rw)
		return CKR_SESSION_READ_ONLY;
	if (pin_length(new_length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	rv = pin_check(command->partition, user, pin, length, private_key);
	if (rv != CKR_OK)
		return rv;
	rv = pin_make(&credential, new_pin, new_length, private_key);
	if (rv == CKR_OK)
		rv = store_credential(command->partition, user, &credential);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/* ---- login ---- */

/* May this client log in so? The caller holds partition->lock. */
static CK_RV may_login(const struct client *client, int user)
{
	if (client->login == user)
		return CKR_USER_ALREADY_LOGGED_IN;
	if (client->login != NOT_LOGGED_IN)
		return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	if (user == CKU_SO && client->count != client->rw_count)
		return CKR_SESSION_READ_ONLY_EXISTS;
	return CKR_OK;
}

static CK_RV login(struct command *command, int user, const uint8_t *pin, size_t length)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	CK_RV rv;

	pthread_mutex_lock(&partition->lock);
	rv = may_login(command->client, user);
	pthread_mutex_unlock(&partition->lock);
	if (rv != CKR_OK)
		return rv;
	rv = pin_check(partition, user, pin, length, private_key);
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->lock);
	rv = may_login(command->client, user);
	if (rv == CKR_OK && (command->client->closed || !command->client->count))
		rv = CKR_SESSION_HANDLE_INVALID;
	if (rv == CKR_OK)
		rv = partition_login(partition, command->client, user, private_key);
	pthread_mutex_unlock(&partition->lock);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/* CKU_CONTEXT_SPECIFIC: the PIN once more, for an operation with a key that asks for it each time */
static CK_RV login_operation(struct command *command, const uint8_t *pin, size_t length)
{
	uint8_t private_key[SECRET_SIZE];
	struct operation *operation = NULL;
	unsigned int use;
	CK_RV rv;

	for (use = 0; use < OPERATIONS; use++)
		if (command->session->operation[use].needs_pin)
			operation = &command->session->operation[use];
	if (!operation)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!session_user(command->session))
		return CKR_USER_NOT_LOGGED_IN;
	rv = pin_check(command->partition, CKU_USER, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv == CKR_OK)
		operation->needs_pin = false;
	return rv;
}

CK_RV command_login(struct command *command)
{
	uint64_t user = hsm_fields_u64(&command->fields, HSM_FIELD_USER, ~0ULL);
	const uint8_t *pin;
	size_t length;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	if (user == CKU_CONTEXT_SPECIFIC)
		return login_operation(command, pin, length);
	if (user != CKU_USER && user != CKU_SO)
		return CKR_USER_TYPE_INVALID;
	return login(command, user, pin, length);
}

CK_RV command_logout(struct command *command)
{
	struct partition *partition = command->partition;
	CK_RV rv = CKR_USER_NOT_LOGGED_IN;

	pthread_mutex_lock(&partition->lock);
	if (command->client->login != NOT_LOGGED_IN) {
		partition_logout(partition, command->client);
		rv = CKR_OK;
	}
	pthread_mutex_unlock(&partition->lock);
	return rv;
}

/* ---- sessions ---- */

CK_RV command_session_open(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);

	if (!(flags & CKF_SERIAL_SESSION))
		return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	if (flags & ~(uint64_t)(CKF_SERIAL_SESSION | CKF_RW_SESSION))
		return CKR_ARGUMENTS_BAD;
	return session_open(command->client, flags & CKF_RW_SESSION, &command->answer);
}

CK_RV command_session_close(struct command *command)
{
	return session_close(command->client, command->session->id);
}

CK_RV command_session_close_all(struct command *command)
{
	sessions_close(command->client);
	return CKR_OK;
}

CK_RV command_session_info(struct command *command)
{
	const struct session *session = command->session;
	uint64_t flags = CKF_SERIAL_SESSION, state;

	if (session->rw)
		flags |= CKF_RW_SESSION;
	if (session_so(session))
		state = CKS_RW_SO_FUNCTIONS;
	else if (session_user(session))
		state = session->rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
	else
		state = session->rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
	hsm_put_u64(&command->out, HSM_FIELD_STATE, state);
	hsm_put_u64(&command->out, HSM_FIELD_FLAGS, flags);
	return CKR_OK;
}

CK_RV command_session_cancel(struct command *command)
{
	static const struct {
		uint64_t flag;
		unsigned int use;
	} uses[] = {
		{ CKF_ENCRYPT, MECH_ENCRYPT }, { CKF_DECRYPT, MECH_DECRYPT },
		{ CKF_DIGEST, MECH_DIGEST },   { CKF_SIGN, MECH_SIGN },
		{ CKF_VERIFY, MECH_VERIFY },
		{ CKF_SIGN_RECOVER, MECH_SIGN_RECOVER },
		{ CKF_VERIFY_RECOVER, MECH_VERIFY_RECOVER },
		{ CKF_MESSAGE_ENCRYPT, OPERATION_MESSAGE_ENCRYPT },
		{ CKF_MESSAGE_DECRYPT, OPERATION_MESSAGE_DECRYPT },
		{ CKF_MESSAGE_SIGN, OPERATION_MESSAGE_SIGN },
		{ CKF_MESSAGE_VERIFY, OPERATION_MESSAGE_VERIFY },
	};
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (flags & uses[i].flag)
			operation_end(&command->session->operation[uses[i].use]);
	if (flags & CKF_FIND_OBJECTS)
		find_end(command->session);
	return CKR_OK;
}

/* ---- random ---- */

CK_RV command_random(struct command *command)
{
	uint64_t length = hsm_fields_u64(&command->fields, HSM_FIELD_LENGTH, 0);
	uint8_t *room;

	if (length > HSM_DATA_MAX ||
	    length > command->out.capacity - sizeof(struct hsm_field_header))
		return CKR_ARGUMENTS_BAD;
	command->crypto = true;
	command->approved = mech_approved_mode();
	room = hsm_put_reserve(&command->out, HSM_FIELD_DATA, length);
	return room ? mech_random(room, length) : CKR_DEVICE_MEMORY;
}

CK_RV command_seed(struct command *command)
{
	const uint8_t *data;
	size_t length;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	return mech_seed(data, length);
}
