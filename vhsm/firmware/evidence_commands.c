// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that ask for evidence. Whoever may open a channel may ask about the device and the
 * partition, and about the keys that it sees.
 */
#include <stdlib.h>
#include "evidence.h"

static struct evidence_request take_request(const struct command *command)
{
	struct evidence_request request;

	request.nonce = hsm_fields_bytes(&command->fields, HSM_FIELD_NONCE, &request.nonce_length);
	request.binding =
		hsm_fields_bytes(&command->fields, HSM_FIELD_BINDING, &request.binding_length);
	return request;
}

static CK_RV answer(struct command *command, enum hsm_evidence_kind kind, struct object *object)
{
	struct evidence_request request = take_request(command);
	uint8_t *message;
	size_t length;
	CK_RV rv = evidence_make(command->partition, kind, object, &request, &message, &length);

	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(&command->out, HSM_FIELD_EVIDENCE, message, length);
	free(message);
	return CKR_OK;
}

CK_RV command_evidence(struct command *command)
{
	uint64_t kind = hsm_fields_u64(&command->fields, HSM_FIELD_KIND, 0);

	if (kind != HSM_EVIDENCE_DEVICE && kind != HSM_EVIDENCE_PARTITION)
		return CKR_ARGUMENTS_BAD;
	/* The device's own partition has no keys and no policy to speak of, and one that failed none that is known. */
	if (kind == HSM_EVIDENCE_PARTITION && command->partition->device)
		return CKR_FUNCTION_NOT_SUPPORTED;
	if (kind == HSM_EVIDENCE_PARTITION && command->partition->failed != CKR_OK)
		return command->partition->failed;
	return answer(command, (enum hsm_evidence_kind)kind, NULL);
}

CK_RV command_key_evidence(struct command *command)
{
	struct object *object =
		object_find(command, hsm_fields_u64(&command->fields, HSM_FIELD_KEY, 0));
	CK_RV rv;

	if (!object)
		return CKR_KEY_HANDLE_INVALID;
	rv = answer(command, HSM_EVIDENCE_KEY, object);
	object_put(object);
	return rv;
}
