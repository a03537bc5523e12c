// SPDX-License-Identifier: Apache-2.0
/*
 * Policy files of hsm-verify: what each condition takes and refuses, on claims and on the signers'
 * certificates; that a file with anything in it that is not understood is refused; and that every
 * claim of the table can be asked for.
 */
#include "fixture.h"

static struct fake_board board;
static uint8_t *message;
static size_t message_length;

static int judged(const char *policy, struct json_object **result)
{
	return run_evidence(&(struct run){ .policy = policy }, message, message_length, result);
}

static int judge(const char *policy)
{
	return judged(policy, NULL);
}

/* A condition on claims */
static int asked(const char *claims)
{
	char policy[512];

	snprintf(policy, sizeof(policy), "{ \"claims\": %s }", claims);
	return judge(policy);
}

static void test_conditions(void **state)
{
	static const struct {
		const char *claims;
		bool holds;
	} conditions[] = {
		{ "{}", true },
		{ "{ \"kind\": \"key\" }", true },
		{ "{ \"kind\": \"device\" }", false },
		{ "{ \"kind\": \"Key\" }", false },
		{ "{ \"name\": \"web\" }", true },
		{ "{ \"name\": \"WEB\" }", false },
		{ "{ \"attributes\": { \"CKA_LABEL\": \"Web\" } }", false },
		{ "{ \"partition\": \"AABB0100-0000-0000-0000-000000000000\" }", true },
		{ "{ \"origin\": [\"generated\", \"derived\"] }", true },
		{ "{ \"origin\": [\"imported\"] }", false },
		{ "{ \"origin\": [] }", false },
		{ "{ \"tampered\": false, \"unmasked\": false }", true },
		{ "{ \"tampered\": true }", false },
		{ "{ \"tampered\": \"false\" }", false },
		{ "{ \"security_version\": { \"min\": 3 } }", true },
		{ "{ \"security_version\": { \"min\": 4 } }", false },
		{ "{ \"security_version\": { \"min\": 1, \"max\": 2 } }", false },
		{ "{ \"security_version\": { \"least\": 1 } }", false },
		{ "{ \"security_version\": { \"min\": \"1\" } }", false },
		{ "{ \"lifecycle\": { \"min\": 1 } }", false },
		{ "{ \"nonce\": \"" FAKE_NONCE "\", \"binding\": \"B1B2\" }", true },
		{ "{ \"policy\": { \"min_rsa\": { \"min\": 3072 } } }", true },
		{ "{ \"policy\": { \"min_rsa\": { \"min\": 4096 } } }", false },
		{ "{ \"policy\": { \"min_none\": 1 } }", false },
		{ "{ \"attributes\": { \"CKA_SENSITIVE\": true, \"CKA_LABEL\": \"web\" } }", true },
		{ "{ \"attributes\": { \"CKA_CLASS\": \"CKO_PRIVATE_KEY\" } }", true },
		{ "{ \"attributes\": { \"CKA_EXTRACTABLE\": false } }", false },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": { \"only\": [\"CKM_ECDSA\", "
		  "\"CKM_ECDSA_SHA256\"] } } }",
		  true },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": { \"only\": [\"CKM_RSA_PKCS\"] } } }",
		  false },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": { \"has\": [\"CKM_ECDSA\"] } } }",
		  true },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": { \"has\": [\"CKM_RSA_PKCS\"] } } }",
		  false },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": [\"CKM_ECDSA\"] } }", true },
		{ "{ \"attributes\": { \"CKA_ALLOWED_MECHANISMS\": [] } }", false },
		{ "{ \"no_such_claim\": 1 }", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		assert_int_equal(asked(conditions[i].claims),
				 conditions[i].holds ? VERIFY_OK : VERIFY_POLICY);
}

/* Evidence of a key with this label */
static void label_message(const char *label, size_t length)
{
	struct fake_evidence fake;
	struct cbor_pair *pair;
	uint8_t *payload;
	size_t size;

	fake_evidence(&fake, &board);
	pair = &cbor_map_handle(fake.evidence.attributes)[1];
	cbor_decref(&pair->value);
	pair->value = cbor_build_bytestring((const uint8_t *)label, length);
	assert_int_equal(hsm_evidence_encode(&fake.evidence, &payload, &size), 0);
	free(message);
	fake_sign(&board, &board, FAKE_BOTH, HSM_EVIDENCE_TYPE, payload, size, &message,
		  &message_length);
	hsm_evidence_free(&fake.evidence);
	free(payload);
}

/* Labels that only look like the one that is asked for */
static void test_labels(void **state)
{
	static const struct {
		const char *label;
		size_t length;
		const char *rule;
		bool holds;
	} labels[] = {
		{ "ab", 2, "ab", true },
		{ "ab", 2, "AB", false },
		{ "web\0other", 9, "web", false },
		{ "web\0other", 9, "web\\u0000other", true },
		{ "we\xff", 3, "we?", false },
		{ "we?", 3, "we?", true },
		{ "", 0, "", true },
		{ "\0", 1, "", false },
	};
	char claims[128];

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		label_message(labels[i].label, labels[i].length);
		snprintf(claims, sizeof(claims), "{ \"attributes\": { \"CKA_LABEL\": \"%s\" } }",
			 labels[i].rule);
		assert_int_equal(asked(claims), labels[i].holds ? VERIFY_OK : VERIFY_POLICY);
	}
	label_message("web", 3);
}

/* A list that is empty allows everything, and is not what "only" asks for. */
static void test_empty_list(void **state)
{
	struct json_object *values = json_tokener_parse("{ \"mechanisms\": [] }");
	struct verify verify = { .result = json_object_new_object() };
	struct json_object *rule;

	(void)state;
	rule = json_tokener_parse("{ \"mechanisms\": { \"only\": [\"CKM_ECDSA\"] } }");
	assert_int_equal(rules_check(&verify, "policy", rule, values), VERIFY_POLICY);
	json_object_put(rule);
	rule = json_tokener_parse("{ \"mechanisms\": [] }");
	assert_int_equal(rules_check(&verify, "policy", rule, values), VERIFY_OK);
	json_object_put(rule);
	json_object_put(values);
	json_object_put(verify.result);
}

/* Each claim as the report has it is a condition that holds, and none that does when it has another value. */
static void test_each_claim(void **state)
{
	struct json_object *result, *claims, *value, *rule, *policy;
	const char *name;

	(void)state;
	assert_int_equal(judged(NULL, &result), VERIFY_OK);
	assert_true(json_object_object_get_ex(result, "claims", &claims));
	assert_int_equal(json_object_object_length(claims), HSM_CLAIMS);
	for (size_t i = 0; i < HSM_CLAIMS; i++) {
		name = hsm_claim_at(i)->name;
		assert_true(json_object_object_get_ex(claims, name, &value));
		for (int other = 0; other < 2; other++) {
			policy = json_object_new_object();
			rule = json_object_new_object();
			json_object_object_add(policy, "claims", rule);
			json_object_object_add(rule, name,
					       other ? json_object_new_string("another")
						     : json_object_get(value));
			assert_int_equal(judge(json_object_to_json_string(policy)),
					 other ? VERIFY_POLICY : VERIFY_OK);
			json_object_put(policy);
		}
	}
	json_object_put(result);
}

static void test_firmware_and_life(void **state)
{
	static const char *const good[] = {
		"{ \"minimum_security_version\": 3, \"lifecycle\": \"production\" }",
		"{ \"rollback_protection\": true, \"approved_mode\": false }",
		"{ \"measurements\": [\"5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
		"e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e\"] }",
	};
	static const char *const bad[] = {
		"{ \"minimum_security_version\": 4 }",
		"{ \"lifecycle\": \"returned\" }",
		"{ \"approved_mode\": true }",
		"{ \"measurements\": [\"005e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
		"e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e\"] }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(judge(good[i]), VERIFY_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(judge(bad[i]), VERIFY_POLICY);
}

/* By the fingerprints that the report shows */
static void test_revoked(void **state)
{
	static const char *const keys[] = { "device", "alias" };
	static const char *const lists[] = { "revoked_devices", "revoked_aliases" };
	struct json_object *result, *rows, *value;
	char policy[256];

	(void)state;
	assert_int_equal(judged(NULL, &result), VERIFY_OK);
	assert_true(json_object_object_get_ex(result, "signatures", &rows));
	for (size_t row = 0; row < json_object_array_length(rows); row++) {
		for (size_t i = 0; i < 2; i++) {
			assert_true(json_object_object_get_ex(json_object_array_get_idx(rows, row),
							      keys[i], &value));
			/* Where libcrypto has no ML-DSA the second row has none. */
			if (!json_object_get_string_len(value))
				continue;
			snprintf(policy, sizeof(policy), "{ \"%s\": [\"%s\"] }", lists[i],
				 json_object_get_string(value));
			assert_int_equal(judge(policy), VERIFY_POLICY);
			snprintf(policy, sizeof(policy), "{ \"%s\": [\"%s\"] }", lists[1 - i],
				 json_object_get_string(value));
			assert_int_equal(judge(policy), VERIFY_OK);
		}
	}
	json_object_put(result);
}

static void test_files_that_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{} {}",
		"{ \"minimum_security_versions\": 3 }",
		"{ \"minimum_security_version\": \"3\" }",
		"{ \"minimum_security_version\": -1 }",
		"{ \"lifecycle\": \"retired\" }",
		"{ \"lifecycle\": 2 }",
		"{ \"approved_mode\": 1 }",
		"{ \"measurements\": [] }",
		"{ \"measurements\": [\"5e5e\"] }",
		"{ \"revoked_devices\": \"5e\" }",
		"{ \"revoked_devices\": [\"zz5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e\"] }",
		"{ \"signatures\": [] }",
		"{ \"signatures\": [\"ES256\"] }",
		"{ \"signatures\": [null] }",
		"{ \"claims\": [] }",
		"{ \"roots\": \"root.pem\" }",
		"{ \"roots\": [null] }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(judge(bad[i]), VERIFY_USAGE);
}

/* Beside the policy file, and in place of --root */
static void test_roots(void **state)
{
	const struct run run = { .no_root = true, .policy = "{ \"roots\": [\"root.pem\"] }" };

	(void)state;
	assert_int_equal(run_evidence(&run, message, message_length, NULL), VERIFY_OK);
	assert_int_equal(judge("{ \"roots\": [\"none.pem\"] }"), VERIFY_SYSTEM);
}

static int begin(void **state)
{
	struct fake_evidence fake;
	uint8_t *payload;
	size_t length;

	(void)state;
	if (!mkdtemp(temporary_name(directory, "hsm-verify")))
		return -1;
	fake_board(&board, 0x10);
	put_roots(&board, "root.pem");
	fake_evidence(&fake, &board);
	assert_int_equal(hsm_evidence_encode(&fake.evidence, &payload, &length), 0);
	fake_sign(&board, &board, FAKE_BOTH, HSM_EVIDENCE_TYPE, payload, length, &message,
		  &message_length);
	hsm_evidence_free(&fake.evidence);
	free(payload);
	return 0;
}

static int end(void **state)
{
	static const char *const names[] = { "root.pem", "message", "policy.json" };
	char path[TEMPORARY_FILE];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(file_in(path, names[i]));
	free(message);
	fake_board_free(&board);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_each_claim),
		cmocka_unit_test(test_firmware_and_life),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_roots),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
