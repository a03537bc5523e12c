/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consent of officers and owners to a command: asked for by the handlers of the operations in
 * HSM_GUARDED_TABLE (hsm/approval.h), before they do anything.
 */
#ifndef FIRMWARE_APPROVAL_H
#define FIRMWARE_APPROVAL_H

#include <hsm/approval.h>
#include "commands.h"

/**
 * approval_check - has enough consent been given to this very command?
 * @command: of an operation in HSM_GUARDED_TABLE
 * @policy: of the partition that it is about, whose owner may have a say; NULL: it is about none
 *
 * On the device partition: as many officers as the action's quorum says, and the owner where the policy
 * demands it, have signed the command as it is, under a nonce of this device, which is used up. With a
 * quorum of 0 and no owner the officer's login, which the dispatcher has seen, is enough. On any other
 * partition: an officer has had the command granted over function 0 (APPROVAL_GRANT), for one time.
 *
 * The caller holds no lock.
 * Return: CKR_OK, or CKR_ACTION_PROHIBITED with field QUORUM in the response: what is missing.
 */
CK_RV approval_check(struct command *command, const struct policy *policy);

/**
 * approval_decide - the same for a command that is named by its bytes, on the device partition
 * @what: its nonce is filled in, from @command's field
 * @command: that carries the approvals
 */
CK_RV approval_decide(struct command *command, struct hsm_approval *what, const struct policy *policy);

/* approval_digest - what a grant is known by: SHA-384 of the bytes without a nonce. Return: 0 or a negative errno. */
int approval_digest(const struct hsm_approval *what, uint8_t digest[HSM_APPROVAL_ID_SIZE]);

/* approval_owner_id - key id of a policy's owner, for evidence. Return: false when there is no owner */
bool approval_owner_id(const struct policy *policy, uint8_t id[HSM_APPROVAL_ID_SIZE]);

#endif /* FIRMWARE_APPROVAL_H */
