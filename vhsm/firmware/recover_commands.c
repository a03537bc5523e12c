// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures from which the data comes back, and verification whose signature is there first: two more
 * ways into the operations of crypto_commands.c.
 */
#include <string.h>
#include "operation.h"

/* ---- data recovery ---- */

#define RECOVERED_MAX 2048 /* more than the modulus of any RSA key here */

/*
 * A signature that is wrong is told even where the buffer is too small (PKCS#11 3.2, C_VerifyRecover):
 * the data is recovered here first. A caller who only asks for the length has not tried anything yet.
 */
static CK_RV recover(struct command *command, struct operation *operation,
		     uint8_t data[RECOVERED_MAX])
{
	size_t length, size = RECOVERED_MAX;
	const uint8_t *signature = hsm_fields_bytes(&command->fields, HSM_FIELD_SIGNATURE, &length);
	CK_RV rv;

	if (operation_asked(command, mech_output_size(operation->mech, length)))
		return CKR_BUFFER_TOO_SMALL;
	rv = mech_single(operation->mech, signature, length, data, &size);
	if (rv != CKR_OK)
		return rv;
	if (size > operation_room(command)) {
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
		return CKR_BUFFER_TOO_SMALL;
	}
	hsm_put_bytes(&command->out, HSM_FIELD_DATA, data, size);
	return CKR_OK;
}

CK_RV command_verify_recover(struct command *command)
{
	uint8_t data[RECOVERED_MAX];
	struct operation *operation;
	CK_RV rv = operation_ready(command, true, &operation);

	if (rv != CKR_OK)
		return rv;
	rv = recover(command, operation, data);
	OPENSSL_cleanse(data, sizeof(data));
	if (rv != CKR_BUFFER_TOO_SMALL)
		operation_end(operation);
	return rv;
}

/* ---- signature first ---- */

CK_RV command_verify_signature_init(struct command *command)
{
	struct operation *operation = operation_of(command);
	const uint8_t *signature;
	size_t length;
	CK_RV rv = command_cipher_init(command);

	if (rv != CKR_OK)
		return rv;
	signature = hsm_fields_bytes(&command->fields, HSM_FIELD_SIGNATURE, &length);
	/* One byte more: an empty signature is there, too. */
	operation->signature = OPENSSL_malloc(length + 1);
	if (!operation->signature) {
		operation_end(operation);
		return CKR_HOST_MEMORY;
	}
	memcpy(operation->signature, signature, length);
	operation->signature_length = length;
	operation->unsaveable = true;
	return CKR_OK;
}

/* The active verification, if it was begun with its signature */
static CK_RV ready(struct command *command, bool slow, struct operation **operation)
{
	if (!operation_of(command)->signature)
		return CKR_OPERATION_NOT_INITIALIZED;
	return operation_ready(command, slow, operation);
}

CK_RV command_verify_signature(struct command *command)
{
	struct operation *operation;
	const uint8_t *data;
	size_t length;
	CK_RV rv = ready(command, true, &operation);

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	if (operation->multi)
		rv = CKR_OPERATION_ACTIVE;
	else
		rv = mech_verify(operation->mech, data, length, operation->signature,
				 operation->signature_length);
	operation_end(operation);
	return rv;
}

CK_RV command_verify_signature_update(struct command *command)
{
	struct operation *operation;
	const uint8_t *data;
	size_t length, none = 0;
	CK_RV rv = ready(command, false, &operation);

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	rv = mech_update(operation->mech, data, length, NULL, &none);
	if (rv == CKR_OK)
		operation_multi_part(operation, data, length);
	else
		operation_end(operation);
	return rv;
}

CK_RV command_verify_signature_final(struct command *command)
{
	struct operation *operation;
	CK_RV rv = ready(command, true, &operation);

	if (rv != CKR_OK)
		return rv;
	rv = mech_verify_final(operation->mech, operation->signature, operation->signature_length);
	operation_end(operation);
	return rv;
}
