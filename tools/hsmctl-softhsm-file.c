// SPDX-License-Identifier: Apache-2.0
/*
 * An object's file as SoftHSM 2 writes it: a generation, then attributes to the end, all numbers big-endian in eight bytes.
 * A private object's byte strings are encrypted with AES-256-CBC under a key that the user's PIN opens; nothing in the file is
 * authenticated, so whatever comes out is checked by whoever uses it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <hsm/pkcs11.h>
#include <hsm/seal.h>
#include "hsmctl-softhsm.h"

#define NUMBER_SIZE 8
#define BLOCK_SIZE  16
#define SALT_SIZE   8
#define HASH_SIZE   32
#define ROUNDS	    1500 /* and as many more as the salt's last byte says */
#define USER_PIN    (CKA_VENDOR_DEFINED + 0x534d) /* the key, wrapped under the user's PIN */

static const uint8_t magic[] = { 'R', 'J', 'R' }; /* before the key, to know a right PIN by */

/* ---- the format ---- */

struct reader {
	uint8_t *at;
	size_t left;
};

static int take(struct reader *reader, size_t length, uint8_t **bytes)
{
	if (length > reader->left)
		return -EBADMSG;
	*bytes = reader->at;
	reader->at += length;
	reader->left -= length;
	return 0;
}

static int take_number(struct reader *reader, uint64_t *number)
{
	uint8_t *bytes;

	if (take(reader, NUMBER_SIZE, &bytes))
		return -EBADMSG;
	*number = 0;
	for (size_t i = 0; i < NUMBER_SIZE; i++)
		*number = *number << 8 | bytes[i];
	return 0;
}

/* A length in units of @unit bytes, and what it measures */
static int take_sized(struct reader *reader, size_t unit, struct soft_value *value)
{
	uint64_t length;

	if (take_number(reader, &length) || length > reader->left / unit)
		return -EBADMSG;
	value->length = (size_t)length * unit;
	return take(reader, value->length, &value->bytes);
}

static int take_bool(struct reader *reader, struct soft_value *value)
{
	uint8_t *byte;

	if (take(reader, 1, &byte))
		return -EBADMSG;
	value->number = *byte != 0;
	return 0;
}

static int take_value(struct reader *reader, struct soft_value *value)
{
	uint64_t kind;

	if (take_number(reader, &value->type) || take_number(reader, &kind))
		return -EBADMSG;
	value->kind = (enum soft_kind)kind;
	switch (kind) {
	case SOFT_BOOL:
		return take_bool(reader, value);
	case SOFT_NUMBER:
		return take_number(reader, &value->number);
	case SOFT_BYTES:
	case SOFT_MAP:
		return take_sized(reader, 1, value);
	case SOFT_LIST:
		return take_sized(reader, NUMBER_SIZE, value);
	default:
		return -EBADMSG;
	}
}

static bool has_type(const struct soft_object *object, uint64_t type)
{
	for (size_t i = 0; i < object->count; i++)
		if (object->value[i].type == type)
			return true;
	return false;
}

int soft_parse(struct soft_object *object, uint8_t *data, size_t size)
{
	struct reader reader = { .at = data, .left = size };
	struct soft_value value;
	uint64_t generation;

	*object = (struct soft_object){ .data = data, .size = size };
	if (take_number(&reader, &generation))
		return -EBADMSG;
	while (reader.left) {
		value = (struct soft_value){ 0 };
		/* Two of one type would leave open which of them was looked at. */
		if (object->count == SOFT_VALUES_MAX || take_value(&reader, &value) ||
		    has_type(object, value.type))
			return -EBADMSG;
		object->value[object->count++] = value;
	}
	return object->count ? 0 : -EBADMSG;
}

const struct soft_value *soft_find(const struct soft_object *object, uint64_t type,
				   enum soft_kind kind)
{
	for (size_t i = 0; i < object->count; i++)
		if (object->value[i].type == type && object->value[i].kind == kind)
			return &object->value[i];
	return NULL;
}

bool soft_bool(const struct soft_object *object, uint64_t type, bool fallback)
{
	const struct soft_value *value = soft_find(object, type, SOFT_BOOL);

	return value ? value->number : fallback;
}

uint64_t soft_number(const struct soft_object *object, uint64_t type, uint64_t fallback)
{
	const struct soft_value *value = soft_find(object, type, SOFT_NUMBER);

	return value ? value->number : fallback;
}

/* ---- the cipher ---- */

/*
 * An IV, then blocks; the plaintext takes the place of the blocks. Return: 0, -EBADMSG: no whole blocks, or no padding at their
 * end; -EIO
 */
static int decrypt(const uint8_t key[SOFT_KEY_SIZE], uint8_t *bytes, size_t length, size_t *plain)
{
	EVP_CIPHER_CTX *ctx;
	int written = 0, rest = 0, ret = -EIO;

	*plain = 0;
	if (length < 2 * BLOCK_SIZE || length % BLOCK_SIZE || length > SOFT_FILE_MAX)
		return -EBADMSG;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx && EVP_DecryptInit_ex2(ctx, EVP_aes_256_cbc(), key, bytes, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, bytes + BLOCK_SIZE, &written, bytes + BLOCK_SIZE,
			      (int)(length - BLOCK_SIZE)) == 1)
		ret = EVP_DecryptFinal_ex(ctx, bytes + BLOCK_SIZE + written, &rest) == 1 ? 0
											 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	*plain = ret ? 0 : (size_t)written + (size_t)rest;
	return ret;
}

/**
 * struct unlocking - what a PIN goes through on its way to a key, in memory for secrets
 * @first: salt and PIN
 * @stretched: what comes of them
 * @bytes: salt, IV and blocks, which are decrypted in their place
 */
struct unlocking {
	uint8_t first[SALT_SIZE + SECRET_MAX];
	uint8_t stretched[HASH_SIZE];
	uint8_t bytes[SALT_SIZE + BLOCK_SIZE + 3 * BLOCK_SIZE];
};

/* RFC 4880's salted and iterated form, as SoftHSM has it: each round is the hash of the one before. */
static int stretch(const struct secret *pin, struct unlocking *way)
{
	unsigned int rounds = ROUNDS + way->bytes[SALT_SIZE - 1];
	uint8_t *key = way->stretched;
	bool good;

	memcpy(way->first, way->bytes, SALT_SIZE);
	memcpy(way->first + SALT_SIZE, pin->text, pin->length);
	good = EVP_Digest(way->first, SALT_SIZE + pin->length, key, NULL, EVP_sha256(), NULL) == 1;
	while (good && --rounds)
		good = EVP_Digest(key, HASH_SIZE, key, NULL, EVP_sha256(), NULL) == 1;
	return good ? 0 : -EIO;
}

/* What comes out of the blocks begins with the magic. */
static int unwrap(struct unlocking *way, const struct secret *pin, uint8_t key[SOFT_KEY_SIZE])
{
	const uint8_t *opened = way->bytes + SALT_SIZE + BLOCK_SIZE;
	size_t length = 0;
	int ret = stretch(pin, way);

	ret = ret
		      ?: decrypt(way->stretched, way->bytes + SALT_SIZE,
				 sizeof(way->bytes) - SALT_SIZE, &length);
	/* Another PIN is known by the padding, or else by the magic. */
	if (ret == -EBADMSG || (!ret && (length != sizeof(magic) + SOFT_KEY_SIZE ||
					 CRYPTO_memcmp(opened, magic, sizeof(magic)))))
		ret = -EACCES;
	if (!ret)
		memcpy(key, opened + sizeof(magic), SOFT_KEY_SIZE);
	return ret;
}

int soft_unlock(const struct soft_object *token, const struct secret *pin,
		uint8_t key[SOFT_KEY_SIZE])
{
	const struct soft_value *wrapped = soft_find(token, USER_PIN, SOFT_BYTES);
	struct unlocking *way;
	int ret;

	if (!wrapped)
		return -ENOENT;
	if (wrapped->length != sizeof(way->bytes))
		return -EBADMSG;
	if (!pin->length)
		return -EACCES;
	way = hsm_secret_alloc(sizeof(*way));
	if (!way)
		return -ENOMEM;
	memcpy(way->bytes, wrapped->bytes, sizeof(way->bytes));
	ret = unwrap(way, pin, key);
	hsm_secret_free(way, sizeof(*way));
	return ret;
}

/* SoftHSM does not encrypt dates. */
static bool is_encrypted(const struct soft_value *value)
{
	return value->kind == SOFT_BYTES && value->length && value->type != CKA_START_DATE &&
	       value->type != CKA_END_DATE;
}

int soft_open(struct soft_object *object, const uint8_t key[SOFT_KEY_SIZE])
{
	struct soft_value *value;
	size_t plain;
	int ret;

	/* Without the attribute SoftHSM takes it for private as well. */
	if (!soft_bool(object, CKA_PRIVATE, true))
		return 0;
	for (size_t i = 0; i < object->count; i++) {
		value = &object->value[i];
		if (!is_encrypted(value))
			continue;
		ret = decrypt(key, value->bytes, value->length, &plain);
		if (ret)
			return ret;
		value->bytes += BLOCK_SIZE;
		value->length = plain;
	}
	return 0;
}
