// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify evidence: what a device says of itself, of a partition or of a key.
 */
#include <stdlib.h>
#include "hsm-verify.h"

int verify_evidence(struct verify *verify, char **args)
{
	struct hsm_cose *message = NULL;
	uint8_t *bytes = NULL;
	size_t length;
	int code = read_file(verify, args[0], &bytes, &length);

	if (!code)
		code = message_verify(verify, bytes, length, "application/vnd.ihsm.evidence+cbor",
				      &message);
	hsm_cose_free(message);
	free(bytes);
	return code;
}
