// SPDX-License-Identifier: Apache-2.0
/*
 * SoftHSM's files as hsmctl reads them: what is whole, what is cut or lies, and what opens with a PIN. The cipher's side is
 * made here anew from its description, so that both cannot be wrong alike.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
/* cmocka has a macro of the name of hsmctl's fail(). */
#include "hsmctl-softhsm.h"
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <hsm/pkcs11.h>

#define USER_PIN 0x8000534dUL

/* ---- making files ---- */

static uint8_t bytes[8192];
static size_t used;

static void put(const void *data, size_t length)
{
	assert_true(used + length <= sizeof(bytes));
	memcpy(bytes + used, data, length);
	used += length;
}

static void put_big(uint64_t number)
{
	uint8_t out[8];

	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(number >> (56 - 8 * i));
	put(out, sizeof(out));
}

static void begin(void)
{
	used = 0;
	put_big(1);
}

static void put_flag(uint64_t type, uint8_t value)
{
	put_big(type);
	put_big(SOFT_BOOL);
	put(&value, 1);
}

static void put_bytes(uint64_t type, const void *data, size_t length)
{
	put_big(type);
	put_big(SOFT_BYTES);
	put_big(length);
	put(data, length);
}

/* One of each kind */
static void put_all(void)
{
	begin();
	put_big(CKA_CLASS);
	put_big(SOFT_NUMBER);
	put_big(CKO_SECRET_KEY);
	put_flag(CKA_PRIVATE, 0);
	put_bytes(CKA_LABEL, "label", 5);
	put_big(CKA_ALLOWED_MECHANISMS);
	put_big(SOFT_LIST);
	put_big(2);
	put_big(CKM_AES_CBC);
	put_big(CKM_AES_GCM);
	put_big(CKA_WRAP_TEMPLATE);
	put_big(SOFT_MAP);
	put_big(0);
}

/* In memory of exactly its size, so that a step beyond it is seen */
static int parse(struct soft_object *object, size_t length)
{
	uint8_t *data = malloc(length + !length);

	assert_non_null(data);
	memcpy(data, bytes, length);
	return soft_parse(object, data, length);
}

static void release(struct soft_object *object)
{
	free(object->data);
	*object = (struct soft_object){ 0 };
}

/* ---- reading ---- */

static void reads_what_is_whole(void **state)
{
	const struct soft_value *value;
	struct soft_object object;

	(void)state;
	put_all();
	assert_int_equal(parse(&object, used), 0);
	assert_int_equal(object.count, 5);
	assert_int_equal(soft_number(&object, CKA_CLASS, 0), CKO_SECRET_KEY);
	assert_false(soft_bool(&object, CKA_PRIVATE, true));
	assert_true(soft_bool(&object, CKA_SENSITIVE, true));
	value = soft_find(&object, CKA_LABEL, SOFT_BYTES);
	assert_non_null(value);
	assert_int_equal(value->length, 5);
	assert_memory_equal(value->bytes, "label", 5);
	assert_int_equal(soft_find(&object, CKA_ALLOWED_MECHANISMS, SOFT_LIST)->length, 16);
	assert_int_equal(soft_find(&object, CKA_WRAP_TEMPLATE, SOFT_MAP)->length, 0);
	/* Of another kind it is not there. */
	assert_null(soft_find(&object, CKA_LABEL, SOFT_NUMBER));
	release(&object);
}

static void refuses_what_is_cut(void **state)
{
	struct soft_object object;
	size_t whole = 0;

	(void)state;
	put_all();
	for (size_t length = 0; length < used; length++) {
		/* Between two attributes nothing tells that there was more. */
		whole += parse(&object, length) == 0;
		release(&object);
	}
	assert_int_equal(whole, 4);
}

static void refuses_lengths_that_lie(void **state)
{
	static const uint64_t lies[] = { 6, UINT64_MAX, UINT64_MAX - 7, 1ULL << 61, 1ULL << 32 };
	static const enum soft_kind kinds[] = { SOFT_BYTES, SOFT_MAP, SOFT_LIST };
	struct soft_object object;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
			begin();
			put_big(CKA_LABEL);
			put_big(kinds[kind]);
			put_big(lies[i]);
			put("label", 5);
			assert_int_equal(parse(&object, used), -EBADMSG);
			release(&object);
		}
	}
}

static void refuses_what_is_unknown_or_double(void **state)
{
	struct soft_object object;

	(void)state;
	begin();
	put_big(CKA_LABEL);
	put_big(6);
	assert_int_equal(parse(&object, used), -EBADMSG);
	release(&object);
	begin();
	put_flag(CKA_SENSITIVE, 1);
	put_flag(CKA_SENSITIVE, 0);
	assert_int_equal(parse(&object, used), -EBADMSG);
	release(&object);
	begin();
	for (uint64_t type = 0; type < SOFT_VALUES_MAX; type++)
		put_flag(type, 1);
	assert_int_equal(parse(&object, used), 0);
	release(&object);
	put_flag(SOFT_VALUES_MAX, 1);
	assert_int_equal(parse(&object, used), -EBADMSG);
	release(&object);
}

/* ---- PIN and cipher ---- */

static const uint8_t token_key[SOFT_KEY_SIZE] = "an AES key of thirty-two bytes.";

static struct secret pin_of(const char *text)
{
	struct secret pin = { .length = strlen(text) };

	memcpy(pin.text, text, pin.length);
	return pin;
}

static size_t encrypt(const uint8_t *key, const uint8_t *plain, size_t length, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int written = 0, rest = 0;

	memset(out, 0x5a, 16);
	assert_int_equal(EVP_EncryptInit_ex2(ctx, EVP_aes_256_cbc(), key, out, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out + 16, &written, plain, (int)length), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out + 16 + written, &rest), 1);
	EVP_CIPHER_CTX_free(ctx);
	return 16 + (size_t)written + (size_t)rest;
}

/* token.object: the key under the PIN; the first bytes before it are @begins */
static void make_token(struct soft_object *token, const char *pin, const char *begins)
{
	uint8_t wrapped[8 + 16 + 48] = { 1, 2, 3, 4, 5, 6, 7, 9 };
	uint8_t hash[32], first[64], plain[35];

	memcpy(first, wrapped, 8);
	memcpy(first + 8, pin, strlen(pin));
	EVP_Digest(first, 8 + strlen(pin), hash, NULL, EVP_sha256(), NULL);
	for (unsigned int i = 1; i < 1500 + 9; i++)
		EVP_Digest(hash, sizeof(hash), hash, NULL, EVP_sha256(), NULL);
	memcpy(plain, begins, 3);
	memcpy(plain + 3, token_key, sizeof(token_key));
	assert_int_equal(encrypt(hash, plain, sizeof(plain), wrapped + 8), 64);
	begin();
	put_bytes(USER_PIN, wrapped, sizeof(wrapped));
	assert_int_equal(parse(token, used), 0);
}

static void opens_by_the_right_pin(void **state)
{
	struct secret right = pin_of("1234"), wrong = pin_of("1235"), none = { 0 };
	uint8_t key[SOFT_KEY_SIZE] = { 0 };
	struct soft_object token;

	(void)state;
	make_token(&token, "1234", "RJR");
	assert_int_equal(soft_unlock(&token, &wrong, key), -EACCES);
	assert_int_equal(soft_unlock(&token, &none, key), -EACCES);
	assert_int_equal(soft_unlock(&token, &right, key), 0);
	assert_memory_equal(key, token_key, sizeof(key));
	/* The file is as it was: a second try is one. */
	assert_int_equal(soft_unlock(&token, &right, key), 0);
	release(&token);
	make_token(&token, "1234", "RJS");
	assert_int_equal(soft_unlock(&token, &right, key), -EACCES);
	release(&token);
}

static void refuses_a_token_without_a_key(void **state)
{
	struct secret pin = pin_of("1234");
	uint8_t key[SOFT_KEY_SIZE];
	struct soft_object token;

	(void)state;
	put_all();
	assert_int_equal(parse(&token, used), 0);
	assert_int_equal(soft_unlock(&token, &pin, key), -ENOENT);
	release(&token);
	begin();
	put_bytes(USER_PIN, "short", 5);
	assert_int_equal(parse(&token, used), 0);
	assert_int_equal(soft_unlock(&token, &pin, key), -EBADMSG);
	release(&token);
}

static void decrypts_private_objects(void **state)
{
	const struct soft_value *value;
	struct soft_object object;
	uint8_t out[64];
	size_t length;

	(void)state;
	begin();
	length = encrypt(token_key, (const uint8_t *)"a label", 7, out);
	put_bytes(CKA_LABEL, out, length);
	put_bytes(CKA_ID, "", 0);
	put_bytes(CKA_START_DATE, "20260101", 8);
	assert_int_equal(parse(&object, used), 0);
	assert_int_equal(soft_open(&object, token_key), 0);
	value = soft_find(&object, CKA_LABEL, SOFT_BYTES);
	assert_int_equal(value->length, 7);
	assert_memory_equal(value->bytes, "a label", 7);
	assert_memory_equal(soft_find(&object, CKA_START_DATE, SOFT_BYTES)->bytes, "20260101", 8);
	release(&object);
}

static void leaves_public_objects_alone(void **state)
{
	struct soft_object object;

	(void)state;
	put_all();
	assert_int_equal(parse(&object, used), 0);
	assert_int_equal(soft_open(&object, token_key), 0);
	assert_memory_equal(soft_find(&object, CKA_LABEL, SOFT_BYTES)->bytes, "label", 5);
	release(&object);
}

static void refuses_what_is_not_encrypted(void **state)
{
	static const size_t lengths[] = { 1, 15, 16, 17, 31, 33 };
	struct soft_object object;
	uint8_t out[64] = { 0 };
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin();
		put_bytes(CKA_LABEL, out, lengths[i]);
		assert_int_equal(parse(&object, used), 0);
		assert_int_equal(soft_open(&object, token_key), -EBADMSG);
		release(&object);
	}
	/* The last byte of the IV is that of the padding. */
	length = encrypt(token_key, (const uint8_t *)"a label", 7, out);
	out[15] ^= 0xff;
	begin();
	put_bytes(CKA_LABEL, out, length);
	assert_int_equal(parse(&object, used), 0);
	assert_int_equal(soft_open(&object, token_key), -EBADMSG);
	release(&object);
}

/* ---- where it lies ---- */

/* The kernel's flags of the mapping that @at is in: "lo" locked, "dd" not in a core dump, "wf" wiped in a fork */
static void flags_of(const void *at, char flags[256])
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end, here = (unsigned long)at;
	bool inside = false;
	char line[512];

	flags[0] = '\0';
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= here && here < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, 256, "%.250s", line + 8);
	}
	fclose(file);
}

/* A limit may forbid it, and sanitizers leave it out. */
static bool may_lock(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char flags[256];

	assert_true(page != MAP_FAILED);
	(void)!mlock(page, 4096);
	flags_of(page, flags);
	munmap(page, 4096);
	return strstr(flags, " lo");
}

static void lies_in_memory_for_secrets(void **state)
{
	char directory[256], path[300], flags[256];
	struct soft_token token = { 0 };
	struct soft_object object = { 0 };
	FILE *file;

	(void)state;
	put_all();
	snprintf(directory, sizeof(directory), "%s/softhsm-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a.object", directory);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, used, file), used);
	fclose(file);
	token.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(soft_token_load(&token, "a.object", &object), 0);
	assert_non_null(soft_find(&object, CKA_LABEL, SOFT_BYTES));
	flags_of(object.data, flags);
	if (may_lock())
		assert_non_null(strstr(flags, " lo"));
	assert_non_null(strstr(flags, " dd"));
	soft_free(&object);
	assert_null(object.data);
	close(token.dir);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_whole),
		cmocka_unit_test(refuses_what_is_cut),
		cmocka_unit_test(refuses_lengths_that_lie),
		cmocka_unit_test(refuses_what_is_unknown_or_double),
		cmocka_unit_test(opens_by_the_right_pin),
		cmocka_unit_test(refuses_a_token_without_a_key),
		cmocka_unit_test(decrypts_private_objects),
		cmocka_unit_test(leaves_public_objects_alone),
		cmocka_unit_test(refuses_what_is_not_encrypted),
		cmocka_unit_test(lies_in_memory_for_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
