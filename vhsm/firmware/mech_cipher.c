// SPDX-License-Identifier: Apache-2.0
/*
 * AES without authentication: ECB, CBC, CBC with padding, CTR. The key schedule stays with the parked operation; beginning
 * the next one sets an IV.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "mech_private.h"

static bool is_encryption(const struct mech_operation *operation)
{
	return operation->use == MECH_ENCRYPT;
}

static bool is_padded(const struct mech_operation *operation)
{
	return operation->info->mechanism == CKM_AES_CBC_PAD;
}

static bool is_stream(const struct mech_operation *operation)
{
	return operation->info->mechanism == CKM_AES_CTR;
}

/* ---- begin ---- */

/*
 * libcrypto counts with all 128 bits. With a narrower counter PKCS#11 wants an error where the two would part: when the
 * counter passes its end.
 */
static CK_RV counter_limit(struct mech_operation *operation, const struct mechanism *mechanism,
			   const uint8_t *iv)
{
	uint64_t bits = hsm_fields_u64(mechanism->fields, HSM_FIELD_COUNTER_BITS, 0);
	unsigned __int128 counter = 0, left;

	if (bits < 1 || bits > 128)
		return CKR_MECHANISM_PARAM_INVALID;
	if (bits == 128)
		return CKR_OK;
	for (int i = 0; i < MECH_AES_BLOCK; i++)
		counter = counter << 8 | iv[i];
	left = ((unsigned __int128)1 << bits) - (counter & (((unsigned __int128)1 << bits) - 1));
	if (left < UINT64_MAX / MECH_AES_BLOCK)
		operation->limit = (uint64_t)left * MECH_AES_BLOCK;
	return CKR_OK;
}

static CK_RV cipher_prepare(struct mech_operation *operation, const uint8_t *iv)
{
	const struct attribute *value = operation->key->value;
	const EVP_CIPHER *cipher = mech_cipher(operation->info, value->length);

	if (!cipher)
		return CKR_KEY_SIZE_RANGE;
	operation->cipher_ctx = EVP_CIPHER_CTX_new();
	if (!operation->cipher_ctx)
		return CKR_HOST_MEMORY;
	/* Padding is added by libcrypto, and taken off here. */
	if (!EVP_CipherInit_ex2(operation->cipher_ctx, cipher, value->value, iv,
				is_encryption(operation), NULL) ||
	    !EVP_CIPHER_CTX_set_padding(operation->cipher_ctx,
					is_padded(operation) && is_encryption(operation)))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

static CK_RV cipher_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	size_t length;
	const uint8_t *iv = hsm_fields_bytes(mechanism->fields, HSM_FIELD_IV, &length);
	CK_RV rv = CKR_OK;

	if (length != (operation->info->mechanism == CKM_AES_ECB ? 0 : MECH_AES_BLOCK))
		return CKR_MECHANISM_PARAM_INVALID;
	if (is_stream(operation))
		rv = counter_limit(operation, mechanism, iv);
	if (rv != CKR_OK)
		return rv;
	if (!operation->prepared)
		return cipher_prepare(operation, iv);
	if (!EVP_CipherInit_ex2(operation->cipher_ctx, NULL, NULL, iv, -1, NULL))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

/* ---- all but the removal of padding ---- */

/* Bytes that libcrypto puts out for so much more input, the padding not counted */
static size_t whole_blocks(const struct mech_operation *operation, size_t in_length)
{
	size_t partial = operation->count % MECH_AES_BLOCK;

	if (is_stream(operation))
		return in_length;
	return (partial + in_length) / MECH_AES_BLOCK * MECH_AES_BLOCK;
}

static CK_RV length_error(const struct mech_operation *operation)
{
	return is_encryption(operation) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV plain_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	size_t need = whole_blocks(operation, in_length);
	int written = 0;

	if (in_length > INT_MAX || in_length > operation->limit - operation->count)
		return length_error(operation);
	if (*out_length < need) {
		*out_length = need;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (in_length &&
	    !EVP_CipherUpdate(operation->cipher_ctx, out, &written, in, (int)in_length))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->count += in_length;
	*out_length = (size_t)written;
	return CKR_OK;
}

static CK_RV plain_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	size_t need =
		whole_blocks(operation, in_length) + (is_padded(operation) ? MECH_AES_BLOCK : 0);
	size_t written = *out_length;
	int last = 0;
	CK_RV rv;

	if (!is_padded(operation) && !is_stream(operation) &&
	    (operation->count + in_length) % MECH_AES_BLOCK)
		return length_error(operation);
	if (*out_length < need) {
		*out_length = need;
		return CKR_BUFFER_TOO_SMALL;
	}
	rv = plain_update(operation, in, in_length, out, &written);
	if (rv != CKR_OK)
		return rv;
	if (is_padded(operation) &&
	    !EVP_CipherFinal_ex(operation->cipher_ctx, out + written, &last))
		return mech_failed(CKR_FUNCTION_FAILED);
	*out_length = written + (size_t)last;
	return CKR_OK;
}

/* ---- decryption that takes padding off ---- */

/* The last block is held back as ciphertext: it may be the one with the padding. */
static CK_RV padded_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	size_t total = operation->tail_length + in_length;
	size_t ready = total ? (total - 1) / MECH_AES_BLOCK * MECH_AES_BLOCK : 0;
	size_t from_in = ready > operation->tail_length ? ready - operation->tail_length : 0;
	int first = 0, second = 0;

	if (in_length > INT_MAX)
		return length_error(operation);
	if (*out_length < ready) {
		*out_length = ready;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (ready) {
		if (!EVP_CipherUpdate(operation->cipher_ctx, out, &first, operation->tail,
				      operation->tail_length) ||
		    !EVP_CipherUpdate(operation->cipher_ctx, out + first, &second, in,
				      (int)from_in))
			return mech_failed(CKR_FUNCTION_FAILED);
		operation->tail_length = 0;
	}
	memcpy(operation->tail + operation->tail_length, in + from_in, in_length - from_in);
	operation->tail_length += (uint8_t)(in_length - from_in);
	*out_length = (size_t)first + (size_t)second;
	return CKR_OK;
}

/*
 * Every byte is looked at, and how the padding is wrong makes no difference to what is done or answered.
 * Return: bytes of padding, 0 when it is wrong.
 */
static unsigned int padding_of(const uint8_t block[MECH_AES_BLOCK])
{
	unsigned int pad = block[MECH_AES_BLOCK - 1];
	unsigned int bad = ((pad - 1) >> 8) | ((MECH_AES_BLOCK - pad) >> 8);
	unsigned int i, within;

	for (i = 0; i < MECH_AES_BLOCK; i++) {
		within = (i - pad) >> 8; /* all ones where i < pad */
		bad |= within & (block[MECH_AES_BLOCK - 1 - i] ^ pad);
	}
	/* bad is zero or not: spread that over a mask without a branch. */
	bad = (bad | (0 - bad)) >> (sizeof(bad) * CHAR_BIT - 1);
	return pad & (bad - 1);
}

/* Decrypt to @plain, which has room for all; *plain_length: without the padding */
static CK_RV padded_decrypt(EVP_CIPHER_CTX *ctx, const struct mech_operation *operation,
			    const uint8_t *in, size_t in_length, uint8_t *plain,
			    size_t *plain_length)
{
	int first = 0, second = 0;
	unsigned int padding;

	if ((operation->tail_length &&
	     !EVP_CipherUpdate(ctx, plain, &first, operation->tail, operation->tail_length)) ||
	    (in_length && !EVP_CipherUpdate(ctx, plain + first, &second, in, (int)in_length)))
		return mech_failed(CKR_FUNCTION_FAILED);
	*plain_length = (size_t)first + (size_t)second;
	padding = padding_of(plain + *plain_length - MECH_AES_BLOCK);
	if (!padding)
		return CKR_ENCRYPTED_DATA_INVALID;
	*plain_length -= padding;
	return CKR_OK;
}

/*
 * The length is known only once the last block is open. A copy of the context and a buffer of our own leave the operation
 * as it was when the caller's room turns out to be too small.
 */
static CK_RV padded_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	size_t total = operation->tail_length + in_length, length = 0;
	EVP_CIPHER_CTX *ctx;
	uint8_t *plain;
	CK_RV rv = CKR_HOST_MEMORY;

	if (!total || total % MECH_AES_BLOCK || total > INT_MAX)
		return length_error(operation);
	if (*out_length < total - MECH_AES_BLOCK) {
		*out_length = total;
		return CKR_BUFFER_TOO_SMALL;
	}
	plain = malloc(total);
	ctx = EVP_CIPHER_CTX_new();
	if (plain && ctx && EVP_CIPHER_CTX_copy(ctx, operation->cipher_ctx))
		rv = padded_decrypt(ctx, operation, in, in_length, plain, &length);
	if (rv == CKR_OK && length > *out_length)
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv == CKR_OK)
		memcpy(out, plain, length);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_length = length;
	EVP_CIPHER_CTX_free(ctx);
	if (plain)
		OPENSSL_cleanse(plain, total);
	free(plain);
	return rv == CKR_OK ? rv : mech_failed(rv);
}

/* ---- the family ---- */

static bool takes_padding_off(const struct mech_operation *operation)
{
	return is_padded(operation) && !is_encryption(operation);
}

static CK_RV cipher_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	if (takes_padding_off(operation))
		return padded_update(operation, in, in_length, out, out_length);
	return plain_update(operation, in, in_length, out, out_length);
}

static CK_RV cipher_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	if (takes_padding_off(operation))
		return padded_finish(operation, in, in_length, out, out_length);
	return plain_finish(operation, in, in_length, out, out_length);
}

static size_t cipher_size(const struct mech_operation *operation, size_t in_length)
{
	if (takes_padding_off(operation))
		return operation->tail_length + in_length;
	return whole_blocks(operation, in_length) + (is_padded(operation) ? MECH_AES_BLOCK : 0);
}

const struct mech_ops mech_cipher_ops = {
	.begin = cipher_begin,
	.update = cipher_update,
	.finish = cipher_finish,
	.size = cipher_size,
};
