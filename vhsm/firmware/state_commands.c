// SPDX-License-Identifier: Apache-2.0
/*
 * The state of a session's operations, taken out and put back (C_GetOperationState, C_SetOperationState).
 * libcrypto has no public way to take a digest, a MAC or a cipher apart. What is saved is how each
 * operation was begun and what has gone in so far, up to a limit; putting it back does that over again,
 * and so passes every check of key, mechanism and role that a new operation passes.
 *
 * It leaves sealed, for this partition, login and profile alone. Keys stay here: their handles are in it,
 * and the caller names the keys again. Encryption with a nonce is not saved at all: two copies of such a
 * state would encrypt different texts under one nonce.
 */
#include <string.h>
#include "operation.h"

#define STATE_VERSION 1
#define STATE_MAX     (HSM_DATA_MAX - 1024)

static const enum mech_use saveable[] = { MECH_ENCRYPT, MECH_DECRYPT, MECH_DIGEST, MECH_SIGN,
					  MECH_VERIFY };
#define SAVEABLE (sizeof(saveable) / sizeof(saveable[0]))

/* First of the plain state; one struct saved_operation for each operation follows */
struct saved_state {
	uint32_t version;
	uint32_t operations;
};

/* @parameters and @input: bytes of each, which follow */
struct saved_operation {
	uint32_t use;
	uint32_t multi;
	uint64_t mechanism;
	uint64_t key;
	uint32_t parameters;
	uint32_t input;
};

/* ---- sealing ---- */

/* Whose state it is: the same must be true where it is put back. The associated data of the seal. */
struct state_owner {
	uint8_t partition[PARTITION_ID_SIZE];
	uint64_t login;
	uint32_t rw;
	uint32_t profile;
};

static struct state_owner owner_of(const struct command *command)
{
	const struct partition *partition = command->partition;
	struct state_owner owner = {
		.login = (uint64_t)(int64_t)command->client->login,
		.rw = command->session->rw,
		.profile = partition->info.flags,
	};

	memcpy(owner.partition, partition->info.id, sizeof(owner.partition));
	return owner;
}

/* Changes when the token is initialized anew: the SO's credential is part of it */
static int state_key(const struct partition *partition, uint8_t key[SECRET_SIZE])
{
	return derive_key(partition->storage_key, partition->state.so.stretch.salt,
			  sizeof(partition->state.so.stretch.salt), "operation state", key);
}

static CK_RV seal(const struct command *command, const uint8_t *plain, size_t length, uint8_t *out)
{
	const struct state_owner owner = owner_of(command);
	uint8_t key[SECRET_SIZE];
	CK_RV rv = CKR_OK;

	if (state_key(command->partition, key) ||
	    aead_seal(key, &owner, sizeof(owner), plain, length, out))
		rv = CKR_FUNCTION_FAILED;
	OPENSSL_cleanse(key, sizeof(key));
	return rv;
}

static CK_RV unseal(const struct command *command, const uint8_t *in, size_t length, uint8_t *out)
{
	const struct state_owner owner = owner_of(command);
	uint8_t key[SECRET_SIZE];
	CK_RV rv = CKR_OK;

	if (length < AEAD_OVERHEAD + sizeof(struct saved_state))
		return CKR_SAVED_STATE_INVALID;
	if (state_key(command->partition, key))
		rv = CKR_FUNCTION_FAILED;
	else if (aead_open(key, &owner, sizeof(owner), in, length, out))
		rv = CKR_SAVED_STATE_INVALID;
	OPENSSL_cleanse(key, sizeof(key));
	return rv;
}

/* ---- out ---- */

static bool can_save(const struct operation *operation, enum mech_use use)
{
	const struct hsm_mechanism_info *info = mech_info(operation->mech);

	if (operation->unsaveable || operation->rest)
		return false;
	return use != MECH_ENCRYPT || info->family != MECH_FAMILY_AEAD;
}

/* Both keys of a kind could not be named when the state is put back. */
static CK_RV check_all(const struct session *session)
{
	const struct operation *operation = session->operation;
	unsigned int active = 0, i;

	for (i = 0; i < SAVEABLE; i++) {
		if (!operation[saveable[i]].mech)
			continue;
		active++;
		if (!can_save(&operation[saveable[i]], saveable[i]))
			return CKR_STATE_UNSAVEABLE;
	}
	if (!active)
		return CKR_OPERATION_NOT_INITIALIZED;
	if ((operation[MECH_ENCRYPT].mech && operation[MECH_DECRYPT].mech) ||
	    (operation[MECH_SIGN].mech && operation[MECH_VERIFY].mech))
		return CKR_STATE_UNSAVEABLE;
	return CKR_OK;
}

static void put_operation(struct hsm_writer *out, const struct operation *operation,
			  enum mech_use use)
{
	const struct saved_operation head = {
		.use = use,
		.multi = operation->multi,
		.mechanism = mech_info(operation->mech)->mechanism,
		.key = operation->key,
		.parameters = (uint32_t)operation->parameters_length,
		.input = (uint32_t)operation->input_length,
	};

	hsm_put_raw(out, &head, sizeof(head));
	hsm_put_raw(out, operation->parameters, operation->parameters_length);
	hsm_put_raw(out, operation->input, operation->input_length);
}

static CK_RV write_state(const struct session *session, struct hsm_writer *out)
{
	struct saved_state state = { .version = STATE_VERSION };
	unsigned int i;

	for (i = 0; i < SAVEABLE; i++)
		state.operations += !!session->operation[saveable[i]].mech;
	hsm_put_raw(out, &state, sizeof(state));
	for (i = 0; i < SAVEABLE; i++)
		if (session->operation[saveable[i]].mech)
			put_operation(out, &session->operation[saveable[i]], saveable[i]);
	return out->error ? CKR_STATE_UNSAVEABLE : CKR_OK;
}

static CK_RV put_state(struct command *command, const struct hsm_writer *plain)
{
	size_t size = plain->length + AEAD_OVERHEAD;
	uint8_t *out;

	if (operation_asked(command, size))
		return CKR_BUFFER_TOO_SMALL;
	if (size > hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0)) {
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
		return CKR_BUFFER_TOO_SMALL;
	}
	out = hsm_put_reserve(&command->out, HSM_FIELD_DATA, size);
	return out ? seal(command, plain->data, plain->length, out) : CKR_DEVICE_MEMORY;
}

CK_RV command_state_get(struct command *command)
{
	struct hsm_writer plain;
	uint8_t *buffer;
	CK_RV rv = check_all(command->session);

	if (rv != CKR_OK)
		return rv;
	buffer = OPENSSL_malloc(STATE_MAX);
	if (!buffer)
		return CKR_HOST_MEMORY;
	hsm_writer_init(&plain, buffer, STATE_MAX);
	rv = write_state(command->session, &plain);
	if (rv == CKR_OK)
		rv = put_state(command, &plain);
	OPENSSL_clear_free(buffer, STATE_MAX);
	return rv;
}

/* ---- in ---- */

/* One operation of an opened state, its bytes pointing into it */
struct restored {
	struct saved_operation head;
	const uint8_t *parameters;
	const uint8_t *input;
};

static bool take_bytes(const uint8_t **from, size_t *left, void *to, size_t length)
{
	if (*left < length)
		return false;
	if (to)
		memcpy(to, *from, length);
	*from += length;
	*left -= length;
	return true;
}

/* The seal was right, so this was written here; it is read with care all the same. */
static CK_RV read_state(const uint8_t *data, size_t length, struct restored *operations,
			unsigned int *count)
{
	struct saved_state state;
	unsigned int i;

	if (!take_bytes(&data, &length, &state, sizeof(state)) || state.version != STATE_VERSION ||
	    state.operations > SAVEABLE)
		return CKR_SAVED_STATE_INVALID;
	for (i = 0; i < state.operations; i++) {
		struct restored *one = &operations[i];

		if (!take_bytes(&data, &length, &one->head, sizeof(one->head)) ||
		    one->head.use < MECH_ENCRYPT || one->head.use > MECH_VERIFY)
			return CKR_SAVED_STATE_INVALID;
		one->parameters = data;
		if (!take_bytes(&data, &length, NULL, one->head.parameters))
			return CKR_SAVED_STATE_INVALID;
		one->input = data;
		if (!take_bytes(&data, &length, NULL, one->head.input))
			return CKR_SAVED_STATE_INVALID;
	}
	*count = state.operations;
	return length ? CKR_SAVED_STATE_INVALID : CKR_OK;
}

static bool is_cipher(const struct restored *one)
{
	return one->head.use == MECH_ENCRYPT || one->head.use == MECH_DECRYPT;
}

/* The keys that the caller names against those that the operations had */
static CK_RV check_keys(const struct command *command, const struct restored *operations,
			unsigned int count)
{
	uint64_t named[2] = { hsm_fields_u64(&command->fields, HSM_FIELD_KEY, 0),
			      hsm_fields_u64(&command->fields, HSM_FIELD_OTHER_KEY, 0) };
	bool needed[2] = { false, false };
	unsigned int i, kind;

	for (i = 0; i < count; i++) {
		if (operations[i].head.use == MECH_DIGEST)
			continue;
		kind = is_cipher(&operations[i]) ? 0 : 1;
		needed[kind] = true;
		if (!named[kind])
			return CKR_KEY_NEEDED;
		if (named[kind] != operations[i].head.key)
			return CKR_KEY_CHANGED;
	}
	return (named[0] && !needed[0]) || (named[1] && !needed[1]) ? CKR_KEY_NOT_NEEDED : CKR_OK;
}

/* As the command that began it: key, mechanism and parameters once more */
static CK_RV begin(struct command *command, const struct restored *one, uint8_t *buffer,
		   size_t room)
{
	struct command again = *command;
	struct hsm_writer out;

	again.use = (uint8_t)one->head.use;
	hsm_writer_init(&out, buffer, room);
	if (one->head.use != MECH_DIGEST)
		hsm_put_u64(&out, HSM_FIELD_KEY, one->head.key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, one->head.mechanism);
	hsm_put_raw(&out, one->parameters, one->head.parameters);
	if (out.error || hsm_fields_parse(&again.fields, out.data, out.length) < 0)
		return CKR_SAVED_STATE_INVALID;
	return one->head.use == MECH_DIGEST ? command_digest_init(&again)
					    : command_cipher_init(&again);
}

/* What came out the first time comes out again, and is thrown away. */
static CK_RV repeat(struct operation *operation, const struct restored *one, uint8_t *buffer,
		    size_t room)
{
	CK_RV rv;

	if (!one->head.multi)
		return CKR_OK;
	rv = mech_update(operation->mech, one->input, one->head.input, buffer, &room);
	if (rv == CKR_OK)
		operation_multi_part(operation, one->input, one->head.input);
	return rv;
}

static CK_RV restore(struct command *command, const struct restored *operations, unsigned int count)
{
	struct session *session = command->session;
	const size_t room = 2 * HSM_DATA_MAX;
	uint8_t *buffer = OPENSSL_malloc(room);
	unsigned int i;
	CK_RV rv = buffer ? CKR_OK : CKR_HOST_MEMORY;

	for (i = 0; i < OPERATIONS && rv == CKR_OK; i++)
		operation_end(&session->operation[i]);
	if (rv == CKR_OK)
		find_end(session);
	for (i = 0; i < count && rv == CKR_OK; i++) {
		rv = begin(command, &operations[i], buffer, room);
		if (rv == CKR_OK)
			rv = repeat(&session->operation[operations[i].head.use], &operations[i],
				    buffer, room);
	}
	for (i = 0; i < OPERATIONS && rv != CKR_OK; i++)
		operation_end(&session->operation[i]);
	OPENSSL_clear_free(buffer, room);
	return rv;
}

CK_RV command_state_set(struct command *command)
{
	struct restored operations[SAVEABLE];
	unsigned int count = 0;
	const uint8_t *data;
	uint8_t *plain;
	size_t length;
	CK_RV rv;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	plain = OPENSSL_malloc(length + 1);
	if (!plain)
		return CKR_HOST_MEMORY;
	rv = unseal(command, data, length, plain);
	if (rv == CKR_OK)
		rv = read_state(plain, length - AEAD_OVERHEAD, operations, &count);
	if (rv == CKR_OK)
		rv = check_keys(command, operations, count);
	if (rv == CKR_OK)
		rv = restore(command, operations, count);
	OPENSSL_clear_free(plain, length + 1);
	return rv;
}
