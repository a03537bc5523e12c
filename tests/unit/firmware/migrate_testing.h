/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two boards in one test program, of which one runs at a time, and the steps of a migration between them.
 */
#ifndef MIGRATE_TESTING_H
#define MIGRATE_TESTING_H

#include <openssl/x509.h>
#include <hsm/cose.h>
#include "commands_testing.h"
#include "migrate.h"

/* ---- documents ---- */

struct doc {
	uint8_t *data;
	size_t length;
};

MAYBE static struct doc doc_of(const struct peer *peer)
{
	struct doc doc;
	const uint8_t *bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_DOCUMENT, &doc.length);

	doc.data = malloc(doc.length + 1);
	if (!bytes || !doc.data)
		abort();
	memcpy(doc.data, bytes, doc.length);
	return doc;
}

MAYBE static void doc_free(struct doc *doc)
{
	free(doc->data);
	memset(doc, 0, sizeof(*doc));
}

/* Its payload taken apart; the caller frees both */
MAYBE static struct hsm_cose *doc_read(const struct doc *doc, enum hsm_migration_kind kind,
				       struct hsm_migration_document *fields,
				       uint8_t hash[HSM_MIGRATION_HASH])
{
	struct hsm_cose *message;
	const uint8_t *payload;
	size_t length;

	assert_int_equal(hsm_cose_read(doc->data, doc->length, hsm_migration_type(kind), &message),
			 0);
	payload = hsm_cose_payload(message, &length);
	assert_int_equal(hsm_migration_read(kind, payload, length, fields), 0);
	assert_int_equal(migrate_hash(payload, length, hash), 0);
	return message;
}

/* ---- boards ---- */

static struct test_partition other_board[TEST_PARTITIONS];
static uint8_t current_board;
static uint32_t board_flags[2] = { BOARD_HELLO_ROLLBACK_SAFE, BOARD_HELLO_ROLLBACK_SAFE };

/* Leave what runs and start function @function of board @number. */
MAYBE static void use(uint8_t number, uint32_t function)
{
	struct test_partition swap;
	int i;

	commands_stop();
	for (i = 0; number != current_board && i < TEST_PARTITIONS; i++) {
		swap = board.partition[i];
		board.partition[i] = other_board[i];
		other_board[i] = swap;
	}
	current_board = number;
	test_device_use(number);
	test_tcb.rollback_protected = board_flags[number] & BOARD_HELLO_ROLLBACK_SAFE;
	board.hello = (struct board_hello){
		.function = function,
		.functions = 4,
		.flags = board_flags[number] | BOARD_HELLO_EMBEDDED,
		.board_id = { number + 1 },
	};
	assert_int_equal(commands_start(&board.hello), 0);
}

#define BOARD_A 0
#define BOARD_B 1

/* Hashes of the public keys of a board's device certificates, as a policy has them */
MAYBE static size_t board_roots(uint8_t number, uint8_t *hashes)
{
	size_t count = 0;
	uint8_t *der;
	unsigned int i;
	int length;

	test_device_use(number);
	for (i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!test_device_root((enum hsm_dice_algorithm)i))
			continue;
		der = NULL;
		length = i2d_X509_PUBKEY(
			X509_get_X509_PUBKEY(test_device_root((enum hsm_dice_algorithm)i)), &der);
		assert_true(length > 0);
		assert_int_equal(
			migrate_hash(der, (size_t)length, hashes + count++ * HSM_POLICY_HASH), 0);
		OPENSSL_free(der);
	}
	test_device_use(current_board);
	return count * HSM_POLICY_HASH;
}

/* The source's policy: it may move to board B, and what @more adds */
MAYBE static void allow(void (*more)(struct hsm_writer *out))
{
	uint8_t bytes[1024], roots[HSM_DICE_ALGORITHMS * HSM_POLICY_HASH];
	struct hsm_writer out;
	size_t length = board_roots(BOARD_B, roots);

	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_bytes(&out, HSM_FIELD_MIGRATION_ROOTS, roots, length);
	if (more)
		more(&out);
	board_set_policy(0, &out);
}

MAYBE static int both_clear(void **state)
{
	int i;

	(void)state;
	commands_stop();
	board_clear();
	for (i = 0; i < TEST_PARTITIONS; i++)
		partition_empty(&other_board[i]);
	current_board = BOARD_A;
	board_flags[0] = board_flags[1] = BOARD_HELLO_ROLLBACK_SAFE;
	test_tcb.lifecycle = HSM_LIFECYCLE_PRODUCTION;
	test_tcb.security_version = 3;
	board.receipt_length = 0;
	board.grants_all = false;
	return 0;
}

/* Board A with a token whose user is USER_PIN; B has function 0's partition alone */
MAYBE static int both_setup(void **state)
{
	(void)state;
	partition_copy(&board.partition[0], &board_ready[0]);
	current_board = BOARD_A;
	board.grants_all = true;
	other_board[0].exists = true;
	other_board[0].info = (struct board_partition){ .name = "device" };
	test_device_use(BOARD_A);
	board.hello = (struct board_hello){ .function = 1,
					    .functions = 4,
					    .flags = BOARD_HELLO_ROLLBACK_SAFE,
					    .board_id = { 1 } };
	return commands_start(&board.hello);
}

/* ---- steps ---- */

MAYBE static CK_RV call_doc(struct peer *peer, unsigned int operation, const struct doc *doc)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_DOCUMENT, doc->data, doc->length);
	return peer_call(peer, operation, &out);
}

MAYBE static struct peer *peer_so(int partition)
{
	struct peer *peer = peer_new(partition);

	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	return peer;
}

/* On A: a request */
MAYBE static struct doc step_request(void)
{
	struct peer *peer = peer_so(0);
	struct doc doc;

	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_REQUEST, NULL), CKR_OK);
	doc = doc_of(peer);
	peer_free(peer);
	return doc;
}

/* On B: the officer makes the partition; it is given to function 1. Return: the answer */
MAYBE static CK_RV step_create(const struct doc *source)
{
	struct hsm_writer out;
	struct peer *peer;
	CK_RV rv;

	use(BOARD_B, 0);
	board.hello.flags |= BOARD_HELLO_EMBEDDED;
	peer = peer_new(0);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, SO_PIN, strlen(SO_PIN));
	rv = peer_call(peer, HSM_OP_CLAIM, &out);
	assert_true(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DOCUMENT, source->data, source->length);
	hsm_put_u32(&out, HSM_FIELD_FUNCTION, 1);
	rv = peer_call(peer, HSM_OP_PARTITION_IMPORT, &out);
	peer_free(peer);
	return rv;
}

/* On B, function 1, partition 1 of the fake board: an offer */
MAYBE static CK_RV step_offer(const struct doc *source, struct doc *offer)
{
	struct peer *peer = peer_new(1);
	CK_RV rv = call_doc(peer, HSM_OP_IMPORT_OFFER, source);

	if (rv == CKR_OK)
		*offer = doc_of(peer);
	peer_free(peer);
	return rv;
}

MAYBE static CK_RV step_freeze(const struct doc *offer)
{
	struct peer *peer = peer_so(0);
	CK_RV rv = call_doc(peer, HSM_OP_MIGRATE_FREEZE, offer);

	peer_free(peer);
	return rv;
}

/* struct package - a head and its sealed chunks */
struct package {
	struct doc head;
	size_t count;
	struct doc chunk[64];
};

MAYBE static void package_free(struct package *package)
{
	doc_free(&package->head);
	while (package->count)
		doc_free(&package->chunk[--package->count]);
}

/* All chunks of the export that the peer has begun */
MAYBE static void read_chunks(struct peer *peer, struct package *package)
{
	struct hsm_writer out;
	const uint8_t *bytes;
	struct doc *chunk;

	for (package->count = 0;; package->count++) {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_CHUNK, package->count);
		if (peer_call(peer, HSM_OP_MIGRATE_EXPORT, &out) != CKR_OK)
			return;
		chunk = &package->chunk[package->count];
		bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &chunk->length);
		chunk->data = malloc(chunk->length);
		if (!chunk->data)
			abort();
		memcpy(chunk->data, bytes, chunk->length);
	}
}

MAYBE static CK_RV step_export(struct package *package)
{
	struct peer *peer = peer_new(0);
	CK_RV rv = peer_call(peer, HSM_OP_MIGRATE_EXPORT, NULL);

	memset(package, 0, sizeof(*package));
	if (rv == CKR_OK) {
		package->head = doc_of(peer);
		read_chunks(peer, package);
	}
	peer_free(peer);
	return rv;
}

MAYBE static CK_RV send_chunk(struct peer *peer, const struct package *package, size_t i)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_CHUNK, i);
	hsm_put_bytes(&out, HSM_FIELD_DATA, package->chunk[i].data, package->chunk[i].length);
	return peer_call(peer, HSM_OP_IMPORT_CHUNK, &out);
}

/* Begin with what the peer's request says, then all chunks and the end */
MAYBE static CK_RV go_on(struct peer *peer, const struct package *package, struct doc *receipt)
{
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; i < package->count && rv == CKR_OK; i++)
		rv = send_chunk(peer, package, i);
	if (rv == CKR_OK)
		rv = peer_call(peer, HSM_OP_IMPORT_END, NULL);
	if (rv == CKR_OK && receipt)
		*receipt = doc_of(peer);
	return rv;
}

MAYBE static CK_RV step_import(const struct package *package, struct doc *receipt)
{
	struct peer *peer = peer_new(1);
	CK_RV rv = call_doc(peer, HSM_OP_IMPORT_BEGIN, &package->head);

	if (rv == CKR_OK)
		rv = go_on(peer, package, receipt);
	peer_free(peer);
	return rv;
}

/* A request of A, and an offer of B to it; A runs afterwards */
MAYBE static void step_meet(struct doc *request, struct doc *offer)
{
	*request = step_request();
	assert_int_equal(step_create(request), CKR_OK);
	use(BOARD_B, 1);
	assert_int_equal(step_offer(request, offer), CKR_OK);
	use(BOARD_A, 1);
}

/* Frozen for B and exported; A runs afterwards */
MAYBE static void step_leave(struct doc *request, struct doc *offer, struct package *package)
{
	step_meet(request, offer);
	assert_int_equal(step_freeze(offer), CKR_OK);
	assert_int_equal(step_export(package), CKR_OK);
}

/* Is REASON in the last answer, and is this in it? */
MAYBE static void because(const struct peer *peer, const char *why)
{
	char text[256] = "";
	size_t length;
	const uint8_t *reason = hsm_fields_bytes(&peer->fields, HSM_FIELD_REASON, &length);

	if (reason)
		memcpy(text, reason, length);
	if (!strstr(text, why))
		fail_msg("'%s' is not in the reason '%s'", why, text);
}

MAYBE static uint64_t phase_of(int partition)
{
	struct peer *peer = peer_new(partition);
	uint64_t phase;

	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_STATUS, NULL), CKR_OK);
	phase = peer_u64(peer, HSM_FIELD_PHASE);
	peer_free(peer);
	return phase;
}

/* ---- what moves: objects of a token ---- */

static const uint8_t secret[16] = "a secret of ours";

MAYBE static CK_RV create(struct peer *peer, const char *label, bool private, size_t size)
{
	static uint8_t big[70000];
	struct hsm_writer out = peer_fields(peer);

	memset(big, 'b', sizeof(big));
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), A_TRUE(CKA_TOKEN),
			    private ? A_TRUE(CKA_PRIVATE) : A_FALSE(CKA_PRIVATE),
			    A_TEXT(CKA_LABEL, label),
			    A_BYTES(CKA_VALUE, size ? big : secret, size ? size : sizeof(secret))));
	return peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
}

MAYBE static size_t find(struct peer *peer, const char *label)
{
	struct hsm_writer out = peer_fields(peer);
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, label)));
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 10);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return length / 8;
}

/* A public object, a private one, and rows that take several chunks */
MAYBE static void fill(void)
{
	struct peer *peer = peer_user(0);
	char label[16];
	int i;

	assert_int_equal(create(peer, "public", false, 0), CKR_OK);
	assert_int_equal(create(peer, "private", true, 0), CKR_OK);
	for (i = 0; i < 4; i++) {
		snprintf(label, sizeof(label), "big %d", i);
		assert_int_equal(create(peer, label, i & 1, 60000), CKR_OK);
	}
	peer_free(peer);
}

MAYBE static void arrived(int partition)
{
	struct peer *peer = peer_user(partition);
	char label[16];
	int i;

	assert_int_equal(find(peer, "public"), 1);
	assert_int_equal(find(peer, "private"), 1);
	for (i = 0; i < 4; i++) {
		snprintf(label, sizeof(label), "big %d", i);
		assert_int_equal(find(peer, label), 1);
	}
	/* And it goes on from there. */
	assert_int_equal(create(peer, "after", true, 0), CKR_OK);
	peer_free(peer);
}

/* The source's policy as well: at least security version 4 */
MAYBE static void more_version(struct hsm_writer *out)
{
	hsm_put_u32(out, HSM_FIELD_MIGRATION_VERSION, 4);
}

MAYBE static CK_RV finish_with(const struct doc *receipt, const char *why)
{
	struct peer *peer = peer_new(0);
	CK_RV rv = call_doc(peer, HSM_OP_MIGRATE_FINISH, receipt);

	if (why)
		because(peer, why);
	peer_free(peer);
	return rv;
}

/* Where libcrypto cannot do it there is nothing to test but the refusal. */
#define NEED_HYBRID                                          \
	do {                                                 \
		if (hsm_hybrid_available(mech_libctx())) \
			skip();                              \
	} while (0)

#define BOTH(name) cmocka_unit_test_setup_teardown(name, both_setup, both_clear)

#endif /* MIGRATE_TESTING_H */
