// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify evidence: what a device says of itself, of a partition or of a key. Signatures and
 * certificates first, then whether the claims agree with them and with each other, then what the
 * verifier asked for.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <hsm/evidence.h>
#include <hsm/wire.h>
#include "hsm-verify.h"
#include "hsm-verify-claims.h"

static bool claim_is(const struct hsm_evidence *evidence, enum hsm_claim claim, const void *bytes,
		     size_t length)
{
	const struct hsm_claim_value *value = &evidence->claim[claim];

	return value->present && value->length == length && !memcmp(value->bytes, bytes, length);
}

/* ---- the claims against the signers' certificates ---- */

static bool text_differs(const struct hsm_evidence *evidence, enum hsm_claim claim,
			 const char *text)
{
	return !claim_is(evidence, claim, text, strlen(text));
}

/* What the firmware measured; the alias says the same as the board, or lies */
static size_t find_lie_about_firmware(const struct hsm_evidence *evidence,
				      const struct hsm_tcb_info *tcb)
{
	const struct hsm_claim_value *claim = evidence->claim;

	if (text_differs(evidence, HSM_CLAIM_VERSION, tcb->version))
		return HSM_CLAIM_VERSION;
	if (!claim_is(evidence, HSM_CLAIM_MEASUREMENT, tcb->measurement, sizeof(tcb->measurement)))
		return HSM_CLAIM_MEASUREMENT;
	if (claim[HSM_CLAIM_SECURITY_VERSION].number != tcb->security_version)
		return HSM_CLAIM_SECURITY_VERSION;
	if (claim[HSM_CLAIM_APPROVED].number != tcb->approved)
		return HSM_CLAIM_APPROVED;
	if (claim[HSM_CLAIM_FUNCTION].number != tcb->function)
		return HSM_CLAIM_FUNCTION;
	return HSM_CLAIMS;
}

static size_t find_lie_about_board(const struct hsm_evidence *evidence,
				   const struct hsm_dice_facts *facts)
{
	static const uint8_t oem[] = HSM_EVIDENCE_OEM;
	const struct hsm_claim_value *claim = evidence->claim;
	uint8_t ueid[1 + HSM_DICE_ID_SIZE] = { HSM_UEID_RANDOM };

	memcpy(ueid + 1, facts->board_id, HSM_DICE_ID_SIZE);
	if (!claim_is(evidence, HSM_CLAIM_UEID, ueid, sizeof(ueid)))
		return HSM_CLAIM_UEID;
	if (!claim_is(evidence, HSM_CLAIM_OEM, oem, sizeof(oem)))
		return HSM_CLAIM_OEM;
	if (text_differs(evidence, HSM_CLAIM_SERIAL, facts->serial))
		return HSM_CLAIM_SERIAL;
	if (text_differs(evidence, HSM_CLAIM_MODEL, facts->tcb.model))
		return HSM_CLAIM_MODEL;
	if (claim[HSM_CLAIM_LIFECYCLE].number != facts->tcb.lifecycle)
		return HSM_CLAIM_LIFECYCLE;
	if ((claim[HSM_CLAIM_DEBUG].number == 0) != facts->tcb.debug)
		return HSM_CLAIM_DEBUG;
	if (claim[HSM_CLAIM_ROLLBACK].number != facts->tcb.rollback_protected)
		return HSM_CLAIM_ROLLBACK;
	return HSM_CLAIMS;
}

/* The first claim about which the signers' certificates say something else, HSM_CLAIMS: none */
static size_t find_lie(const struct hsm_evidence *evidence, const struct hsm_dice_facts *facts)
{
	size_t lie = find_lie_about_board(evidence, facts);

	return lie == HSM_CLAIMS ? find_lie_about_firmware(evidence, &facts->tcb) : lie;
}

/* ---- the claims among each other ---- */

static int check_policy(struct verify *verify, const struct hsm_evidence *evidence)
{
	const struct hsm_claim_value *policy = &evidence->claim[HSM_CLAIM_POLICY];
	uint8_t hash[HSM_MEASUREMENT_SIZE];
	struct hsm_fields fields;

	if (!policy->present)
		return VERIFY_OK;
	if (EVP_Digest(policy->bytes, policy->length, hash, NULL, EVP_sha384(), NULL) != 1)
		return fail(verify, VERIFY_SYSTEM, "libcrypto: no SHA-384");
	if (!claim_is(evidence, HSM_CLAIM_FINGERPRINT, hash, sizeof(hash)))
		return fail(verify, VERIFY_FORGED, "the fingerprint is not that of the policy");
	if (hsm_fields_parse(&fields, policy->bytes, policy->length) < 0 ||
	    hsm_fields_u64(&fields, HSM_FIELD_PROFILE, UINT64_MAX) !=
		    evidence->claim[HSM_CLAIM_POLICY_PROFILE].number)
		return fail(verify, VERIFY_FORGED, "the policy is none of this profile");
	return VERIFY_OK;
}

/* What was made here has no time at which it came, and what was restored is a copy. */
static int check_arrival(struct verify *verify, const struct hsm_evidence *evidence)
{
	const struct hsm_claim_value *claim = evidence->claim;
	uint64_t arrival = claim[HSM_CLAIM_ARRIVAL].number;

	if (!claim[HSM_CLAIM_ARRIVAL].present)
		return VERIFY_OK;
	if ((arrival != HSM_MIGRATION_ORIGIN_HERE) == claim[HSM_CLAIM_ARRIVED].present &&
	    (arrival != HSM_MIGRATION_ORIGIN_RESTORED || claim[HSM_CLAIM_COPIES].number))
		return VERIFY_OK;
	return fail(verify, VERIFY_FORGED, "arrival: what it says does not fit together");
}

/* ---- what the verifier asked for ---- */

/*
 * @given: in hexadecimal, NULL: nothing was asked. A nonce that is another one's makes old evidence, and bytes that are
 * others bind it to somebody else: neither is what it claims to be.
 */
static int check_bytes(struct verify *verify, const struct hsm_evidence *evidence,
		       enum hsm_claim claim, const char *given)
{
	const struct hsm_claim_info *info = hsm_claim_at(claim);
	uint8_t bytes[HSM_EVIDENCE_NONCE_MAX];
	size_t length;
	int code;

	if (!given)
		return VERIFY_OK;
	code = read_hex(verify, info->name, given, bytes, sizeof(bytes), &length);
	if (code)
		return code;
	if (claim_is(evidence, claim, bytes, length))
		return VERIFY_OK;
	return fail(verify, VERIFY_FORGED, "the %s is %s", info->name,
		    evidence->claim[claim].present ? "another one" : "missing");
}

/* What was looked at, for the report */
static const char *looked_at(const struct hsm_evidence *evidence, enum hsm_claim claim,
			     const char *given)
{
	if (given)
		return "as asked for";
	return evidence->claim[claim].present ? "not compared with anything" : "none";
}

static int check_claims(struct verify *verify, const struct hsm_evidence *evidence,
			const struct hsm_dice_facts *facts)
{
	size_t lie = find_lie(evidence, facts);
	int code = VERIFY_OK;

	if (lie != HSM_CLAIMS)
		code = fail(verify, VERIFY_FORGED,
			    "%s: the signer's certificates say something else",
			    hsm_claim_at(lie)->name);
	if (!code)
		code = check_policy(verify, evidence);
	if (!code)
		code = check_arrival(verify, evidence);
	if (!code)
		code = check_bytes(verify, evidence, HSM_CLAIM_NONCE, verify->nonce);
	if (!code)
		code = check_bytes(verify, evidence, HSM_CLAIM_BINDING, verify->binding);
	return code;
}

/* ---- report ---- */

static int write_public_key(struct verify *verify, const struct hsm_evidence *evidence)
{
	const struct hsm_claim_value *value = &evidence->claim[HSM_CLAIM_PUBLIC];
	FILE *file;
	bool done;

	if (!verify->public_key)
		return VERIFY_OK;
	if (!value->present)
		return fail(verify, VERIFY_POLICY, "the evidence has no public key in it");
	file = fopen(verify->public_key, "we");
	if (!file)
		return fail(verify, VERIFY_SYSTEM, "%s cannot be written", verify->public_key);
	done = PEM_write(file, PEM_STRING_PUBLIC, "", value->bytes, (long)value->length) > 0;
	if (fclose(file) == 0 && done)
		return VERIFY_OK;
	return fail(verify, VERIFY_SYSTEM, "%s cannot be written", verify->public_key);
}

/* Claims without which a reader of the report would think better of it than he should; @is: the number that does it */
static const struct {
	enum hsm_claim claim;
	uint64_t is;
	const char *note;
} notes[] = {
	{ HSM_CLAIM_HARDWARE, 0,
	  "the board is software: who administrates its host can read its keys" },
	{ HSM_CLAIM_ROLLBACK, 0, "an old copy of the board's state would not be noticed" },
	{ HSM_CLAIM_RECOVERED, 1, "an old copy of the board's state was accepted at some time" },
	{ HSM_CLAIM_TAMPERED, 1, "the board was tampered with" },
	{ HSM_CLAIM_DEBUG, 0, "the board can be debugged" },
	{ HSM_CLAIM_ARRIVAL, HSM_MIGRATION_ORIGIN_RESTORED,
	  "the partition was restored from a backup" },
	{ HSM_CLAIM_ARRIVAL, HSM_MIGRATION_ORIGIN_MOVED,
	  "the partition was moved here from another board" },
	{ HSM_CLAIM_COPIES, 1, "another board may have the partition as well" },
};

static void put_notes(struct json_object *result, const struct hsm_evidence *evidence)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (evidence->claim[notes[i].claim].present &&
		    evidence->claim[notes[i].claim].number == notes[i].is)
			json_object_array_add(list, json_object_new_string(notes[i].note));
	json_object_object_add(result, "notes", list);
}

static int report(struct verify *verify, const struct hsm_evidence *evidence)
{
	struct json_object *claims = claims_result(evidence);
	int code;

	put_string(verify->result, "nonce", looked_at(evidence, HSM_CLAIM_NONCE, verify->nonce));
	put_string(verify->result, "binding",
		   looked_at(evidence, HSM_CLAIM_BINDING, verify->binding));
	put_notes(verify->result, evidence);
	json_object_object_add(verify->result, "claims", claims);
	code = rules_check(verify, "claims", verify->trust.claims, claims);
	put_string(verify->result, "verdict",
		   code ? "genuine, and not what the policy asks for" : "genuine");
	return code ?: write_public_key(verify, evidence);
}

static int verify_payload(struct verify *verify, const struct hsm_cose *message,
			  struct hsm_evidence *evidence)
{
	struct hsm_dice_facts facts;
	const uint8_t *payload;
	const char *wrong;
	size_t length;
	int code;

	payload = hsm_cose_payload(message, &length);
	if (hsm_evidence_decode(payload, length, evidence, &wrong) < 0)
		return fail(verify, VERIFY_FORGED, "%s: not as evidence has it", wrong);
	code = message_verify(verify, message, evidence->claim[HSM_CLAIM_PARTITION].bytes, &facts);
	if (!code)
		code = check_claims(verify, evidence, &facts);
	return code ?: report(verify, evidence);
}

int verify_evidence(struct verify *verify, char **args)
{
	struct hsm_evidence evidence = { 0 };
	struct hsm_cose *message = NULL;
	uint8_t *bytes = NULL;
	size_t length;
	int code = read_file(verify, args[0], &bytes, &length);

	if (!code)
		code = message_read(verify, bytes, length, HSM_EVIDENCE_TYPE, &message);
	if (!code)
		code = verify_payload(verify, message, &evidence);
	hsm_evidence_free(&evidence);
	hsm_cose_free(message);
	free(bytes);
	return code;
}
