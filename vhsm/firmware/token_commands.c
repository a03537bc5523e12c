// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about the token and its sessions. PKCS#11 3.2, 5.5 and 5.6. PINs and logins are in pin_commands.c.
 */
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include "audit.h"
#include "builtin_objects.h"
#include "users.h"
#include "selftest.h"
#include "validation.h"

CK_RV command_nop(struct command *command)
{
	const struct hsm_field *data = hsm_fields_find(&command->fields, HSM_FIELD_DATA);

	if (data)
		hsm_put_bytes(&command->out, HSM_FIELD_DATA, data->data, data->length);
	return CKR_OK;
}

/* ---- token ---- */

/* What C_GetTokenInfo says of a PIN; the SO's flags are the user's, further up */
#define SO_SHIFT 4

_Static_assert(CKF_SO_PIN_COUNT_LOW == CKF_USER_PIN_COUNT_LOW << SO_SHIFT &&
		       CKF_SO_PIN_TO_BE_CHANGED == CKF_USER_PIN_TO_BE_CHANGED << SO_SHIFT,
	       "flags of PINs");

static uint64_t credential_flags(const struct partition *partition,
				 const struct credential *credential)
{
	uint32_t tries = policy_value(partition, HSM_POLICY_PIN_TRIES);
	uint64_t flags = 0;

	if (!credential->set)
		return 0;
	if (pin_expired(partition, credential))
		flags |= CKF_USER_PIN_TO_BE_CHANGED;
	if (!credential->failures)
		return flags;
	flags |= CKF_USER_PIN_COUNT_LOW;
	if (credential->failures >= tries)
		flags |= CKF_USER_PIN_LOCKED;
	else if (credential->failures == tries - 1)
		flags |= CKF_USER_PIN_FINAL_TRY;
	return flags;
}

static uint64_t token_flags(const struct partition *partition)
{
	const struct partition_state *state = &partition->state;
	uint64_t flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_CLOCK_ON_TOKEN |
			 CKF_DUAL_CRYPTO_OPERATIONS | CKF_ASYNC_SESSION_SUPPORTED;

	if (state->flags & STATE_INITIALIZED)
		flags |= CKF_TOKEN_INITIALIZED;
	if (state->user.set)
		flags |= CKF_USER_PIN_INITIALIZED;
	flags |= credential_flags(partition, &state->user);
	return flags | credential_flags(partition, &state->so) << SO_SHIFT;
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
		    token_flags(partition) | (selftest_failed() ? CKF_ERROR_STATE : 0));
	hsm_put_u64(out, HSM_FIELD_SESSIONS, command->client->count);
	hsm_put_u64(out, HSM_FIELD_RW_SESSIONS, command->client->rw_count);
	hsm_put_u64(out, HSM_FIELD_MAX_SESSIONS, partition->info.max_sessions);
	hsm_put_u64(out, HSM_FIELD_TOTAL_MEMORY, partition->info.max_bytes);
	hsm_put_u64(out, HSM_FIELD_FREE_MEMORY,
		    partition->token_bytes < partition->info.max_bytes
			    ? partition->info.max_bytes - partition->token_bytes
			    : 0);
	hsm_put_u64(out, HSM_FIELD_MIN, policy_value(partition, HSM_POLICY_PIN_MIN));
	hsm_put_u64(out, HSM_FIELD_MAX, policy_value(partition, HSM_POLICY_PIN_MAX));
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

static CK_RV reset(struct command *command, const struct credential *so, const uint8_t *label)
{
	const struct hsm_audit_record record = { .event = HSM_AUDIT_TOKEN_INITIALIZED,
						 .actor = "so",
						 .operation = command->info->code };
	struct partition *partition = command->partition;
	struct user_table *users;
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	users = partition->state.users;
	next = partition->state;
	next.flags |= STATE_INITIALIZED;
	memcpy(next.label, label, LABEL_SIZE);
	next.so = *so;
	memset(&next.user, 0, sizeof(next.user));
	next.users = NULL;
	rv = audit_record(partition, &next, &record);
	if (rv == CKR_OK)
		rv = partition_reset(partition, &next);
	/* Gone with the first commit, also when a later one failed */
	if (partition->state.users != users)
		users_free(users);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	atomic_fetch_add(&partition->changes, 1);
	firmware_event(IHSM_EVENT_PARTITIONS, 0);
	return rv;
}

static CK_RV token_init(struct command *command, const uint8_t *pin, size_t length,
			const uint8_t *label)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	struct credential so;
	CK_RV rv = CKR_OK;

	if (partition->state.flags & STATE_INITIALIZED)
		rv = pin_check(command, CKU_SO, pin, length, private_key);
	/* What the old key sealed goes; so does the key. */
	if (rv == CKR_OK && RAND_priv_bytes_ex(mech_libctx(), private_key, SECRET_SIZE, 0) != 1)
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		rv = pin_make(partition, NULL, &so, pin, length, private_key);
	if (rv == CKR_OK)
		rv = reset(command, &so, label);
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
	rv = token_init(command, pin, pin_size, label);
	end_reset(command->partition);
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
		state = session_writes(session) ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
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
		{ CKF_ENCRYPT, MECH_ENCRYPT },
		{ CKF_DECRYPT, MECH_DECRYPT },
		{ CKF_DIGEST, MECH_DIGEST },
		{ CKF_SIGN, MECH_SIGN },
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

CK_RV command_stop(struct command *command)
{
	session_stop(command->session);
	return CKR_OK;
}

CK_RV command_validation_flags(struct command *command)
{
	bool valid = command->session->last_approved && validation_attributes();

	hsm_put_u64(&command->out, HSM_FIELD_FLAGS, valid ? VALIDATION_FLAG : 0);
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
