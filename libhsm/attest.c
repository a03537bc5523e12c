// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence: the request for it, and its bytes to the caller. Nothing here looks into it.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

static void put_request(struct hsm_writer *writer, const struct hsm_attest_request *request)
{
	if (request->kind == HSM_EVIDENCE_KEY)
		hsm_put_u64(writer, HSM_FIELD_KEY, request->key);
	else
		hsm_put_u32(writer, HSM_FIELD_KIND, request->kind);
	if (request->nonce)
		hsm_put_bytes(writer, HSM_FIELD_NONCE, request->nonce, request->nonce_length);
	if (request->binding)
		hsm_put_bytes(writer, HSM_FIELD_BINDING, request->binding, request->binding_length);
}

static int take_evidence(const struct hsm_request *command, void *evidence, size_t *length,
			 struct hsm_error *error)
{
	size_t room = *length;
	const uint8_t *bytes =
		hsm_fields_bytes(hsm_request_fields(command), HSM_FIELD_EVIDENCE, length);

	if (!bytes)
		return set_error(error, -EPROTO, HSM_LAYER_COMMAND,
				 "the device's answer has no evidence in it");
	if (*length > room)
		return set_error(error, -ENOSPC, HSM_LAYER_COMMAND, "the evidence takes %zu bytes",
				 *length);
	memcpy(evidence, bytes, *length);
	return 0;
}

static int refused(uint64_t rv, struct hsm_error *error)
{
	set_error(error, -EACCES, HSM_LAYER_COMMAND,
		  "the device gives no such evidence (PKCS#11 return value 0x%llx)",
		  (unsigned long long)rv);
	if (error)
		error->rv = rv;
	return -EACCES;
}

int hsm_attest(struct hsm_channel *channel, const struct hsm_attest_request *request,
	       void *evidence, size_t *length, struct hsm_error *error)
{
	bool key = request->kind == HSM_EVIDENCE_KEY;
	struct hsm_request *command = hsm_request_new(
		channel, key ? HSM_OP_KEY_EVIDENCE : HSM_OP_EVIDENCE, key ? request->session : 0);
	int err;

	if (!command)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	put_request(hsm_request_writer(command), request);
	err = hsm_call(command, error);
	if (!err && hsm_request_rv(command))
		err = refused(hsm_request_rv(command), error);
	if (!err)
		err = take_evidence(command, evidence, length, error);
	hsm_request_free(command);
	return err;
}
