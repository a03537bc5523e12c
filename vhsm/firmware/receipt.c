// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence of what was exported: while a session has a receipt open, each key that it wraps is listed in it, and the end is
 * a signature by the alias keys over the list. Nothing can be listed that was not wrapped here, and nothing that the
 * session wraps meanwhile is left out.
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/receipt.h>
#include "attest_keys.h"
#include "audit.h"
#include "clock.h"
#include "receipt.h"

CK_RV receipt_room(const struct session *session)
{
	return session->receipt && session->receipt->count == HSM_RECEIPT_MAX ? CKR_DEVICE_MEMORY
									      : CKR_OK;
}

static bool hash(const uint8_t *bytes, size_t length, uint8_t digest[HSM_RECEIPT_HASH])
{
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
	bool done = md && EVP_Digest(bytes, length, digest, NULL, md, NULL) == 1;

	EVP_MD_free(md);
	return done;
}

static void take_text(const struct object *object, uint64_t type, struct hsm_receipt_text *text)
{
	const struct attribute *value = attributes_find(&object->attributes, type);

	if (!value)
		return;
	text->length = value->length < sizeof(text->bytes) ? value->length : sizeof(text->bytes);
	if (text->length)
		memcpy(text->bytes, value->value, text->length);
}

static bool take_public(const struct object *object, uint8_t digest[HSM_RECEIPT_HASH])
{
	const struct attribute *value = attributes_find(&object->attributes, CKA_PUBLIC_KEY_INFO);

	return !value || !value->length || hash(value->value, value->length, digest);
}

CK_RV receipt_add(struct command *command, const struct object *wrapping, const struct object *key,
		  const uint8_t *wrapped, size_t length)
{
	struct hsm_receipt *receipt = command->session->receipt;
	struct hsm_receipt_entry entry = {
		.object_class = attributes_ulong(&key->attributes, CKA_CLASS, ~0ULL),
		.key_type = attributes_ulong(&key->attributes, CKA_KEY_TYPE, ~0ULL),
		.mechanism = hsm_fields_u64(&command->fields, HSM_FIELD_MECHANISM, 0),
	};

	if (!receipt)
		return CKR_OK;
	take_text(key, CKA_UNIQUE_ID, &entry.unique);
	take_text(key, CKA_LABEL, &entry.label);
	take_text(key, CKA_ID, &entry.id);
	if (!take_public(key, entry.public_key) || !take_public(wrapping, entry.wrapping_key) ||
	    !hash(wrapped, length, entry.wrapped))
		return CKR_FUNCTION_FAILED;
	receipt->entry[receipt->count++] = entry;
	return CKR_OK;
}

/* ---- the command ---- */

static CK_RV begin(struct command *command)
{
	struct hsm_receipt *receipt;
	const uint8_t *nonce;
	size_t length;

	/* What an open one lists has left: it is not forgotten. */
	if (command->session->receipt)
		return CKR_OPERATION_ACTIVE;
	receipt = calloc(1, sizeof(*receipt));
	nonce = hsm_fields_bytes(&command->fields, HSM_FIELD_NONCE, &length);
	if (!receipt)
		return CKR_HOST_MEMORY;
	memcpy(receipt->board, partitions_hello()->board_id, sizeof(receipt->board));
	memcpy(receipt->partition, command->partition->info.id, sizeof(receipt->partition));
	if (length)
		memcpy(receipt->nonce, nonce, length);
	receipt->nonce_length = length;
	command->session->receipt = receipt;
	return CKR_OK;
}

static CK_RV note_export(struct command *command, const uint8_t *message, size_t length)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_KEYS_EXPORTED, actor);
	uint8_t digest[HSM_RECEIPT_HASH];

	if (!hash(message, length, digest))
		return CKR_FUNCTION_FAILED;
	record.count = command->session->receipt->count;
	record.digest = (struct hsm_audit_bytes){ digest, sizeof(digest) };
	return audit_commit(command->task, command->partition, &record);
}

static CK_RV end(struct command *command)
{
	struct hsm_receipt *receipt = command->session->receipt;
	uint8_t *payload, *message = NULL;
	size_t size, length = 0;
	CK_RV rv;

	if (!receipt)
		return CKR_OPERATION_NOT_INITIALIZED;
	receipt->time = clock_now();
	if (hsm_receipt_encode(receipt, &payload, &size) < 0)
		return CKR_HOST_MEMORY;
	rv = attest_sign(command->partition, HSM_RECEIPT_KIND, payload, size, NULL, 0, &message,
			 &length)
		     ? CKR_FUNCTION_FAILED
		     : note_export(command, message, length);
	free(payload);
	if (rv == CKR_OK)
		hsm_put_bytes(&command->out, HSM_FIELD_DATA, message, length);
	free(message);
	if (rv != CKR_OK)
		return rv;
	free(receipt);
	command->session->receipt = NULL;
	return CKR_OK;
}

CK_RV command_export_receipt(struct command *command)
{
	uint64_t flags = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);

	if (flags & ~(uint64_t)HSM_RECEIPT_BEGIN)
		return CKR_ARGUMENTS_BAD;
	return flags ? begin(command) : end(command);
}
