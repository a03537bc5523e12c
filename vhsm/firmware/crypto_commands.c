// SPDX-License-Identifier: Apache-2.0
/*
 * Encrypt, decrypt, digest, sign and verify, in one piece or in parts, and what their relatives in
 * *_commands.c share with them (operation.h). What is the same for all of them is
 * written once; the mechanism behind mech.h knows the rest. BUFFER_TOO_SMALL leaves an operation as it was,
 * every other failure and every end closes it.
 */
#include <string.h>
#include "operation.h"

/* What a use asks of key and mechanism */
static const struct {
	uint64_t attribute;
	uint64_t can;
} uses[OPERATIONS] = {
	[MECH_ENCRYPT] = { CKA_ENCRYPT, CKF_ENCRYPT },
	[MECH_DECRYPT] = { CKA_DECRYPT, CKF_DECRYPT },
	[MECH_DIGEST] = { 0, CKF_DIGEST },
	[MECH_SIGN] = { CKA_SIGN, CKF_SIGN },
	[MECH_VERIFY] = { CKA_VERIFY, CKF_VERIFY },
	[MECH_SIGN_RECOVER] = { CKA_SIGN_RECOVER, CKF_SIGN_RECOVER },
	[MECH_VERIFY_RECOVER] = { CKA_VERIFY_RECOVER, CKF_VERIFY_RECOVER },
};

#define STATE_INPUT_MAX 8192U /* input that a saved state holds at most */

/* ---- start ---- */

uint8_t *parameters_copy(const struct hsm_fields *fields, size_t *length)
{
	size_t size = 1;
	struct hsm_writer out;
	uint8_t *copy;
	unsigned int i;

	for (i = 0; i < fields->count; i++)
		size += sizeof(struct hsm_field_header) + fields->field[i].length;
	copy = OPENSSL_malloc(size);
	if (!copy)
		return NULL;
	hsm_writer_init(&out, copy, size);
	for (i = 0; i < fields->count; i++) {
		const struct hsm_field *field = &fields->field[i];

		if (field->tag >= HSM_FIELD_PARAMETER_FIRST &&
		    field->tag <= HSM_FIELD_PARAMETER_LAST)
			hsm_put_bytes(&out, field->tag, field->data, field->length);
	}
	*length = out.length;
	return copy;
}

/* What a saved state needs to begin the operation once more */
static CK_RV remember(struct operation *operation, const struct mechanism *mechanism,
		      const struct object *object)
{
	operation->next_part = 1;
	operation->key = object ? object->handle : 0;
	if (mechanism->info->parameter == HSM_PARAM_NONE)
		return CKR_OK;
	operation->parameters = parameters_copy(mechanism->fields, &operation->parameters_length);
	return operation->parameters ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV operation_begin(struct command *command, const struct mechanism *mechanism,
		      struct object *object)
{
	struct operation *operation = operation_of(command);
	struct key *key = object_key(object);
	CK_RV rv;

	if (!key)
		return CKR_HOST_MEMORY;
	rv = mech_begin(&operation->mech, command->use, mechanism, key);
	key_put(key);
	if (rv == CKR_OK)
		rv = remember(operation, mechanism, object);
	if (rv != CKR_OK) {
		operation_end(operation);
		return rv;
	}
	operation->needs_private = object->is_private;
	operation->needs_pin = (command->use == MECH_SIGN || command->use == MECH_DECRYPT ||
				command->use == MECH_SIGN_RECOVER) &&
			       attributes_bool(&object->attributes, CKA_ALWAYS_AUTHENTICATE, false);
	command->again = command->use == MECH_SIGN && !operation->needs_pin &&
			 !attributes_find(&object->attributes, CKA_HSM_USE_LIMIT) &&
			 mechanism->info->family != MECH_FAMILY_OTP;
	return CKR_OK;
}

CK_RV command_cipher_init(struct command *command)
{
	struct mechanism mechanism;
	struct object *object;
	CK_RV rv;

	if (operation_of(command)->mech)
		return CKR_OPERATION_ACTIVE;
	rv = mechanism_take(command, uses[command->use].can, &mechanism);
	if (rv == CKR_OK)
		rv = key_use_find(command, HSM_FIELD_KEY, uses[command->use].attribute, &mechanism,
				  &object);
	if (rv == CKR_OK) {
		rv = otp_counter_take(command, &mechanism, &object);
		if (rv == CKR_OK)
			rv = operation_begin(command, &mechanism, object);
		object_put(object);
	}
	mechanism_drop(&mechanism);
	return rv;
}

CK_RV command_digest_init(struct command *command)
{
	struct operation *operation = operation_of(command);
	struct mechanism mechanism;
	CK_RV rv;

	if (operation->mech)
		return CKR_OPERATION_ACTIVE;
	rv = mechanism_take(command, CKF_DIGEST, &mechanism);
	if (rv == CKR_OK)
		rv = mech_begin(&operation->mech, MECH_DIGEST, &mechanism, NULL);
	if (rv == CKR_OK)
		rv = remember(operation, &mechanism, NULL);
	if (rv != CKR_OK)
		operation_end(operation);
	mechanism_drop(&mechanism);
	return rv;
}

/* ---- what comes before and after each step ---- */

CK_RV operation_slow(struct command *command, const struct mech_operation *mech)
{
	enum ihsm_time_class time_class = mech_time_class(mech);

	if (time_class > IHSM_TIME_SHORT && task_set_class(command->task, time_class) < 0)
		return CKR_FUNCTION_CANCELED;
	return CKR_OK;
}

CK_RV operation_ready(struct command *command, bool slow, struct operation **operation)
{
	CK_RV rv = CKR_OK;

	*operation = operation_of(command);
	if (!(*operation)->mech)
		return CKR_OPERATION_NOT_INITIALIZED;
	if ((*operation)->needs_pin)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (slow)
		rv = operation_slow(command, (*operation)->mech);
	if (rv != CKR_OK)
		operation_end(*operation);
	return rv;
}

static enum hsm_field_tag output_tag(const struct command *command)
{
	return command->use == MECH_SIGN || command->use == MECH_SIGN_RECOVER ? HSM_FIELD_SIGNATURE
									      : HSM_FIELD_DATA;
}

size_t operation_room(const struct command *command)
{
	const size_t overhead = 2 * sizeof(struct hsm_field_header) + 8;
	uint64_t wanted = hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0);
	size_t room = command->out.capacity - command->out.length;

	room = room > overhead ? room - overhead : 0;
	return wanted < room ? wanted : room;
}

bool operation_asked(struct command *command, size_t size)
{
	/* A step that writes nothing would be done by a room of 0, so asking for the length is told apart. */
	if (hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0) != HSM_OUT_QUERY)
		return false;
	hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
	return true;
}

/* One step of a mechanism, which writes straight into the response */
typedef CK_RV (*output_step)(struct mech_operation *mech, const uint8_t *in, size_t in_length,
			     uint8_t *out, size_t *out_length);

static CK_RV with_output(struct command *command, struct operation *operation, output_step step)
{
	size_t length, room = operation_room(command), start = command->out.length, mark;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	CK_RV rv;

	if (operation_asked(command, mech_output_size(operation->mech, length)))
		return CKR_BUFFER_TOO_SMALL;
	mark = hsm_put_begin(&command->out, output_tag(command));
	rv = step(operation->mech, data, length, command->out.data + command->out.length, &room);
	if (rv == CKR_OK) {
		command->out.length += room;
		hsm_put_end(&command->out, mark);
		return CKR_OK;
	}
	command->out.length = start;
	if (rv == CKR_BUFFER_TOO_SMALL)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, room);
	return rv;
}

static CK_RV final_step(struct mech_operation *mech, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	(void)in;
	(void)in_length;
	return mech_final(mech, out, out_length);
}

static CK_RV end_unless_too_small(struct operation *operation, CK_RV rv)
{
	if (rv != CKR_BUFFER_TOO_SMALL)
		operation_end(operation);
	return rv;
}

/* Where the table allows a key, an end brings its own beginning: one command for a whole signature. */
static bool brings_beginning(const struct command *command)
{
	return hsm_fields_find(&command->fields, HSM_FIELD_KEY);
}

/* ---- one piece ---- */

CK_RV command_single(struct command *command)
{
	struct operation *operation;
	CK_RV rv = brings_beginning(command) ? command_cipher_init(command) : CKR_OK;

	if (rv == CKR_OK)
		rv = operation_ready(command, true, &operation);
	if (rv != CKR_OK)
		return rv;
	if (operation->multi || operation->rest)
		return end_unless_too_small(operation, CKR_OPERATION_ACTIVE);
	return end_unless_too_small(operation, with_output(command, operation, mech_single));
}

CK_RV command_verify(struct command *command)
{
	const uint8_t *data, *signature;
	size_t length, signature_length;
	struct operation *operation;
	CK_RV rv = operation_ready(command, true, &operation);

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	signature = hsm_fields_bytes(&command->fields, HSM_FIELD_SIGNATURE, &signature_length);
	if (operation->signature)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (operation->multi)
		rv = CKR_OPERATION_ACTIVE;
	else
		rv = mech_verify(operation->mech, data, length, signature, signature_length);
	operation_end(operation);
	return rv;
}

/* ---- parts ---- */

/* Forget the input: the operation could have begun here, with another IV and the input's last bytes. */
static bool begin_later(struct operation *operation, const uint8_t *data, size_t length)
{
	uint8_t iv[MECH_IV_SIZE], last[MECH_TAIL_MAX];
	const uint8_t *place;
	struct hsm_fields fields;
	size_t tail, old, size;

	if (!mech_position(operation->mech, iv, &tail))
		return false;
	old = tail > length ? tail - length : 0;
	if (tail > sizeof(last) || old > operation->input_length ||
	    hsm_fields_parse(&fields, operation->parameters, operation->parameters_length) < 0)
		return false;
	if (old)
		memcpy(last, operation->input + operation->input_length - old, old);
	memcpy(last + old, data + length - (tail - old), tail - old);
	place = hsm_fields_bytes(&fields, HSM_FIELD_IV, &size);
	if (place && size <= sizeof(iv))
		memcpy(operation->parameters + (place - operation->parameters), iv, size);
	memcpy(operation->input, last, tail);
	OPENSSL_cleanse(operation->input + tail,
			operation->input_length > tail ? operation->input_length - tail : 0);
	operation->input_length = tail;
	OPENSSL_cleanse(last, sizeof(last));
	return true;
}

static void forget_input(struct operation *operation)
{
	OPENSSL_clear_free(operation->input, operation->input_length);
	operation->input = NULL;
	operation->input_length = 0;
	operation->unsaveable = true;
}

/*
 * A saved state is the input over again: libcrypto lets nobody look into a digest or a MAC, and of a cipher
 * it tells where it has come to. Of a cipher's output nothing is told twice, so what it was is not kept.
 */
void operation_multi_part(struct operation *operation, const uint8_t *data, size_t length)
{
	operation->multi = true;
	operation->next_part++;
	if (operation->unsaveable || !length)
		return;
	if (!operation->input)
		operation->input = OPENSSL_malloc(STATE_INPUT_MAX);
	if (!operation->input) {
		forget_input(operation);
		return;
	}
	if (length <= STATE_INPUT_MAX - operation->input_length) {
		memcpy(operation->input + operation->input_length, data, length);
		operation->input_length += length;
		return;
	}
	if (!begin_later(operation, data, length))
		forget_input(operation);
}

/* Digest, sign and verify have no output before their end. */
static CK_RV absorb(struct command *command, struct operation *operation)
{
	size_t length, none = 0;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);

	return mech_update(operation->mech, data, length, NULL, &none);
}

CK_RV command_update(struct command *command)
{
	bool output = command->use == MECH_ENCRYPT || command->use == MECH_DECRYPT;
	struct operation *operation;
	const uint8_t *data;
	size_t length;
	CK_RV rv = operation_ready(command, false, &operation);

	if (rv != CKR_OK)
		return rv;
	if (operation->signature)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (operation->rest)
		return end_unless_too_small(operation, CKR_OPERATION_ACTIVE);
	if (output)
		rv = with_output(command, operation, mech_update);
	else
		rv = absorb(command, operation);
	if (rv != CKR_OK)
		return end_unless_too_small(operation, rv);
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	operation_multi_part(operation, data, length);
	return CKR_OK;
}

CK_RV operation_rest(struct command *command, struct operation *operation)
{
	size_t length = operation->rest_length - operation->rest_done,
	       room = operation_room(command);

	if (room > HSM_DATA_MAX)
		room = HSM_DATA_MAX;
	if (length > room)
		length = room;
	hsm_put_bytes(&command->out, HSM_FIELD_DATA, operation->rest + operation->rest_done,
		      length);
	operation->rest_done += length;
	if (operation->rest_done < operation->rest_length)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED,
			    operation->rest_length - operation->rest_done);
	else
		operation_end(operation);
	return CKR_OK;
}

/* Text that was held back until its tag was checked, and is too long for one response */
static CK_RV final_in_pieces(struct command *command, struct operation *operation, size_t size)
{
	CK_RV rv;

	if (hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0) < size) {
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
		return CKR_BUFFER_TOO_SMALL;
	}
	operation->rest = OPENSSL_malloc(size);
	operation->rest_length = size;
	rv = operation->rest ? mech_final(operation->mech, operation->rest, &size)
			     : CKR_HOST_MEMORY;
	if (rv != CKR_OK) {
		operation_end(operation);
		return rv;
	}
	operation->rest_length = size;
	return operation_rest(command, operation);
}

/* Beginning and only part. An error ends what was begun here, and nothing that was active before. */
static CK_RV begin_and_absorb(struct command *command)
{
	struct operation *operation;
	const uint8_t *data;
	size_t length;
	CK_RV rv = command_cipher_init(command);

	if (rv == CKR_OK)
		rv = operation_ready(command, false, &operation);
	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	rv = absorb(command, operation);
	if (rv == CKR_OK)
		operation_multi_part(operation, data, length);
	else
		operation_end(operation);
	return rv;
}

/* Without a beginning of its own an end takes no data. */
static CK_RV check_final(struct command *command)
{
	if (brings_beginning(command))
		return hsm_fields_find(&command->fields, HSM_FIELD_PART)
			       ? CKR_ARGUMENTS_BAD
			       : begin_and_absorb(command);
	return hsm_fields_find(&command->fields, HSM_FIELD_DATA) ? CKR_ARGUMENTS_BAD : CKR_OK;
}

CK_RV command_final(struct command *command)
{
	struct operation *operation;
	CK_RV rv = check_final(command);
	size_t size;

	if (rv == CKR_OK)
		rv = operation_ready(command, true, &operation);
	if (rv != CKR_OK)
		return rv;
	if (operation->rest)
		return operation_rest(command, operation);
	size = mech_output_size(operation->mech, 0);
	if (command->use == MECH_DECRYPT && size > HSM_DATA_MAX &&
	    hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0) != HSM_OUT_QUERY)
		return final_in_pieces(command, operation, size);
	return end_unless_too_small(operation, with_output(command, operation, final_step));
}

CK_RV command_verify_final(struct command *command)
{
	struct operation *operation;
	const uint8_t *signature;
	size_t length;
	CK_RV rv = operation_ready(command, true, &operation);

	if (rv != CKR_OK)
		return rv;
	if (operation->signature)
		return CKR_OPERATION_NOT_INITIALIZED;
	signature = hsm_fields_bytes(&command->fields, HSM_FIELD_SIGNATURE, &length);
	rv = mech_verify_final(operation->mech, signature, length);
	operation_end(operation);
	return rv;
}

/* A key's value may be digested only when it could be read: its digest tells something of it. */
static CK_RV digest_object(struct operation *operation, struct object *object)
{
	struct key *key;
	CK_RV rv;

	if (attributes_ulong(&object->attributes, CKA_CLASS, ~0ULL) != CKO_SECRET_KEY ||
	    attribute_is_secret(&object->attributes, CKA_VALUE))
		return CKR_KEY_INDIGESTIBLE;
	key = object_key(object);
	if (!key)
		return CKR_HOST_MEMORY;
	rv = mech_digest_key(operation->mech, key);
	key_put(key);
	return rv;
}

CK_RV command_digest_key(struct command *command)
{
	struct operation *operation;
	struct object *object;
	CK_RV rv;

	command->use = MECH_DIGEST;
	rv = operation_ready(command, false, &operation);
	if (rv != CKR_OK)
		return rv;
	rv = key_use_find(command, HSM_FIELD_KEY, 0, NULL, &object);
	if (rv == CKR_OK) {
		rv = digest_object(operation, object);
		object_put(object);
	}
	if (rv != CKR_OK) {
		operation_end(operation);
		return rv;
	}
	operation->multi = true;
	operation->unsaveable = true;
	return CKR_OK;
}
