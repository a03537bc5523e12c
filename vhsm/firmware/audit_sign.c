// SPDX-License-Identifier: Apache-2.0
/*
 * The alias keys' signature over an audit log's head. Certificates are made anew with each start of the board, the key
 * is not: it is the key that tells one alias from another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "attest_keys.h"
#include "audit_log.h"
#include "audit_sign.h"
#include "clock.h"

#define CHECKPOINT_KIND "audit-checkpoint"
#define HEAD_KIND	"audit-head"

_Static_assert(HSM_AUDIT_ALIAS_SIZE == HSM_FINGERPRINT_SIZE, "alias");

int audit_sign_alias(struct partition *partition, uint8_t alias[HSM_AUDIT_ALIAS_SIZE])
{
	STACK_OF(X509) *chain = NULL;
	X509 *cert = NULL;
	int ret = attest_chain(partition, HSM_DICE_P384, &chain);

	if (!ret)
		cert = sk_X509_value(chain, 0);
	if (!ret)
		ret = cert ? hsm_dice_fingerprint(mech_libctx(), X509_get0_pubkey(cert), alias)
			   : -ENOENT;
	sk_X509_pop_free(chain, X509_free);
	return ret;
}

int audit_sign_head(struct partition *partition, const struct partition_state *state,
		    const uint8_t *nonce, size_t nonce_length, uint8_t **message, size_t *length)
{
	const struct board_hello *hello = partitions_hello();
	const struct audit_state *audit = &state->audit;
	struct hsm_audit_head head = {
		.first = audit->first,
		.chain = audit->chain,
		.time = clock_now(),
		.nonce_length = nonce_length,
	};
	uint8_t payload[HSM_AUDIT_HEAD_MAX];
	size_t size;

	if (nonce_length > sizeof(head.nonce))
		return -EINVAL;
	memcpy(head.log, audit->log, sizeof(head.log));
	memcpy(head.board, hello->board_id, sizeof(head.board));
	memcpy(head.partition, partition->info.id, sizeof(head.partition));
	memcpy(head.base, audit->base, sizeof(head.base));
	if (nonce_length)
		memcpy(head.nonce, nonce, nonce_length);
	size = hsm_audit_head_encode(&head, payload);
	return attest_sign(partition, nonce_length ? HEAD_KIND : CHECKPOINT_KIND, payload, size,
			   NULL, 0, message, length);
}

void audit_sign_free(uint8_t *message)
{
	free(message);
}
