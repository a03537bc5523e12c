// SPDX-License-Identifier: Apache-2.0
/*
 * A tenant's process that writes its own sealed commands: other clients' sessions, objects and offers, numbers that no library
 * would send, templates that lie about their lengths. Each has an answer, and the next command works.
 */
#include "commands_testing.h"

#define HUGE (~0ULL)

static void still_works(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_LENGTH, 32);
	assert_int_equal(peer_call(peer, HSM_OP_RANDOM, &out), CKR_OK);
}

static CK_RV generate(struct peer *peer, const struct test_attribute *template, uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_GENERATE_KEY, &out);
	*handle = rv == CKR_OK ? peer_u64(peer, HSM_FIELD_HANDLE) : 0;
	return rv;
}

/* ---- other clients ---- */

static CK_RV take(struct peer *peer, const uint8_t token[32])
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_TOKEN, token, 32);
	return peer_call(peer, HSM_OP_CHANNEL_TAKE, &out);
}

/* A second channel in the context of @of, to any partition */
static struct peer *beside(struct peer *of, int partition)
{
	struct peer *peer = peer_alloc();

	peer->context = of->context;
	assert_int_equal(peer_connect(peer, board.partition[partition].info.id), IHSM_SC_SUCCESS);
	return peer;
}

static void leave(struct peer *peer)
{
	hsm_seal_free(peer->seal);
	free(peer);
}

/* What a channel leaves to its successor is for its own context and partition, and for one taker without sessions. */
static void offers_of_others(void **state)
{
	struct peer *peer = peer_user(0), *stranger = peer_new(0);
	struct peer *neighbour = beside(peer, 1), *busy = beside(peer, 0), *heir = beside(peer, 0);
	struct peer *late = beside(peer, 0);
	const uint8_t nothing[32] = { 0 };
	uint8_t token[32];
	const uint8_t *field;
	size_t length;

	(void)state;
	assert_int_equal(take(heir, nothing), CKR_ARGUMENTS_BAD);
	assert_int_equal(peer_call(peer, HSM_OP_CHANNEL_OFFER, NULL), CKR_OK);
	field = hsm_fields_bytes(&peer->fields, HSM_FIELD_TOKEN, &length);
	memcpy(token, field, sizeof(token));
	assert_int_equal(peer_session(busy, false), CKR_OK);
	assert_int_equal(take(stranger, token), CKR_ARGUMENTS_BAD);
	assert_int_equal(take(neighbour, token), CKR_ARGUMENTS_BAD);
	assert_int_equal(take(busy, token), CKR_ARGUMENTS_BAD);
	assert_int_equal(take(peer, token), CKR_ARGUMENTS_BAD);
	assert_int_equal(take(heir, token), CKR_OK);
	assert_int_equal(take(late, token), CKR_ARGUMENTS_BAD);
	assert_int_equal(take(late, nothing), CKR_ARGUMENTS_BAD);
	heir->session = peer->session;
	assert_int_equal(peer_call(heir, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	leave(neighbour);
	leave(busy);
	leave(heir);
	leave(late);
	peer_free(stranger);
	peer_free(peer);
}

/* Handles and session numbers are easy to guess, and worth nothing to another client of the partition. */
static void objects_of_others(void **state)
{
	static const unsigned int operations[] = { HSM_OP_OBJECT_DESTROY, HSM_OP_OBJECT_SIZE,
						   HSM_OP_OBJECT_COPY };
	struct peer *peer = peer_user(0), *other = peer_user(0);
	uint64_t key, handle;
	struct hsm_writer out;
	size_t i;

	(void)state;
	assert_int_equal(generate(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &key), CKR_OK);
	for (handle = key - 2; handle < key + 2; handle++) {
		for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
			out = peer_fields(other);
			hsm_put_u64(&out, HSM_FIELD_KEY, handle);
			assert_int_equal(peer_call(other, operations[i], &out),
					 CKR_OBJECT_HANDLE_INVALID);
		}
		out = peer_fields(other);
		hsm_put_u64(&out, HSM_FIELD_KEY, handle);
		hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB);
		assert_int_equal(peer_call(other, HSM_OP_ENCRYPT_INIT, &out),
				 CKR_KEY_HANDLE_INVALID);
	}
	other->session = peer->session + 1;
	assert_int_equal(peer_call(other, HSM_OP_SESSION_CLOSE, NULL), CKR_SESSION_HANDLE_INVALID);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_SIZE, &out), CKR_OK);
	peer_free(peer);
	peer_free(other);
}

/* A tenant's partition is no way to the device's administration. */
static void administration_from_a_tenant(void **state)
{
	static const uint8_t device[16] = BOARD_DEVICE_PARTITION;
	const struct context_info info = { .id = 1, .epoch = 3, .owner = true };
	struct peer *peer = peer_user(0), *nobody = peer_alloc();
	unsigned int code;

	(void)state;
	for (code = HSM_OP_CLAIM; code <= HSM_OP_PARTITION_DESTROY; code++)
		assert_int_not_equal(peer_call(peer, code, NULL), CKR_OK);
	assert_int_equal(context_open(&info, &nobody->context), 0);
	assert_int_equal(peer_connect(nobody, device), IHSM_SC_NO_PARTITION);
	peer_free(nobody);
	still_works(peer);
	peer_free(peer);
}

/* ---- numbers ---- */

static CK_RV with_number(struct peer *peer, unsigned int operation, enum hsm_field_tag tag,
			 uint64_t number)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, tag, number);
	return peer_call(peer, operation, &out);
}

static void huge_numbers(void **state)
{
	static const uint64_t numbers[] = { HUGE, HUGE - 7, 1ULL << 63, 1ULL << 32, 65537 };
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint64_t key;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_not_equal(with_number(peer, HSM_OP_RANDOM, HSM_FIELD_LENGTH, numbers[i]),
				     CKR_OK);
		assert_int_not_equal(
			generate(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, numbers[i])), &key), CKR_OK);
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN);
		put_template(&out, HSM_FIELD_TEMPLATE,
			     A_LIST(A_NUMBER(CKA_MODULUS_BITS, numbers[i])));
		put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_FALSE(CKA_TOKEN)));
		assert_int_equal(peer_call(peer, HSM_OP_GENERATE_PAIR, &out),
				 CKR_ATTRIBUTE_VALUE_INVALID);
		assert_int_equal(with_number(peer, HSM_OP_SESSION_OPEN, HSM_FIELD_FLAGS,
					     numbers[i] & ~(uint64_t)CKF_SERIAL_SESSION),
				 CKR_SESSION_PARALLEL_NOT_SUPPORTED);
		still_works(peer);
	}
	out = peer_fields(peer);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_FALSE(CKA_TOKEN)));
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	assert_int_equal(with_number(peer, HSM_OP_FIND, HSM_FIELD_COUNT, HUGE), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	peer_free(peer);
}

/* Numbers of parts: none before the first, none that no other can follow */
static void huge_parts(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_SHA256);
	assert_int_equal(peer_call(peer, HSM_OP_DIGEST_INIT, &out), CKR_OK);
	peer->task.cancelled = true; /* would wait for its predecessors */
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "abc", 3);
	hsm_put_u64(&out, HSM_FIELD_PART, HUGE);
	assert_int_equal(peer_call(peer, HSM_OP_DIGEST_UPDATE, &out), CKR_FUNCTION_CANCELED);
	peer->task.cancelled = false;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "abc", 3);
	hsm_put_u64(&out, HSM_FIELD_PART, 1);
	assert_int_equal(peer_call(peer, HSM_OP_DIGEST_UPDATE, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "abc", 3);
	hsm_put_u64(&out, HSM_FIELD_PART, 1);
	assert_int_equal(peer_call(peer, HSM_OP_DIGEST_UPDATE, &out), CKR_ARGUMENTS_BAD);
	still_works(peer);
	peer_free(peer);
}

/* ---- templates ---- */

static CK_RV create_raw(struct peer *peer, const uint8_t *template, size_t length)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_TEMPLATE, template, length);
	return peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
}

/* The last header's length and status say anything: only the truth makes an object. */
static void lying_lengths(void **state)
{
	static const uint32_t claims[] = { 1,	       15,	   16,	       17,
					   0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0 };
	struct peer *peer = peer_user(0);
	uint8_t template[64], lie[64];
	uint64_t class = htole64(CKO_DATA);
	struct hsm_writer out;
	uint32_t claim;
	size_t place, i;

	(void)state;
	hsm_writer_init(&out, template, sizeof(template));
	hsm_put_attribute(&out, CKA_CLASS, 0, &class, sizeof(class));
	hsm_put_attribute(&out, CKA_LABEL, 0, "", 0);
	assert_int_equal(create_raw(peer, template, out.length), CKR_OK);
	for (place = out.length - 8; place < out.length; place += 4) {
		for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
			claim = htole32(claims[i]);
			memcpy(lie, template, sizeof(lie));
			memcpy(lie + place, &claim, sizeof(claim));
			assert_int_not_equal(create_raw(peer, lie, out.length), CKR_OK);
		}
	}
	for (i = 1; i < out.length; i++)
		if (i != sizeof(struct hsm_attribute_header) + sizeof(class))
			assert_int_not_equal(create_raw(peer, template, i), CKR_OK);
	still_works(peer);
	peer_free(peer);
}

/* Templates in templates, deeper than anybody needs, and the same attribute many times */
static void nested_templates(void **state)
{
	struct peer *peer = peer_user(0);
	uint8_t inner[4096], outer[4096];
	struct hsm_writer writer;
	size_t length = 0, depth;
	uint64_t key;

	(void)state;
	for (depth = 0; depth < 40; depth++) {
		hsm_writer_init(&writer, outer, sizeof(outer));
		hsm_put_attribute(&writer, CKA_WRAP_TEMPLATE, 0, inner, length);
		length = writer.length;
		memcpy(inner, outer, length);
		if (depth > 8)
			assert_int_not_equal(
				generate(peer,
					 A_LIST(A_NUMBER(CKA_VALUE_LEN, 32),
						A_BYTES(CKA_WRAP_TEMPLATE, inner, length)),
					 &key),
				CKR_OK);
	}
	assert_int_equal(
		generate(peer,
			 A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP), A_TRUE(CKA_WRAP)),
			 &key),
		CKR_TEMPLATE_INCONSISTENT);
	still_works(peer);
	peer_free(peer);
}

/* More attributes asked for than an answer can hold: refused or marked, never beyond the answer */
static void more_asked_than_fits(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t types[8192], key;
	struct hsm_writer out;
	size_t i;

	(void)state;
	for (i = 0; i < 8192; i++)
		types[i] = i & 1 ? CKA_LABEL : CKA_VALUE;
	assert_int_equal(generate(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &key), CKR_OK);
	for (i = 8192; i > 2000; i -= 1000) {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_KEY, key);
		hsm_put_list(&out, HSM_FIELD_TYPES, types, i);
		if (out.error)
			continue;
		assert_int_not_equal(peer_send(peer, HSM_OP_ATTRIBUTES_GET, &out, 4096), CKR_OK);
	}
	still_works(peer);
	peer_free(peer);
}

/* ---- PINs ---- */

#define WORKERS 14 /* more than a PIN has tries */

struct worker {
	pthread_t thread;
	struct peer *peer;
	CK_RV rv;
};

static void *logs_in(void *argument)
{
	struct worker *worker = argument;

	worker->rv = peer_login(worker->peer, CKU_USER, USER_PIN);
	return NULL;
}

/* Right PINs at once, as of a server's workers that start together, do not lock one another out. */
static void right_pins_at_once(void **state)
{
	struct worker workers[WORKERS];
	int i;

	(void)state;
	for (i = 0; i < WORKERS; i++) {
		workers[i].peer = peer_new(0);
		assert_int_equal(peer_session(workers[i].peer, true), CKR_OK);
	}
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, logs_in, &workers[i]), 0);
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal(workers[i].rv, CKR_OK);
		peer_free(workers[i].peer);
	}
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(offers_of_others),
		READY(objects_of_others),
		READY(administration_from_a_tenant),
		READY(huge_numbers),
		READY(huge_parts),
		READY(lying_lengths),
		READY(nested_templates),
		READY(more_asked_than_fits),
		READY(right_pins_at_once),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
