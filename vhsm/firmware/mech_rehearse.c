// SPDX-License-Identifier: Apache-2.0
/*
 * One operation of each kind of key before the sandbox closes: libcrypto fetches algorithms, encoders and random sources
 * on first use, and that first use must not be a tenant's.
 */
#include <errno.h>
#include <openssl/x509.h>
#include "mech_private.h"

/* Fetches encoders and decoders */
static bool encode(EVP_PKEY *pkey)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	EVP_PKEY *again = info ? EVP_PKCS82PKEY_ex(info, mech_libctx(), NULL) : NULL;
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(pkey, &der);

	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(again);
	return again && length > 0;
}

static bool sign_and_verify(EVP_PKEY *pkey, const char *hash)
{
	static const uint8_t message[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[MECH_SIGNATURE_MAX];
	size_t length = sizeof(signature);
	bool ok;

	ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, hash, mech_libctx(), NULL, pkey, NULL) > 0 &&
	     EVP_DigestSign(ctx, signature, &length, message, sizeof(message)) > 0;
	EVP_MD_CTX_free(ctx);
	ctx = EVP_MD_CTX_new();
	ok = ok && ctx &&
	     EVP_DigestVerifyInit_ex(ctx, NULL, hash, mech_libctx(), NULL, pkey, NULL) > 0 &&
	     EVP_DigestVerify(ctx, signature, length, message, sizeof(message)) > 0;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Takes the key */
static bool rehearse(EVP_PKEY *pkey, bool signs, const char *hash)
{
	bool ok = pkey && encode(pkey) && (!signs || sign_and_verify(pkey, hash));

	EVP_PKEY_free(pkey);
	return ok;
}

int mech_rehearse(void)
{
	OSSL_LIB_CTX *ctx = mech_libctx();

	if (!rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "EC", "P-256"), true, "SHA256") ||
	    !rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "ED25519"), true, NULL))
		return -EIO;
	/*
	 * The size of this RSA key is only for speed: it is thrown away, and the table allows none like it. The FIPS
	 * provider has neither such keys nor X25519, and has run its RSA while it tested itself.
	 */
	if (!mech_approved_mode() &&
	    (!rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "RSA", (size_t)1024), true, "SHA256") ||
	     !rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "X25519"), false, NULL)))
		return -EIO;
	if (mech_available(hsm_mechanism_find(CKM_ML_DSA)) &&
	    !rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "ML-DSA-44"), true, NULL))
		return -EIO;
	if (mech_available(hsm_mechanism_find(CKM_ML_KEM)) &&
	    !rehearse(EVP_PKEY_Q_keygen(ctx, NULL, "ML-KEM-512"), false, NULL))
		return -EIO;
	return 0;
}
