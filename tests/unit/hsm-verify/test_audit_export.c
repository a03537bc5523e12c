// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify audit: logs of a device whose firmware was updated: checkpoints of former aliases are held against the roots
 * and not against what is asked of firmware today; one of another alias, board or log is none.
 */
#include "fixture.h"
#include "tool-audit.h"

static struct fake_board board, stranger;

/* An export on its way: lines so far, and the chain */
static struct {
	char text[1 << 20];
	size_t used;
	struct hsm_audit_chain chain;
	uint8_t log[HSM_AUDIT_LOG_ID];
} out;

static void put_line(struct json_object *line)
{
	int n = snprintf(out.text + out.used, sizeof(out.text) - out.used, "%s\n",
			 json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));

	assert_in_range(n, 1, sizeof(out.text) - out.used - 1);
	out.used += (size_t)n;
	json_object_put(line);
}

static void put_record(struct hsm_audit_record *record)
{
	static uint8_t bytes[HSM_AUDIT_RECORD_MAX];
	const uint8_t *at = bytes;
	struct audit_item item;
	size_t left;
	long length;

	record->sequence = out.chain.sequence + 1;
	record->time = 1800000000000ULL;
	length = hsm_audit_encode(record, bytes, sizeof(bytes));
	assert_true(length > 0);
	left = (size_t)length;
	assert_int_equal(audit_item_next(&at, &left, &item), 0);
	put_line(audit_json(&item, true));
	audit_item_free(&item);
	assert_int_equal(hsm_audit_extend(&out.chain, EVP_sha384(), bytes, (size_t)length), 0);
}

static void put_event(enum hsm_audit_event event)
{
	struct hsm_audit_record record = { .event = event, .actor = "board" };

	put_record(&record);
}

static void begin(void)
{
	struct hsm_audit_record record = { .event = HSM_AUDIT_LOG_STARTED, .actor = "board" };
	struct json_object *line = json_object_new_object();

	memset(&out, 0, sizeof(out));
	memset(out.log, 0x10, sizeof(out.log));
	put_string(line, "audit", "ihsm");
	put_number(line, "first", 1);
	put_hex(line, "base", out.chain.head, HSM_AUDIT_HASH);
	put_line(line);
	record.log = (struct hsm_audit_bytes){ out.log, sizeof(out.log) };
	put_record(&record);
}

static void put_alias(const struct fake_board *of, uint8_t alias[HSM_AUDIT_ALIAS_SIZE])
{
	struct hsm_audit_record record = { .event = HSM_AUDIT_ALIAS, .actor = "board" };

	assert_int_equal(hsm_dice_fingerprint(NULL, of->alias.key[HSM_DICE_P384], alias), 0);
	record.alias = (struct hsm_audit_bytes){ alias, HSM_AUDIT_ALIAS_SIZE };
	put_record(&record);
}

static void sign_head(const struct fake_board *by, const struct hsm_audit_bytes *nonce,
		      uint8_t **message, size_t *length)
{
	struct hsm_audit_head head = { .first = 1, .chain = out.chain, .time = 1800000000000ULL };
	uint8_t payload[HSM_AUDIT_HEAD_MAX];
	size_t size;

	memcpy(head.log, out.log, sizeof(head.log));
	memcpy(head.board, by->id, sizeof(head.board));
	memcpy(head.partition, partition_id, sizeof(head.partition));
	if (nonce) {
		memcpy(head.nonce, nonce->data, nonce->length);
		head.nonce_length = nonce->length;
	}
	size = hsm_audit_head_encode(&head, payload);
	fake_sign(by, by, FAKE_BOTH, nonce ? HSM_AUDIT_HEAD_TYPE : HSM_AUDIT_CHECKPOINT_TYPE,
		  payload, size, message, length);
}

static void put_checkpoint(const struct fake_board *by, const uint8_t *alias)
{
	struct hsm_audit_record record = { .event = HSM_AUDIT_CHECKPOINT, .actor = "board" };
	uint8_t *message;
	size_t length;

	sign_head(by, NULL, &message, &length);
	record.signature = (struct hsm_audit_bytes){ message, length };
	record.alias = (struct hsm_audit_bytes){ alias, HSM_AUDIT_ALIAS_SIZE };
	put_record(&record);
	free(message);
}

static int end_and_verify(const char *policy)
{
	const struct hsm_audit_bytes nonce = { fake_nonce, sizeof(fake_nonce) };
	struct hsm_audit_record record = { .event = HSM_AUDIT_LOG_READ,
					   .actor = "so",
					   .nonce = nonce };
	struct verify verify = { .nonce = FAKE_NONCE };
	char path[TEMPORARY_FILE], root[TEMPORARY_FILE], policy_path[TEMPORARY_FILE];
	char *args[] = { path, NULL };
	struct json_object *line = json_object_new_object();
	uint8_t *message;
	size_t length;
	int code;

	put_record(&record);
	sign_head(&board, &nonce, &message, &length);
	put_hex(line, "head", message, length);
	free(message);
	put_line(line);
	put_file("export", out.text, out.used);
	file_in(path, "export");
	verify.root[verify.roots++] = file_in(root, "root.pem");
	put_file("policy.json", policy, strlen(policy));
	verify.policy = file_in(policy_path, "policy.json");
	verify.libctx = OSSL_LIB_CTX_new();
	verify.result = json_object_new_object();
	code = trust_load(&verify);
	code = code ?: verify_audit(&verify, args);
	trust_free(&verify);
	json_object_put(verify.result);
	OSSL_LIB_CTX_free(verify.libctx);
	return code;
}

/* Firmware of another version: its alias is another one. */
static void update(uint32_t version)
{
	board.tcb.security_version = version;
	memset(board.tcb.measurement, (int)version, sizeof(board.tcb.measurement));
	fake_alias(&board, (uint8_t)(0x40 + version));
}

/* A log that firmware of version 1 began and 3 goes on with */
static void two_aliases(uint8_t first[HSM_AUDIT_ALIAS_SIZE], uint8_t second[HSM_AUDIT_ALIAS_SIZE])
{
	update(1);
	begin();
	put_alias(&board, first);
	put_event(HSM_AUDIT_BOOT);
	put_checkpoint(&board, first);
	update(3);
	put_alias(&board, second);
	put_checkpoint(&board, second);
	put_event(HSM_AUDIT_BOOT);
}

static void test_former_aliases(void **state)
{
	uint8_t first[HSM_AUDIT_ALIAS_SIZE], second[HSM_AUDIT_ALIAS_SIZE];

	(void)state;
	two_aliases(first, second);
	assert_int_equal(end_and_verify("{}"), VERIFY_OK);
	/* What is asked of firmware is asked of today's. */
	two_aliases(first, second);
	assert_int_equal(end_and_verify("{\"minimum_security_version\": 3}"), VERIFY_OK);
	two_aliases(first, second);
	assert_int_not_equal(end_and_verify("{\"minimum_security_version\": 4}"), VERIFY_OK);
}

static void test_wrong_aliases(void **state)
{
	uint8_t first[HSM_AUDIT_ALIAS_SIZE], second[HSM_AUDIT_ALIAS_SIZE];

	(void)state;
	/* The former alias speaks after the next one has taken over. */
	two_aliases(first, second);
	update(1);
	put_checkpoint(&board, first);
	update(3);
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
	/* By the right one, and named as another */
	two_aliases(first, second);
	put_checkpoint(&board, first);
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
	/* The head by another alias than the log's last */
	two_aliases(first, second);
	update(1);
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
	update(3);
}

static void test_wrong_checkpoints(void **state)
{
	uint8_t first[HSM_AUDIT_ALIAS_SIZE], second[HSM_AUDIT_ALIAS_SIZE];

	(void)state;
	/* Of a board that no root vouches for */
	two_aliases(first, second);
	put_checkpoint(&stranger, second);
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
	/* Of another log */
	two_aliases(first, second);
	out.log[0] ^= 1;
	put_checkpoint(&board, second);
	out.log[0] ^= 1;
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
	/* Over other records */
	two_aliases(first, second);
	out.chain.head[0] ^= 1;
	put_checkpoint(&board, second);
	assert_int_equal(end_and_verify("{}"), VERIFY_FORGED);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(temporary_name(directory, "hsm-verify")));
	fake_board(&board, 1);
	fake_board(&stranger, 0x80);
	put_roots(&board, "root.pem");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "root.pem", "policy.json", "export" };
	char path[TEMPORARY_FILE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(file_in(path, names[i]));
	rmdir(directory);
	fake_board_free(&board);
	fake_board_free(&stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_former_aliases),
		cmocka_unit_test(test_wrong_aliases),
		cmocka_unit_test(test_wrong_checkpoints),
	};

	return cmocka_run_group_tests_name("hsm-verify audit", tests, setup, teardown);
}
