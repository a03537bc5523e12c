// SPDX-License-Identifier: Apache-2.0
/*
 * Ciphers without authentication: block ciphers in ECB, CBC, CBC with padding, CTR, OFB, CFB, XTS and CBC with ciphertext
 * stealing, and ChaCha20. The key schedule stays with the parked operation; beginning the next one sets an IV.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "mech_private.h"

#define DES_BLOCK    8
#define CHACHA_BLOCK 64

static bool is_encryption(const struct mech_operation *operation)
{
	return operation->use == MECH_ENCRYPT;
}

/* How input becomes output: in whole blocks, the same with padding, byte by byte, or all at once */
enum cipher_form {
	FORM_BLOCKS,
	FORM_PADDED,
	FORM_STREAM,
	FORM_WHOLE,
};

static enum cipher_form form_of(const struct hsm_mechanism_info *info)
{
	switch (info->mechanism) {
	case CKM_AES_CBC_PAD:
	case CKM_CAMELLIA_CBC_PAD:
	case CKM_ARIA_CBC_PAD:
	case CKM_DES3_CBC_PAD:
		return FORM_PADDED;
	default:
		break;
	}
	if (info->family == MECH_FAMILY_CIPHER_WHOLE)
		return FORM_WHOLE;
	return strcmp(info->algorithm, "ECB") && strcmp(info->algorithm, "CBC") ? FORM_STREAM
										: FORM_BLOCKS;
}

static bool is_padded(const struct mech_operation *operation)
{
	return operation->form == FORM_PADDED;
}

static bool is_stream(const struct mech_operation *operation)
{
	return operation->form == FORM_STREAM;
}

/* ---- begin ---- */

/*
 * libcrypto counts with all 128 bits. With a narrower counter PKCS#11 wants an error where the two would part: when the
 * counter passes its end.
 */
static CK_RV counter_limit(struct mech_operation *operation, uint64_t bits, const uint8_t *iv)
{
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

/*
 * libcrypto's IV of ChaCha20 is the counter, little-endian, and the nonce: 4 and 12 bytes (RFC 8439), or 8 and 8. With the
 * short counter its end is the end of the data.
 */
static CK_RV chacha_limit(struct mech_operation *operation, uint64_t bits, const uint8_t *iv)
{
	if (bits != 32 && bits != 64)
		return CKR_MECHANISM_PARAM_INVALID;
	if (bits == 32)
		operation->limit = (((uint64_t)1 << 32) - hsm_get_le32(iv)) * CHACHA_BLOCK;
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

static size_t iv_length(const struct mech_operation *operation)
{
	if (!strcmp(operation->info->algorithm, "ECB"))
		return 0;
	return operation->block > 1 ? operation->block : MECH_AES_BLOCK;
}

static CK_RV cipher_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct hsm_mechanism_info *info = operation->info;
	uint64_t bits = hsm_fields_u64(mechanism->fields, HSM_FIELD_COUNTER_BITS, 0);
	size_t length;
	const uint8_t *iv = hsm_fields_bytes(mechanism->fields, HSM_FIELD_IV, &length);
	CK_RV rv = CKR_OK;

	operation->form = form_of(info);
	operation->block = info->key_type == CKK_CHACHA20 ? 1
			   : info->key_type == CKK_DES3	  ? DES_BLOCK
							  : MECH_AES_BLOCK;
	if (length != iv_length(operation))
		return CKR_MECHANISM_PARAM_INVALID;
	if (info->parameter == HSM_PARAM_CTR)
		rv = counter_limit(operation, bits, iv);
	else if (info->parameter == HSM_PARAM_CHACHA20)
		rv = chacha_limit(operation, bits, iv);
	if (rv != CKR_OK)
		return rv;
	/* libcrypto does not tell that of ChaCha20. */
	if (length == sizeof(operation->iv))
		memcpy(operation->iv, iv, length);
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
	size_t partial = operation->count % operation->block;

	if (is_stream(operation))
		return in_length;
	return (partial + in_length) / operation->block * operation->block;
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
		whole_blocks(operation, in_length) + (is_padded(operation) ? operation->block : 0);
	size_t written = *out_length;
	int last = 0;
	CK_RV rv;

	if (!is_padded(operation) && !is_stream(operation) &&
	    (operation->count + in_length) % operation->block)
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
	size_t ready = total ? (total - 1) / operation->block * operation->block : 0;
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
static unsigned int padding_of(const uint8_t *block, unsigned int size)
{
	unsigned int pad = block[size - 1];
	unsigned int bad = ((pad - 1) >> 8) | ((size - pad) >> 8);
	unsigned int i, within;

	for (i = 0; i < size; i++) {
		within = (i - pad) >> 8; /* all ones where i < pad */
		bad |= within & (block[size - 1 - i] ^ pad);
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
	padding = padding_of(plain + *plain_length - operation->block, operation->block);
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

	if (!total || total % operation->block || total > INT_MAX)
		return length_error(operation);
	if (*out_length < total - operation->block) {
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
	return whole_blocks(operation, in_length) + (is_padded(operation) ? operation->block : 0);
}

/* ---- where it has come to ---- */

/* Add @blocks to the counter, whose bytes are @step apart from its last one on */
static void count_on(uint8_t *last, int step, unsigned int bytes, uint64_t blocks)
{
	unsigned int sum = 0;

	for (; bytes; bytes--, last += step, blocks >>= 8) {
		sum += *last + (unsigned int)(blocks & 0xff);
		*last = (uint8_t)sum;
		sum >>= 8;
	}
}

/*
 * A counter that has come to its end would begin anew: that is no place to go on from. (A narrow counter is
 * stopped by @limit, counted from the operation's beginning, and so does not carry beyond its width.)
 */
static bool counter_position(const struct mech_operation *operation, uint8_t *iv, size_t *tail)
{
	bool chacha = operation->info->parameter == HSM_PARAM_CHACHA20;
	unsigned int block = chacha ? CHACHA_BLOCK : MECH_AES_BLOCK;
	uint64_t blocks = operation->count / block;

	if (operation->count == operation->limit)
		return false;
	memcpy(iv, operation->iv, MECH_AES_BLOCK);
	if (chacha)
		count_on(iv, 1, 8, blocks);
	else
		count_on(iv + MECH_AES_BLOCK - 1, -1, MECH_AES_BLOCK, blocks);
	*tail = operation->count % block;
	return true;
}

/* What was fed back last is libcrypto's updated IV; of a stream only between two blocks. */
static bool cipher_position(const struct mech_operation *operation, uint8_t *iv, size_t *tail)
{
	if (operation->info->parameter == HSM_PARAM_CTR ||
	    operation->info->parameter == HSM_PARAM_CHACHA20)
		return counter_position(operation, iv, tail);
	*tail = takes_padding_off(operation) ? operation->tail_length
					     : operation->count % operation->block;
	if (is_stream(operation) && *tail)
		return false;
	return !iv_length(operation) ||
	       EVP_CIPHER_CTX_get_updated_iv(operation->cipher_ctx, iv, iv_length(operation)) == 1;
}

const struct mech_ops mech_cipher_ops = {
	.begin = cipher_begin,
	.update = cipher_update,
	.finish = cipher_finish,
	.size = cipher_size,
	.position = cipher_position,
};

/* ---- all at once: libcrypto wants these modes in one piece, so parts are gathered (mech.c) ---- */

static CK_RV whole_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	int written = 0;

	if (in_length < operation->block || in_length > MECH_HELD_MAX)
		return length_error(operation);
	if (!EVP_CipherUpdate(operation->cipher_ctx, out, &written, in, (int)in_length) ||
	    (size_t)written != in_length)
		return mech_failed(CKR_FUNCTION_FAILED);
	*out_length = in_length;
	return CKR_OK;
}

static size_t whole_size(const struct mech_operation *operation, size_t in_length)
{
	(void)operation;
	return in_length;
}

const struct mech_ops mech_cipher_whole_ops = {
	.begin = cipher_begin,
	.finish = whole_finish,
	.size = whole_size,
	.exact = true,
};
