// SPDX-License-Identifier: Apache-2.0
/*
 * Nonces that the token makes for messages (PKCS#11 3.2, CK_GCM_MESSAGE_PARAMS and its like), so that none
 * comes twice under a key. Random ones are long enough that chance does not repeat them. Counted ones are
 * counted by the key's value, not by the object or the session: a copy of the key, a key that was wrapped
 * and came back, or a second session go on where the first one was. The counts live as long as the firmware
 * runs, so a key that outlives it gets none that start at zero.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "mech_private.h"

#define RANDOM_BITS_MIN 96	   /* NIST SP 800-38D, 8.2.2 */
#define COUNT_BITS_MIN \
	56	   /* of CKG_GENERATE, whose count starts anywhere; the shortest nonce of CCM */
#define KEYS_MAX    (1U << 20) /* keys that are counted at a time; no more get a count */
#define BUCKETS	    4096U
#define FINGERPRINT 32

/**
 * struct counted - a key value that has had counted nonces
 * @fingerprint: keyed hash of the value; the last 8 bytes are where CKG_GENERATE starts
 * @form: of the nonces: generator, lengths, fixed and constant bytes, hashed; one key has one form
 * @next: count of the next nonce
 */
struct counted {
	struct counted *link;
	uint8_t fingerprint[FINGERPRINT];
	uint8_t form[FINGERPRINT];
	uint64_t next;
};

static struct {
	pthread_mutex_t lock;
	struct counted *bucket[BUCKETS];
	unsigned int count;
	bool keyed;
	uint8_t key[FINGERPRINT];
} counts = { .lock = PTHREAD_MUTEX_INITIALIZER };

void mech_iv_stop(void)
{
	struct counted *entry;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		while ((entry = counts.bucket[i])) {
			counts.bucket[i] = entry->link;
			free(entry);
		}
	}
	OPENSSL_cleanse(counts.key, sizeof(counts.key));
	counts.keyed = false;
	counts.count = 0;
}

/* ---- bits ---- */

/* Bits of byte @i that the caller fixes: the first @fixed bits of the nonce */
static uint8_t fixed_mask(size_t i, uint64_t fixed)
{
	if (fixed >= 8 * (i + 1))
		return 0xff;
	if (fixed <= 8 * i)
		return 0;
	return (uint8_t)(0xff00U >> (fixed - 8 * i));
}

/* Put @bits in the place of what is not fixed, or with @constant add them to it (XOR) */
static void place(uint8_t *iv, size_t length, uint64_t fixed, const uint8_t *bits, bool constant)
{
	uint8_t mask;
	size_t i;

	for (i = 0; i < length; i++) {
		mask = fixed_mask(i, fixed);
		if (constant)
			iv[i] ^= bits[i] & (uint8_t)~mask;
		else
			iv[i] = (iv[i] & mask) | (bits[i] & (uint8_t)~mask);
	}
}

/* A number in the last bytes of the nonce, big-endian */
static void number_bits(uint8_t *bits, size_t length, uint64_t number)
{
	memset(bits, 0, length);
	while (number && length) {
		bits[--length] = (uint8_t)number;
		number >>= 8;
	}
}

/* ---- counts ---- */

static bool keyed_hash(const void *a, size_t a_length, const void *b, size_t b_length,
		       uint8_t out[FINGERPRINT])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mech_mac_hmac());
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	size_t length = 0;
	bool ok = ctx && EVP_MAC_init(ctx, counts.key, sizeof(counts.key), params) &&
		  EVP_MAC_update(ctx, a, a_length) && EVP_MAC_update(ctx, b, b_length) &&
		  EVP_MAC_final(ctx, out, &length, FINGERPRINT);

	EVP_MAC_CTX_free(ctx);
	return ok;
}

/* The nonce without what changes from one to the next */
static bool hash_form(const struct mech_iv *request, const uint8_t *iv, uint8_t form[FINGERPRINT])
{
	uint64_t numbers[3] = { request->generator, request->fixed_bits, request->length };
	uint8_t kept[MECH_IV_MAX];
	size_t i;

	/* The fixed part may change under a count, which then is still told once. */
	memset(kept, 0, sizeof(kept));
	for (i = 0; request->generator == CKG_GENERATE_COUNTER_XOR && i < request->length; i++)
		kept[i] = iv[i] & (uint8_t)~fixed_mask(i, request->fixed_bits);
	return keyed_hash(numbers, sizeof(numbers), kept, request->length, form);
}

/* The key's entry, made when there is none. The caller holds the lock. */
static struct counted *find(const uint8_t fingerprint[FINGERPRINT])
{
	struct counted **link = &counts.bucket[hsm_get_le32(fingerprint) % BUCKETS];
	struct counted *entry;

	for (entry = *link; entry; entry = entry->link)
		if (!memcmp(entry->fingerprint, fingerprint, FINGERPRINT))
			return entry;
	if (counts.count >= KEYS_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	memcpy(entry->fingerprint, fingerprint, FINGERPRINT);
	entry->link = *link;
	*link = entry;
	counts.count++;
	return entry;
}

/* The next number of a key, @start the one that its count began with. Under the lock. */
static CK_RV draw(const struct mech_iv *request, struct key *key, const uint8_t *iv,
		  uint64_t *number)
{
	uint64_t bits = 8 * request->length - request->fixed_bits;
	uint8_t fingerprint[FINGERPRINT], form[FINGERPRINT];
	struct counted *entry;

	if (!counts.keyed && mech_random(counts.key, sizeof(counts.key)) != CKR_OK)
		return CKR_FUNCTION_FAILED;
	counts.keyed = true;
	if (!keyed_hash(&key->type, sizeof(key->type), key->value->value, key->value->length,
			fingerprint) ||
	    !hash_form(request, iv, form))
		return mech_failed(CKR_FUNCTION_FAILED);
	entry = find(fingerprint);
	if (!entry)
		return CKR_DEVICE_MEMORY;
	if (!entry->next)
		memcpy(entry->form, form, FINGERPRINT);
	else if (memcmp(entry->form, form, FINGERPRINT) != 0)
		return CKR_MECHANISM_PARAM_INVALID;
	if (bits < 64 && entry->next >> bits)
		return CKR_MECHANISM_PARAM_INVALID;
	*number = entry->next++;
	if (request->generator == CKG_GENERATE)
		*number += hsm_get_le64(fingerprint + FINGERPRINT - 8);
	return CKR_OK;
}

static CK_RV counted(const struct mech_iv *request, struct key *key, uint8_t *iv)
{
	uint8_t bits[MECH_IV_MAX];
	uint64_t number = 0;
	CK_RV rv;

	if (!key->value)
		return CKR_KEY_TYPE_INCONSISTENT;
	pthread_mutex_lock(&counts.lock);
	rv = draw(request, key, iv, &number);
	pthread_mutex_unlock(&counts.lock);
	if (rv != CKR_OK)
		return rv;
	number_bits(bits, request->length, number);
	place(iv, request->length, request->fixed_bits, bits,
	      request->generator == CKG_GENERATE_COUNTER_XOR);
	return CKR_OK;
}

static CK_RV random_bits(const struct mech_iv *request, uint8_t *iv)
{
	uint8_t bits[MECH_IV_MAX];
	CK_RV rv = mech_random(bits, request->length);

	if (rv == CKR_OK)
		place(iv, request->length, request->fixed_bits, bits, false);
	return rv;
}

CK_RV mech_iv_fill(const struct mech_iv *request, struct key *key, uint8_t *iv)
{
	uint64_t bits;

	if (request->generator == CKG_NO_GENERATE)
		return CKR_OK;
	if (!request->length || request->length > MECH_IV_MAX ||
	    request->fixed_bits >= 8 * request->length)
		return CKR_MECHANISM_PARAM_INVALID;
	bits = 8 * request->length - request->fixed_bits;
	switch (request->generator) {
	case CKG_GENERATE:
		if (bits >= RANDOM_BITS_MIN)
			return random_bits(request, iv);
		return bits >= COUNT_BITS_MIN ? counted(request, key, iv)
					      : CKR_MECHANISM_PARAM_INVALID;
	case CKG_GENERATE_RANDOM:
		return bits >= RANDOM_BITS_MIN ? random_bits(request, iv)
					       : CKR_MECHANISM_PARAM_INVALID;
	case CKG_GENERATE_COUNTER:
	case CKG_GENERATE_COUNTER_XOR:
		return request->lasting ? CKR_MECHANISM_PARAM_INVALID : counted(request, key, iv);
	default:
		return CKR_MECHANISM_PARAM_INVALID;
	}
}
