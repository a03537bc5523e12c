// SPDX-License-Identifier: Apache-2.0
/*
 * The consent of officers and owners (approval.h). Without a quorum an officer's login is consent enough.
 */
#include "approval.h"

CK_RV approval_check(struct command *command, const struct policy *policy)
{
	(void)policy;
	if (!command->partition->device || !command->client->officer)
		return CKR_ACTION_PROHIBITED;
	return CKR_OK;
}

bool approval_owner_id(const struct policy *policy, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	const struct policy_blob *key = &policy->blob[HSM_POLICY_BLOB_OWNER_KEY];
	EVP_MD *md = key->length ? EVP_MD_fetch(mech_libctx(), "SHA256", NULL) : NULL;
	bool known = md && EVP_Digest(key->data, key->length, id, NULL, md, NULL) == 1;

	EVP_MD_free(md);
	return known;
}
