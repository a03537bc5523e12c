// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzing of what a verifier reads: a signed message, or, with an odd first byte, the payload alone. What
 * the decoder takes must have a report, and must be encoded as it was.
 */
#include <stdlib.h>
#include <string.h>
#include "hsm-verify-claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_payload(const uint8_t *data, size_t size)
{
	struct hsm_evidence evidence;
	const char *wrong;
	uint8_t *bytes;
	size_t length;

	if (hsm_evidence_decode(data, size, &evidence, &wrong) == 0) {
		json_object_put(claims_result(&evidence));
		if (hsm_evidence_encode(&evidence, &bytes, &length) < 0)
			abort();
		/* Numbers may have been longer than they need to be: the encoder writes the shortest form. */
		if (length > size)
			abort();
		free(bytes);
	}
	hsm_evidence_free(&evidence);
}

static void try_message(const uint8_t *data, size_t size)
{
	struct hsm_cose *message;
	const uint8_t *payload;
	size_t length;

	if (hsm_cose_read(data, size, HSM_EVIDENCE_TYPE, &message) < 0)
		return;
	for (size_t i = 0; i < hsm_cose_signatures(message); i++)
		sk_X509_pop_free(hsm_cose_signer_chain(message, i, NULL), X509_free);
	payload = hsm_cose_payload(message, &length);
	try_payload(payload, length);
	hsm_cose_free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		try_payload(data + 1, size - 1);
	else
		try_message(data + 1, size - 1);
	return 0;
}
