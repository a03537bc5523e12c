// SPDX-License-Identifier: Apache-2.0
/*
 * Many messages under one key (PKCS#11 3.2, 5.9, 5.11, 5.14, 5.16): a process is begun with mechanism and
 * key, and each message is an operation of its own, in one command or in parts. The nonce of an encryption
 * may be the token's (mech_iv.c); tags travel beside the text. Nothing of a text is given before its tag
 * was found right: parts of a decryption are held back until the last one, within a quota.
 *
 * What goes wrong with a message ends the message; the process goes on until MESSAGE_FINAL.
 */
#include <string.h>
#include "operation.h"
#include "use_counter.h"

/**
 * struct message - a process of many messages
 * @info: mechanism
 * @key: with a reference
 * @parameters: of MESSAGE_SIGN_INIT or MESSAGE_VERIFY_INIT, for messages that bring none
 * @asks_pin: CKA_ALWAYS_AUTHENTICATE: before each message
 * @limited: the key's object, when its uses are counted: each message is one
 * @lasting: the key is a token object
 * @tag_length: of the message at hand
 */
struct message {
	const struct hsm_mechanism_info *info;
	struct key *key;
	struct object *limited;
	uint8_t *parameters;
	size_t parameters_length;
	bool asks_pin;
	bool lasting;
	size_t tag_length;
};

/* What each kind of process asks of key and mechanism, and does with a message */
static const struct {
	enum mech_use use;
	uint64_t attribute;
	uint64_t can;
	uint64_t message;
} kinds[OPERATIONS] = {
	[OPERATION_MESSAGE_ENCRYPT] = { MECH_ENCRYPT, CKA_ENCRYPT, CKF_ENCRYPT,
					CKF_MESSAGE_ENCRYPT },
	[OPERATION_MESSAGE_DECRYPT] = { MECH_DECRYPT, CKA_DECRYPT, CKF_DECRYPT,
					CKF_MESSAGE_DECRYPT },
	[OPERATION_MESSAGE_SIGN] = { MECH_SIGN, CKA_SIGN, CKF_SIGN, CKF_MESSAGE_SIGN },
	[OPERATION_MESSAGE_VERIFY] = { MECH_VERIFY, CKA_VERIFY, CKF_VERIFY, CKF_MESSAGE_VERIFY },
};

void message_end(struct message *message)
{
	if (!message)
		return;
	if (message->key)
		key_put(message->key);
	object_put(message->limited);
	OPENSSL_clear_free(message->parameters, message->parameters_length);
	OPENSSL_free(message);
}

/* ---- the process ---- */

static CK_RV process_begin(struct command *command, const struct mechanism *mechanism,
			   struct object *object)
{
	struct operation *operation = operation_of(command);
	enum mech_use use = kinds[command->use].use;
	struct message *message = OPENSSL_zalloc(sizeof(*message));

	if (!message)
		return CKR_HOST_MEMORY;
	operation->message = message;
	message->info = mechanism->info;
	message->key = object_key(object);
	message->parameters = parameters_copy(mechanism->fields, &message->parameters_length);
	if (!message->key || !message->parameters) {
		operation_end(operation);
		return CKR_HOST_MEMORY;
	}
	message->lasting = object->token;
	if (attributes_find(&object->attributes, CKA_HSM_USE_LIMIT))
		message->limited = object_get(object);
	message->asks_pin = (use == MECH_SIGN || use == MECH_DECRYPT) &&
			    attributes_bool(&object->attributes, CKA_ALWAYS_AUTHENTICATE, false);
	operation->needs_pin = message->asks_pin;
	operation->needs_private = object->is_private;
	return CKR_OK;
}

static bool has_parameters(const struct hsm_fields *fields)
{
	unsigned int i;

	for (i = 0; i < fields->count; i++)
		if (fields->field[i].tag >= HSM_FIELD_PARAMETER_FIRST &&
		    fields->field[i].tag <= HSM_FIELD_PARAMETER_LAST)
			return true;
	return false;
}

/*
 * Key and mechanism are checked now. Parameters of signatures are too, by a message that never comes;
 * those of ciphers, and of MACs with a nonce, come with each message.
 */
static CK_RV process_check(const struct mechanism *mechanism, struct object *object,
			   enum mech_use use)
{
	bool complete =
		(use == MECH_SIGN || use == MECH_VERIFY) &&
		(mechanism->info->parameter == HSM_PARAM_NONE || has_parameters(mechanism->fields));
	struct key *key = object_key(object);
	struct mech_operation *trial;
	CK_RV rv;

	if (!key)
		return CKR_HOST_MEMORY;
	if (complete) {
		rv = mech_begin(&trial, use, mechanism, key);
		if (rv == CKR_OK)
			mech_free(trial);
	} else {
		rv = mech_fits(use, mechanism->info, key);
	}
	key_put(key);
	return rv;
}

CK_RV command_message_init(struct command *command)
{
	struct mechanism mechanism;
	struct object *object;
	CK_RV rv;

	if (operation_of(command)->message)
		return CKR_OPERATION_ACTIVE;
	rv = mechanism_take(command, kinds[command->use].can, &mechanism);
	if (rv == CKR_OK && !(mech_flags(mechanism.info) & kinds[command->use].message))
		rv = CKR_MECHANISM_INVALID;
	if (rv == CKR_OK)
		rv = key_use_find(command, HSM_FIELD_KEY, kinds[command->use].attribute, &mechanism,
				  &object);
	if (rv == CKR_OK) {
		rv = process_check(&mechanism, object, kinds[command->use].use);
		if (rv == CKR_OK)
			rv = process_begin(command, &mechanism, object);
		object_put(object);
	}
	mechanism_drop(&mechanism);
	return rv;
}

CK_RV command_message_final(struct command *command)
{
	static const struct {
		uint64_t flag;
		enum operation_slot slot;
	} slots[] = {
		{ CKF_MESSAGE_ENCRYPT, OPERATION_MESSAGE_ENCRYPT },
		{ CKF_MESSAGE_DECRYPT, OPERATION_MESSAGE_DECRYPT },
		{ CKF_MESSAGE_SIGN, OPERATION_MESSAGE_SIGN },
		{ CKF_MESSAGE_VERIFY, OPERATION_MESSAGE_VERIFY },
	};
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	struct operation *operation = NULL;
	size_t i;

	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		if (flags == slots[i].flag)
			operation = &command->session->operation[slots[i].slot];
	if (!operation)
		return CKR_ARGUMENTS_BAD;
	if (!operation->message)
		return CKR_OPERATION_NOT_INITIALIZED;
	/* A message in the middle of its parts has to come to its end first. */
	if (operation->mech || operation->rest)
		return CKR_OPERATION_ACTIVE;
	operation_end(operation);
	return CKR_OK;
}

/* ---- a message ---- */

/* The message at hand is over, the process goes on */
static void message_over(struct operation *operation)
{
	mech_free(operation->mech);
	operation->mech = NULL;
	OPENSSL_clear_free(operation->rest, operation->rest_length);
	operation->rest = NULL;
	operation->rest_length = operation->rest_done = 0;
	operation->needs_pin = operation->message->asks_pin;
	operation->multi = false;
}

/* Is there a process, and does this part come at its time? */
static CK_RV part_allowed(const struct operation *operation, uint64_t flags)
{
	if (flags & ~(uint64_t)(HSM_PART_FIRST | HSM_PART_LAST))
		return CKR_ARGUMENTS_BAD;
	if (!operation->message)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (flags & HSM_PART_FIRST)
		return operation->mech || operation->rest ? CKR_OPERATION_ACTIVE : CKR_OK;
	if (!operation->mech && !operation->rest)
		return CKR_OPERATION_NOT_INITIALIZED;
	return CKR_OK;
}

static CK_RV message_begin(struct command *command, struct operation *operation,
			   const struct hsm_fields *fields)
{
	struct message *message = operation->message;
	const struct mechanism mechanism = {
		.info = message->info,
		.fields = fields,
		.task = command->task,
	};
	CK_RV rv;

	if (operation->needs_pin)
		return CKR_USER_NOT_LOGGED_IN;
	/* These were not there when the process was begun. */
	rv = policy_parameters(policy_of(command->partition), message->info,
			       kinds[command->use].can, fields);
	if (rv != CKR_OK)
		return rv;
	rv = mech_begin(&operation->mech, kinds[command->use].use, &mechanism, message->key);
	command->crypto = true;
	command->approved = rv == CKR_OK && mech_is_approved(operation->mech);
	return rv;
}

static CK_RV message_count(struct command *command, struct message *message)
{
	return message->limited ? uses_take(command, &message->limited) : CKR_OK;
}

/* ---- encryption and decryption ---- */

static size_t tag_of(const struct message *message, const struct hsm_fields *fields)
{
	if (message->info->parameter == HSM_PARAM_NONCE_AAD)
		return HSM_TAG_SIZE;
	return (size_t)hsm_fields_u64(fields, HSM_FIELD_TAG_BITS, 0) / 8;
}

/* The nonce: the caller's, or made here in its place. *fields becomes the command's with it. */
static CK_RV take_nonce(struct command *command, struct message *message, uint8_t iv[MECH_IV_MAX],
			struct hsm_fields *fields)
{
	struct mech_iv request = {
		.generator = hsm_fields_u64(&command->fields, HSM_FIELD_GENERATOR, CKG_NO_GENERATE),
		.fixed_bits = hsm_fields_u64(&command->fields, HSM_FIELD_FIXED_BITS, 0),
		.lasting = message->lasting,
	};
	const uint8_t *given = hsm_fields_bytes(&command->fields, HSM_FIELD_IV, &request.length);
	unsigned int i;
	CK_RV rv;

	*fields = command->fields;
	if (!given || command->use != OPERATION_MESSAGE_ENCRYPT)
		return CKR_OK;
	memcpy(iv, given, request.length);
	rv = mech_iv_fill(&request, message->key, iv);
	for (i = 0; i < fields->count; i++)
		if (fields->field[i].tag == HSM_FIELD_IV)
			fields->field[i].data = iv;
	return rv;
}

/* Begin the message; its nonce goes into the answer */
static CK_RV cipher_begin(struct command *command, struct operation *operation)
{
	struct message *message = operation->message;
	uint8_t iv[MECH_IV_MAX];
	struct hsm_fields fields;
	size_t length;
	CK_RV rv;

	/* Parameters that are wrong must not use up a nonce. */
	rv = message_begin(command, operation, &command->fields);
	if (rv != CKR_OK)
		return rv;
	mech_free(operation->mech);
	operation->mech = NULL;
	rv = message_count(command, message);
	if (rv == CKR_OK)
		rv = take_nonce(command, message, iv, &fields);
	if (rv == CKR_OK)
		rv = message_begin(command, operation, &fields);
	if (rv != CKR_OK)
		return rv;
	message->tag_length = tag_of(message, &fields);
	if (command->use == OPERATION_MESSAGE_ENCRYPT &&
	    hsm_fields_bytes(&fields, HSM_FIELD_IV, &length))
		hsm_put_bytes(&command->out, HSM_FIELD_IV,
			      hsm_fields_bytes(&fields, HSM_FIELD_IV, &length), length);
	return CKR_OK;
}

/* The room that text has in this response, the fields beside it taken off */
static size_t text_room(const struct command *command)
{
	const size_t beside = 2 * sizeof(struct hsm_field_header) + HSM_TAG_SIZE + MECH_IV_MAX;
	size_t room = operation_room(command);
	uint64_t wanted = hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0);
	size_t most = command->out.capacity - command->out.length;

	most = most > beside + 64 ? most - beside - 64 : 0;
	if (room > most)
		room = most;
	return wanted < room ? wanted : room;
}

/* Bytes of text that come out with @length more of input at most, @last: at the end */
static size_t text_size(const struct command *command, const struct operation *operation,
			size_t length, bool last)
{
	size_t tag = operation->message->tag_length;

	if (!operation->mech)
		return length;
	if (!last)
		return command->use == OPERATION_MESSAGE_ENCRYPT ? length : 0;
	if (command->use == OPERATION_MESSAGE_ENCRYPT)
		return mech_output_size(operation->mech, length) - tag;
	return mech_output_size(operation->mech, length + tag);
}

static CK_RV next_part(struct command *command, struct operation *operation, const uint8_t *data,
		       size_t length)
{
	size_t room = text_room(command), start = command->out.length, mark;
	CK_RV rv;

	mark = hsm_put_begin(&command->out, HSM_FIELD_DATA);
	rv = mech_update(operation->mech, data, length, command->out.data + command->out.length,
			 &room);
	if (rv != CKR_OK) {
		command->out.length = start;
		return rv;
	}
	command->out.length += room;
	hsm_put_end(&command->out, mark);
	return CKR_OK;
}

/* The end of an encryption: the tag comes behind the text, and goes into a field of its own */
static CK_RV last_sealed(struct command *command, struct operation *operation, const uint8_t *data,
			 size_t length, uint8_t *out, size_t *text)
{
	size_t tag = operation->message->tag_length;
	size_t room = text_size(command, operation, length, true) + tag;
	CK_RV rv = mech_single(operation->mech, data, length, out, &room);

	if (rv != CKR_OK)
		return rv;
	*text = room - tag;
	return CKR_OK;
}

/* The end of a decryption: the tag is the last of the input */
static CK_RV last_opened(struct command *command, struct operation *operation, const uint8_t *data,
			 size_t length, uint8_t *out, size_t *text)
{
	size_t tag_length, none = 0;
	const uint8_t *tag = hsm_fields_bytes(&command->fields, HSM_FIELD_TAG, &tag_length);
	CK_RV rv;

	if (tag_length != operation->message->tag_length)
		return CKR_MECHANISM_PARAM_INVALID;
	*text = text_size(command, operation, length, true);
	rv = mech_update(operation->mech, data, length, NULL, &none);
	if (rv == CKR_OK)
		rv = mech_single(operation->mech, tag, tag_length, out, text);
	return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_AEAD_DECRYPT_FAILED : rv;
}

/* All of the text is made here first; what the response does not hold is fetched with further parts. */
static CK_RV last_part(struct command *command, struct operation *operation, const uint8_t *data,
		       size_t length)
{
	bool encrypts = command->use == OPERATION_MESSAGE_ENCRYPT;
	size_t size = text_size(command, operation, length, true), text = 0;
	size_t tag = operation->message->tag_length;
	CK_RV rv;

	operation->rest_length = size + tag + 1;
	operation->rest = OPENSSL_malloc(operation->rest_length);
	if (!operation->rest)
		return CKR_HOST_MEMORY;
	if (encrypts)
		rv = last_sealed(command, operation, data, length, operation->rest, &text);
	else
		rv = last_opened(command, operation, data, length, operation->rest, &text);
	if (rv != CKR_OK)
		return rv;
	if (encrypts)
		hsm_put_bytes(&command->out, HSM_FIELD_TAG, operation->rest + text, tag);
	operation->rest_length = text;
	return CKR_OK;
}

static CK_RV give_text(struct command *command, struct operation *operation)
{
	size_t length = operation->rest_length - operation->rest_done, room = text_room(command);

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
		message_over(operation);
	return CKR_OK;
}

/* Does the caller have room for what comes of this part? Nothing has happened yet. */
static bool text_fits(struct command *command, const struct operation *operation, size_t length,
		      bool last)
{
	size_t size = text_size(command, operation, length, last);

	if (operation_asked(command, size))
		return false;
	if (size <= hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0))
		return true;
	hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
	return false;
}

static CK_RV cipher_part(struct command *command, struct operation *operation, uint64_t flags)
{
	size_t length;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	CK_RV rv = CKR_OK;

	if (flags & HSM_PART_FIRST)
		rv = cipher_begin(command, operation);
	if (rv == CKR_OK && flags & HSM_PART_LAST)
		rv = last_part(command, operation, data, length);
	else if (rv == CKR_OK && length)
		rv = next_part(command, operation, data, length);
	if (rv == CKR_OK && flags & HSM_PART_LAST)
		rv = give_text(command, operation);
	return rv;
}

CK_RV command_message_cipher(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	struct operation *operation = operation_of(command);
	size_t length, start = command->out.length;
	CK_RV rv = part_allowed(operation, flags);

	if (rv != CKR_OK)
		return rv;
	if (operation->rest)
		return give_text(command, operation);
	hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	if (!text_fits(command, operation, length, flags & HSM_PART_LAST))
		return CKR_BUFFER_TOO_SMALL;
	rv = cipher_part(command, operation, flags);
	if (rv != CKR_OK) {
		command->out.length = start;
		message_over(operation);
	}
	return rv;
}

/* ---- signatures and MACs ---- */

/* Begin the message with its own parameters, or those of the process */
static CK_RV sign_begin(struct command *command, struct operation *operation)
{
	struct message *message = operation->message;
	struct hsm_fields fields;

	if (has_parameters(&command->fields))
		return message_begin(command, operation, &command->fields);
	if (hsm_fields_parse(&fields, message->parameters, message->parameters_length) < 0)
		return CKR_FUNCTION_FAILED;
	return message_begin(command, operation, &fields);
}

static CK_RV put_signature(struct command *command, struct operation *operation,
			   const uint8_t *data, size_t length)
{
	size_t room = operation_room(command), start = command->out.length, mark;
	CK_RV rv = operation_slow(command, operation->mech);

	if (rv != CKR_OK)
		return rv;
	mark = hsm_put_begin(&command->out, HSM_FIELD_SIGNATURE);
	rv = mech_single(operation->mech, data, length, command->out.data + command->out.length,
			 &room);
	if (rv != CKR_OK) {
		command->out.length = start;
		return rv;
	}
	command->out.length += room;
	hsm_put_end(&command->out, mark);
	return CKR_OK;
}

/* Is there room for the signature? When not, a message of one part has not been there. */
static bool signature_fits(struct command *command, struct operation *operation, size_t length,
			   bool first)
{
	size_t size = mech_output_size(operation->mech, length);
	bool asked = operation_asked(command, size);

	if (!asked && size <= operation_room(command))
		return true;
	if (!asked)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
	if (first) {
		mech_free(operation->mech);
		operation->mech = NULL;
	}
	return false;
}

/* A message that has begun counts now: not one whose signature has no room, nor one without a PIN. */
static CK_RV sign_count(struct command *command, struct operation *operation, uint64_t flags)
{
	CK_RV rv = CKR_OK;

	if (flags & HSM_PART_FIRST)
		rv = message_count(command, operation->message);
	if (rv != CKR_OK)
		message_over(operation);
	return rv;
}

CK_RV command_message_sign(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	struct operation *operation = operation_of(command);
	size_t length, none = 0;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	CK_RV rv = part_allowed(operation, flags);

	if (rv != CKR_OK)
		return rv;
	if (flags & HSM_PART_FIRST)
		rv = sign_begin(command, operation);
	if (rv != CKR_OK)
		return rv;
	if (flags & HSM_PART_LAST &&
	    !signature_fits(command, operation, length, flags & HSM_PART_FIRST))
		return CKR_BUFFER_TOO_SMALL;
	rv = sign_count(command, operation, flags);
	if (rv != CKR_OK)
		return rv;
	if (flags & HSM_PART_LAST)
		rv = put_signature(command, operation, data, length);
	else if (length)
		rv = mech_update(operation->mech, data, length, NULL, &none);
	if (rv != CKR_OK || flags & HSM_PART_LAST)
		message_over(operation);
	return rv;
}

static CK_RV verify_last(struct command *command, struct operation *operation, const uint8_t *data,
			 size_t length)
{
	size_t signature_length;
	const uint8_t *signature =
		hsm_fields_bytes(&command->fields, HSM_FIELD_SIGNATURE, &signature_length);
	CK_RV rv = operation_slow(command, operation->mech);

	if (rv != CKR_OK)
		return rv;
	return mech_verify(operation->mech, data, length, signature, signature_length);
}

CK_RV command_message_verify(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	struct operation *operation = operation_of(command);
	size_t length, none = 0;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	CK_RV rv = part_allowed(operation, flags);

	if (rv != CKR_OK)
		return rv;
	if (!!(flags & HSM_PART_LAST) != !!hsm_fields_find(&command->fields, HSM_FIELD_SIGNATURE))
		return CKR_ARGUMENTS_BAD;
	if (flags & HSM_PART_FIRST)
		rv = sign_begin(command, operation);
	if (rv == CKR_OK)
		rv = sign_count(command, operation, flags);
	if (rv != CKR_OK)
		return rv;
	if (flags & HSM_PART_LAST)
		rv = verify_last(command, operation, data, length);
	else if (length)
		rv = mech_update(operation->mech, data, length, NULL, &none);
	if (rv != CKR_OK || flags & HSM_PART_LAST)
		message_over(operation);
	return rv;
}
