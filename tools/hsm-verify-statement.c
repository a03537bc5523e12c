// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify statement: what a board says of its own life. Signatures and certificates first, then whether
 * they say the same as the statement, then what was asked for.
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/board.h>
#include <hsm/lifecycle.h>
#include <hsm/statement.h>
#include "hsm-verify.h"

/* The board has put its name and its state of life into the certificates of whoever signs; the two agree or one lies. */
static int check_facts(struct verify *verify, const struct hsm_statement *statement,
		       const struct hsm_dice_facts *facts)
{
	if (statement->lifecycle != facts->tcb.lifecycle)
		return fail(verify, VERIFY_FORGED,
			    "lifecycle: the signer's certificates say something else");
	if (facts->tcb.function)
		return fail(verify, VERIFY_FORGED, "the signer is not the device's own function");
	if (strcmp(statement->serial, facts->serial))
		return fail(verify, VERIFY_FORGED,
			    "serial: the signer's certificates say something else");
	return message_board(verify, facts, statement->board);
}

static int check_nonce(struct verify *verify, const struct hsm_statement *statement)
{
	uint8_t bytes[HSM_STATEMENT_NONCE_MAX];
	size_t length;
	int code;

	if (!verify->nonce)
		return VERIFY_OK;
	code = read_hex(verify, "nonce", verify->nonce, bytes, sizeof(bytes), &length);
	if (code)
		return code;
	if (length == statement->nonce_length && !memcmp(bytes, statement->nonce, length))
		return VERIFY_OK;
	return fail(verify, VERIFY_FORGED, "the nonce is %s",
		    statement->nonce_length ? "another one" : "missing");
}

static struct json_object *claims_of(const struct hsm_statement *statement)
{
	struct json_object *claims = json_object_new_object();

	put_hex(claims, "board", statement->board, sizeof(statement->board));
	put_string(claims, "serial", statement->serial);
#define PUT(key, member, meaning) put_number(claims, #member, statement->member);
	HSM_STATEMENT_TABLE(PUT)
#undef PUT
	json_object_object_del(claims, "lifecycle");
	put_string(claims, "lifecycle", hsm_lifecycle_name((uint32_t)statement->lifecycle));
	return claims;
}

static const char *nonce_word(const struct verify *verify, const struct hsm_statement *statement)
{
	if (verify->nonce)
		return "as asked for";
	return statement->nonce_length ? "not compared with anything" : "none";
}

static int report(struct verify *verify, const struct hsm_statement *statement)
{
	struct json_object *claims = claims_of(statement);
	int code;

	put_string(verify->result, "nonce", nonce_word(verify, statement));
	json_object_object_add(verify->result, "claims", claims);
	code = rules_check(verify, "claims", verify->trust.claims, claims);
	put_string(verify->result, "verdict",
		   code ? "genuine, and not what the policy asks for" : "genuine");
	return code;
}

static int verify_payload(struct verify *verify, const struct hsm_cose *message)
{
	static const uint8_t device[HSM_DICE_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct hsm_statement statement;
	struct hsm_dice_facts facts;
	const uint8_t *payload;
	size_t length;
	int code;

	payload = hsm_cose_payload(message, &length);
	if (hsm_statement_decode(payload, length, &statement) < 0)
		return fail(verify, VERIFY_FORGED, "not as a statement has it");
	code = message_verify(verify, message, device, &facts);
	if (!code)
		code = check_facts(verify, &statement, &facts);
	if (!code)
		code = check_nonce(verify, &statement);
	return code ?: report(verify, &statement);
}

int verify_statement(struct verify *verify, char **args)
{
	struct hsm_cose *message = NULL;
	uint8_t *bytes = NULL;
	size_t length;
	int code = read_file(verify, args[0], &bytes, &length);

	if (!code)
		code = message_read(verify, bytes, length, HSM_STATEMENT_TYPE, &message);
	if (!code)
		code = verify_payload(verify, message);
	hsm_cose_free(message);
	free(bytes);
	return code;
}
