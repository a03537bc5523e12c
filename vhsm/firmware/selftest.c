// SPDX-License-Identifier: Apache-2.0
/*
 * The check of fresh key pairs (FIPS 140-3: pair-wise consistency): what the private half makes, the public half must
 * understand. The known answers are in selftest_kat.c.
 */
#include <string.h>
#include <openssl/crypto.h>
#include "mech_private.h"
#include "selftest.h"

#define SECRET_MAX 1024 /* bytes that two keys agree on: a field element, of DH at most 8192 bits */

/* Both halves stand in one EVP_PKEY, but each is reached by its own operation. */
static bool check_signature(EVP_PKEY *pkey, const char *hash)
{
	static const uint8_t message[32] = "pairwise consistency";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *signature = NULL;
	size_t length = 0;
	bool ok;

	ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, hash, mech_libctx(), NULL, pkey, NULL) > 0 &&
	     EVP_DigestSign(ctx, NULL, &length, message, sizeof(message)) > 0 &&
	     (signature = OPENSSL_malloc(length)) &&
	     EVP_DigestSign(ctx, signature, &length, message, sizeof(message)) > 0;
	EVP_MD_CTX_free(ctx);
	ctx = ok ? EVP_MD_CTX_new() : NULL;
	ok = ok && ctx &&
	     EVP_DigestVerifyInit_ex(ctx, NULL, hash, mech_libctx(), NULL, pkey, NULL) > 0 &&
	     EVP_DigestVerify(ctx, signature, length, message, sizeof(message)) > 0;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(signature);
	return ok;
}

static bool check_encapsulation(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	size_t length = 0, sent_length = 0, opened_length = 0;
	uint8_t sent[64], opened[64], *ciphertext = NULL;
	bool ok;

	ok = ctx && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
	     EVP_PKEY_encapsulate(ctx, NULL, &length, NULL, &sent_length) > 0 &&
	     sent_length <= sizeof(sent) && (ciphertext = OPENSSL_malloc(length)) &&
	     EVP_PKEY_encapsulate(ctx, ciphertext, &length, sent, &sent_length) > 0;
	opened_length = sizeof(opened);
	ok = ok && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
	     EVP_PKEY_decapsulate(ctx, opened, &opened_length, ciphertext, length) > 0 &&
	     opened_length == sent_length && !CRYPTO_memcmp(sent, opened, sent_length);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(ciphertext);
	OPENSSL_cleanse(sent, sizeof(sent));
	OPENSSL_cleanse(opened, sizeof(opened));
	return ok;
}

static bool agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *secret, size_t *length)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), own, NULL);
	bool ok = ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
		  EVP_PKEY_derive(ctx, secret, length) > 0;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* A second key of the same parameters, and both ways from one secret to the other */
static bool check_agreement(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	uint8_t one[SECRET_MAX], other[SECRET_MAX];
	size_t one_length = sizeof(one), other_length = sizeof(other);
	EVP_PKEY *second = NULL;
	bool ok;

	ok = ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_generate(ctx, &second) > 0 &&
	     agree(pkey, second, one, &one_length) && agree(second, pkey, other, &other_length) &&
	     one_length == other_length && !CRYPTO_memcmp(one, other, one_length);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(second);
	OPENSSL_cleanse(one, sizeof(one));
	OPENSSL_cleanse(other, sizeof(other));
	return ok;
}

static bool check_pair(EVP_PKEY *pkey)
{
	static const char *const hashed[] = { "RSA", "EC", "DSA" };
	static const char *const agreed[] = { "X25519", "X448", "DH", "DHX" };
	size_t i;

	for (i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++) {
		if (EVP_PKEY_is_a(pkey, hashed[i]))
			return check_signature(pkey, "SHA256");
	}
	for (i = 0; i < sizeof(agreed) / sizeof(agreed[0]); i++) {
		if (EVP_PKEY_is_a(pkey, agreed[i]))
			return check_agreement(pkey);
	}
	/* What is left hashes by itself, or is a KEM, which cannot sign. */
	return EVP_PKEY_can_sign(pkey) ? check_signature(pkey, NULL) : check_encapsulation(pkey);
}

CK_RV selftest_pairwise(EVP_PKEY *pkey)
{
	if (check_pair(pkey))
		return CKR_OK;
	return mech_failed(selftest_fail("pairwise consistency of a generated key pair"));
}
