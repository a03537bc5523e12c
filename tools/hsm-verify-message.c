// SPDX-License-Identifier: Apache-2.0
/*
 * What all of hsm-verify's subcommands do with a signed message: every signature, every signer's
 * certificates up to a root that is believed, and whether the two signers are one alias of one board.
 */
#include <errno.h>
#include <string.h>
#include "hsm-verify.h"

static const int algorithms[HSM_DICE_ALGORITHMS] = {
	[HSM_DICE_P384] = HSM_COSE_ES384,
	[HSM_DICE_ML_DSA_87] = HSM_COSE_ML_DSA_87,
};

static bool have_ml_dsa(struct verify *verify)
{
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(verify->libctx, "ML-DSA-87", NULL);

	EVP_SIGNATURE_free(signature);
	return signature;
}

/* The one signature of an algorithm; none: the number of signatures. -1: several */
static int find_signature(const struct hsm_cose *message, int algorithm)
{
	int count = (int)hsm_cose_signatures(message), found = count;

	for (int i = 0; i < count; i++) {
		if (hsm_cose_signer_algorithm(message, (size_t)i) != algorithm)
			continue;
		if (found != count)
			return -1;
		found = i;
	}
	return found;
}

/*
 * One that is not what the policy asks for is looked at once more, to tell apart what is genuine and what
 * is not.
 */
static int verify_chain(struct verify *verify, const char *name, X509 *leaf, STACK_OF(X509) * chain,
			const uint8_t *partition, struct hsm_dice_facts *facts)
{
	const struct hsm_trust_policy genuine = { .roots = verify->trust.all.roots };
	char reason[HSM_DICE_REASON_MAX], other[HSM_DICE_REASON_MAX];

	if (hsm_dice_verify(verify->libctx, &verify->trust.all, HSM_DICE_LEAF_ALIAS, leaf, chain,
			    partition, facts, reason) == 0)
		return VERIFY_OK;
	if (hsm_dice_verify(verify->libctx, &genuine, HSM_DICE_LEAF_ALIAS, leaf, chain, partition,
			    facts, other) == 0)
		return fail(verify, VERIFY_POLICY, "%s: %s", name, reason);
	return fail(verify, VERIFY_FORGED, "%s: certificates: %s", name, other);
}

static void put_signature(struct json_object *rows, const char *name, const char *verdict,
			  const struct hsm_dice_facts *facts)
{
	struct json_object *row = json_object_new_object();

	put_string(row, "algorithm", name);
	put_string(row, "signature", verdict);
	put_hex(row, "alias", facts ? facts->alias : NULL, facts ? sizeof(facts->alias) : 0);
	put_hex(row, "device", facts ? facts->device : NULL, facts ? sizeof(facts->device) : 0);
	json_object_array_add(rows, row);
}

static int verify_signature(struct verify *verify, const struct hsm_cose *message, size_t index,
			    const uint8_t *partition, struct hsm_dice_facts *facts,
			    struct json_object *rows)
{
	const char *name = hsm_cose_algorithm_name(hsm_cose_signer_algorithm(message, index));
	STACK_OF(X509) *chain = hsm_cose_signer_chain(message, index, verify->libctx);
	X509 *leaf = chain ? sk_X509_value(chain, 0) : NULL;
	int code;

	if (!leaf)
		code = fail(verify, VERIFY_FORGED, "%s: no certificates", name);
	else if (hsm_cose_verify(message, index, verify->libctx, X509_get0_pubkey(leaf), NULL, 0) <
		 0)
		code = fail(verify, VERIFY_FORGED, "%s: the signature is wrong", name);
	else
		code = verify_chain(verify, name, leaf, chain, partition, facts);
	if (!code)
		put_signature(rows, name, "good", facts);
	sk_X509_pop_free(chain, X509_free);
	return code;
}

/* Which signatures there are, and whether these are enough */
static int choose(struct verify *verify, const struct hsm_cose *message,
		  int place[HSM_DICE_ALGORITHMS])
{
	int count = (int)hsm_cose_signatures(message), known = 0;

	for (size_t i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		place[i] = find_signature(message, algorithms[i]);
		if (place[i] < 0)
			return fail(verify, VERIFY_FORGED, "more than one signature by %s",
				    hsm_cose_algorithm_name(algorithms[i]));
		known += place[i] < count;
	}
	if (known != count)
		return fail(verify, VERIFY_FORGED,
			    "a signature by an algorithm that no device uses");
	if (place[HSM_DICE_P384] == count)
		return fail(verify, VERIFY_FORGED, "the signature by ES384 is missing");
	if (place[HSM_DICE_ML_DSA_87] == count && !verify->trust.one_signature &&
	    have_ml_dsa(verify))
		return fail(verify, VERIFY_FORGED,
			    "the signature by ML-DSA-87 is missing; a policy file can do without");
	return VERIFY_OK;
}

static int verify_second(struct verify *verify, const struct hsm_cose *message, int place,
			 const uint8_t *partition, const struct hsm_dice_facts *first,
			 struct json_object *rows)
{
	struct hsm_dice_facts facts;
	const char *difference;
	int code;

	if (place == (int)hsm_cose_signatures(message))
		return VERIFY_OK;
	if (!have_ml_dsa(verify)) {
		put_signature(rows, hsm_cose_algorithm_name(HSM_COSE_ML_DSA_87),
			      "not checked: libcrypto here cannot", NULL);
		return VERIFY_OK;
	}
	code = verify_signature(verify, message, (size_t)place, partition, &facts, rows);
	difference = code ? NULL : hsm_dice_same_signer(&facts, first);
	return difference ? fail(verify, VERIFY_FORGED, "%s", difference) : code;
}

int message_read(struct verify *verify, const uint8_t *bytes, size_t length, const char *type,
		 struct hsm_cose **message)
{
	if (hsm_cose_read(bytes, length, type, message) == 0)
		return VERIFY_OK;
	*message = NULL;
	return fail(verify, VERIFY_FORGED, "no signed message of type %s", type);
}

int message_verify(struct verify *verify, const struct hsm_cose *message,
		   const uint8_t partition[HSM_DICE_ID_SIZE], struct hsm_dice_facts *facts)
{
	struct json_object *rows = json_object_new_array();
	int place[HSM_DICE_ALGORITHMS] = { 0 };
	int code = choose(verify, message, place);

	if (!code)
		code = verify_signature(verify, message, (size_t)place[HSM_DICE_P384], partition,
					facts, rows);
	if (!code)
		code = verify_second(verify, message, place[HSM_DICE_ML_DSA_87], partition, facts,
				     rows);
	if (code)
		json_object_put(rows);
	else
		json_object_object_add(verify->result, "signatures", rows);
	return code;
}

int message_board(struct verify *verify, const struct hsm_dice_facts *facts,
		  const uint8_t board_id[HSM_DICE_ID_SIZE])
{
	if (!memcmp(facts->board_id, board_id, HSM_DICE_ID_SIZE))
		return VERIFY_OK;
	return fail(verify, VERIFY_FORGED,
		    "the board is not the one that the signer's certificates name");
}
