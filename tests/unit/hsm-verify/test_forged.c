// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify evidence before a forger: each claim of the table is changed, and signed by nobody, by
 * a stranger, by a stranger under the board's certificates, and by the board's own alias when that
 * lies about what its certificate says. Signatures are left out, doubled and mixed, chains are
 * another board's, nonces others'.
 */
#include "fixture.h"

static struct fake_board board, stranger;

static const struct run plain = { .nonce = FAKE_NONCE, .binding = FAKE_BINDING };

/* Another value that the claim can have */
static void change(struct fake_evidence *fake, size_t claim, uint8_t bytes[256])
{
	struct hsm_claim_value *value = &fake->evidence.claim[claim];
	const struct hsm_claim_info *info = hsm_claim_at(claim);

	switch (info->type) {
	case HSM_CLAIM_TYPE_UINT:
	case HSM_CLAIM_TYPE_BOOL:
		value->number += value->number < info->most ? 1 : -1;
		break;
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		cbor_set_bool(cbor_map_handle(fake->evidence.attributes)[2].value, false);
		break;
	default:
		assert_true(value->length <= 256);
		memcpy(bytes, value->bytes, value->length);
		bytes[value->length - 1] ^= 1;
		value->bytes = bytes;
	}
}

static void encode(const struct fake_evidence *fake, uint8_t **payload, size_t *length)
{
	assert_int_equal(hsm_evidence_encode(&fake->evidence, payload, length), 0);
}

static int judge(const struct fake_board *keys, const struct fake_board *chain,
		 unsigned int algorithms, const struct run *run, const uint8_t *payload,
		 size_t length)
{
	uint8_t *message;
	size_t message_length;
	int code;

	fake_sign(keys, chain, algorithms, HSM_EVIDENCE_TYPE, payload, length, &message,
		  &message_length);
	code = run_evidence(run, message, message_length, NULL);
	free(message);
	return code;
}

static void test_genuine(void **state)
{
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length), VERIFY_OK);
	free(payload);
	hsm_evidence_free(&fake.evidence);
}

/* The signed payload replaced inside the message, where it is found byte for byte */
static void replace(uint8_t *message, size_t length, const uint8_t *from, const uint8_t *to,
		    size_t size)
{
	uint8_t *at = memmem(message, length, from, size);

	assert_non_null(at);
	memcpy(at, to, size);
}

/* Signed by the board, then changed. A claim whose encoding changes its length cannot be put in place so. */
static void unsigned_change(const uint8_t *genuine, size_t genuine_length, const uint8_t *forged,
			    size_t forged_length)
{
	uint8_t *message;
	size_t length;

	if (genuine_length != forged_length)
		return;
	fake_sign(&board, &board, FAKE_BOTH, HSM_EVIDENCE_TYPE, genuine, genuine_length, &message,
		  &length);
	replace(message, length, genuine, forged, genuine_length);
	assert_int_equal(run_evidence(&(struct run){ 0 }, message, length, NULL), VERIFY_FORGED);
	free(message);
}

static void test_each_claim(void **state)
{
	struct fake_evidence fake;
	uint8_t *genuine, *forged, bytes[256];
	size_t genuine_length, length;
	struct run run = { 0 };

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &genuine, &genuine_length);
	hsm_evidence_free(&fake.evidence);
	for (size_t i = 0; i < HSM_CLAIMS; i++) {
		/* These say which evidence it is: another value is another form. */
		if (i == HSM_CLAIM_PROFILE || i == HSM_CLAIM_KIND)
			continue;
		fake_evidence(&fake, &board);
		change(&fake, i, bytes);
		encode(&fake, &forged, &length);
		hsm_evidence_free(&fake.evidence);
		unsigned_change(genuine, genuine_length, forged, length);
		assert_int_equal(judge(&stranger, &stranger, FAKE_BOTH, &run, forged, length),
				 VERIFY_FORGED);
		assert_int_equal(judge(&stranger, &board, FAKE_BOTH, &run, forged, length),
				 VERIFY_FORGED);
		free(forged);
	}
	free(genuine);
}

/* Form alone: a payload of another kind or profile than its claims, whoever signs it */
static void test_kind_and_profile(void **state)
{
	static const enum hsm_claim claims[] = { HSM_CLAIM_PROFILE, HSM_CLAIM_KIND };
	const struct hsm_claim_info *info;
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		info = hsm_claim_at(claims[i]);
		fake_evidence(&fake, &board);
		encode(&fake, &payload, &length);
		hsm_evidence_free(&fake.evidence);
		if (info->key > 0)
			*(uint8_t *)memmem(payload, length, "urn:uuid:", 9) = 'U';
		else /* key -70001 is 3a 00011170 */
			((uint8_t *)memmem(payload, length, "\x3a\x00\x01\x11\x70", 5))[5] = 2;
		assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length),
				 VERIFY_FORGED);
		free(payload);
	}
}

/* Claims that the alias's certificate states as well: its own alias cannot say something else. */
static void test_lying_alias(void **state)
{
	static const enum hsm_claim stated[] = {
		HSM_CLAIM_MODEL,	  HSM_CLAIM_VERSION,
		HSM_CLAIM_MEASUREMENT,	  HSM_CLAIM_SECURITY_VERSION,
		HSM_CLAIM_LIFECYCLE,	  HSM_CLAIM_APPROVED,
		HSM_CLAIM_ROLLBACK,	  HSM_CLAIM_FUNCTION,
		HSM_CLAIM_PARTITION,	  HSM_CLAIM_FINGERPRINT,
		HSM_CLAIM_POLICY_PROFILE, HSM_CLAIM_UEID,
		HSM_CLAIM_SERIAL,	  HSM_CLAIM_OEM,
		HSM_CLAIM_ARRIVAL,
	};
	struct fake_evidence fake;
	uint8_t *payload, bytes[256];
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(stated) / sizeof(stated[0]); i++) {
		fake_evidence(&fake, &board);
		change(&fake, stated[i], bytes);
		encode(&fake, &payload, &length);
		assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length),
				 VERIFY_FORGED);
		hsm_evidence_free(&fake.evidence);
		free(payload);
	}
	fake_evidence(&fake, &board);
	hsm_evidence_number(&fake.evidence, HSM_CLAIM_DEBUG, 0);
	encode(&fake, &payload, &length);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length), VERIFY_FORGED);
	hsm_evidence_free(&fake.evidence);
	free(payload);
}

static void test_replay(void **state)
{
	static const struct run runs[] = {
		{ .nonce = "0102030405060709" },
		{ .nonce = "010203040506070800" },
		{ .nonce = "01020304050607" },
		{ .nonce = FAKE_NONCE, .binding = "b1b3" },
		{ .binding = "b1" },
	};
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		assert_int_equal(judge(&board, &board, FAKE_BOTH, &runs[i], payload, length),
				 VERIFY_FORGED);
	free(payload);
	/* Evidence without a nonce is none for who asked with one. */
	fake.evidence.claim[HSM_CLAIM_NONCE].present = false;
	encode(&fake, &payload, &length);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length), VERIFY_FORGED);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &(struct run){ 0 }, payload, length),
			 VERIFY_OK);
	free(payload);
	hsm_evidence_free(&fake.evidence);
}

/* Other messages that a board signs, and messages that nobody makes */
static void test_other_messages(void **state)
{
	struct fake_evidence fake;
	uint8_t *payload, *message;
	size_t length, message_length;

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	fake_sign(&board, &board, FAKE_BOTH, "application/vnd.ihsm.statement+cbor", payload, length,
		  &message, &message_length);
	assert_int_equal(run_evidence(&plain, message, message_length, NULL), VERIFY_FORGED);
	free(message);
	fake_sign(&board, &board, FAKE_BOTH, HSM_EVIDENCE_TYPE, payload, length, &message,
		  &message_length);
	for (size_t cut = 0; cut < message_length; cut += 97)
		assert_int_equal(run_evidence(&plain, message, cut, NULL), VERIFY_FORGED);
	free(message);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &plain, payload, length - 1),
			 VERIFY_FORGED);
	hsm_evidence_free(&fake.evidence);
	free(payload);
}

static bool both_algorithms(void)
{
	return board.alias.key[HSM_DICE_ML_DSA_87];
}

static void test_signatures(void **state)
{
	const struct run one = { .policy = "{\"signatures\": [\"ES384\"]}" };
	struct fake_board mixed = board;
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	/* Where libcrypto has no ML-DSA one signature is all that there is. */
	assert_int_equal(judge(&board, &board, 1U << HSM_DICE_P384, &plain, payload, length),
			 both_algorithms() ? VERIFY_FORGED : VERIFY_OK);
	assert_int_equal(judge(&board, &board, 1U << HSM_DICE_P384, &one, payload, length),
			 VERIFY_OK);
	if (both_algorithms()) {
		assert_int_equal(judge(&board, &board, 1U << HSM_DICE_ML_DSA_87, &one, payload,
				       length),
				 VERIFY_FORGED);
		for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
			mixed = board;
			mixed.alias.key[i] = stranger.alias.key[i];
			assert_int_equal(judge(&mixed, &board, FAKE_BOTH, &one, payload, length),
					 VERIFY_FORGED);
			mixed.alias_cert[i] = stranger.alias_cert[i];
			mixed.device_cert[i] = stranger.device_cert[i];
			assert_int_equal(judge(&mixed, &mixed, FAKE_BOTH, &one, payload, length),
					 VERIFY_FORGED);
		}
	}
	free(payload);
	hsm_evidence_free(&fake.evidence);
}

/* Both certificates of the signers are a genuine board's, and tell of two firmwares. */
static void test_two_firmwares(void **state)
{
	struct fake_board other, mixed;
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	if (!both_algorithms())
		skip();
	fake_board(&other, 0x10);
	other.tcb.security_version = 2;
	fake_alias(&other, 0x44);
	mixed = board;
	mixed.alias.key[HSM_DICE_ML_DSA_87] = other.alias.key[HSM_DICE_ML_DSA_87];
	mixed.alias_cert[HSM_DICE_ML_DSA_87] = other.alias_cert[HSM_DICE_ML_DSA_87];
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	assert_int_equal(judge(&mixed, &mixed, FAKE_BOTH, &plain, payload, length), VERIFY_FORGED);
	free(payload);
	hsm_evidence_free(&fake.evidence);
	fake_board_free(&other);
}

/*
 * Two boards that the verifier believes, one signature by each: who has broken one of them, or one of the algorithms,
 * must not sign for the other. In nothing but its id, and in nothing but its serial number, the second one differs.
 */
static void test_two_boards(void **state)
{
	static const struct {
		uint8_t id;
		const char *serial;
		int code;
	} second[] = {
		{ 0x30, FAKE_SERIAL, VERIFY_FORGED },
		{ 0x10, "FAKE2", VERIFY_FORGED },
		/* The same name: a board is what those who certified it call it. */
		{ 0x10, FAKE_SERIAL, VERIFY_OK },
	};
	struct fake_board other, mixed;
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	if (!both_algorithms())
		skip();
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		fake_board_named(&other, 0x30, second[i].id, second[i].serial);
		put_roots(&board, "both.pem");
		put_roots(&other, "both.pem");
		for (int a = 0; a < HSM_DICE_ALGORITHMS; a++) {
			mixed = board;
			mixed.alias.key[a] = other.alias.key[a];
			mixed.alias_cert[a] = other.alias_cert[a];
			mixed.device_cert[a] = other.device_cert[a];
			assert_int_equal(judge(&mixed, &mixed, FAKE_BOTH,
					       &(struct run){ .root = "both.pem" }, payload,
					       length),
					 second[i].code);
		}
		fake_board_free(&other);
	}
	free(payload);
	hsm_evidence_free(&fake.evidence);
}

static void test_roots(void **state)
{
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	fake_evidence(&fake, &board);
	encode(&fake, &payload, &length);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &(struct run){ .root = "stranger.pem" },
			       payload, length),
			 VERIFY_FORGED);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &(struct run){ .no_root = true }, payload,
			       length),
			 VERIFY_USAGE);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &(struct run){ .root = "none.pem" },
			       payload, length),
			 VERIFY_SYSTEM);
	put_file("empty.pem", "no certificate", 14);
	assert_int_equal(judge(&board, &board, FAKE_BOTH, &(struct run){ .root = "empty.pem" },
			       payload, length),
			 VERIFY_USAGE);
	free(payload);
	hsm_evidence_free(&fake.evidence);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(temporary_name(directory, "hsm-verify")))
		return -1;
	fake_board(&board, 0x10);
	fake_board(&stranger, 0x20);
	put_roots(&board, "root.pem");
	put_roots(&stranger, "stranger.pem");
	return 0;
}

static int end(void **state)
{
	static const char *const names[] = { "root.pem",  "stranger.pem", "both.pem",
					     "empty.pem", "message",	  "policy.json" };
	char path[TEMPORARY_FILE];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(file_in(path, names[i]));
	fake_board_free(&board);
	fake_board_free(&stranger);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),	    cmocka_unit_test(test_each_claim),
		cmocka_unit_test(test_lying_alias), cmocka_unit_test(test_kind_and_profile),
		cmocka_unit_test(test_replay),	    cmocka_unit_test(test_other_messages),
		cmocka_unit_test(test_signatures),  cmocka_unit_test(test_two_firmwares),
		cmocka_unit_test(test_two_boards),  cmocka_unit_test(test_roots),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
