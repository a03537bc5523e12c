// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of people for hsmctl: public ones of officers, owners and customers, and private ones that sign approvals. Whatever
 * libcrypto's stores read will do: PEM and DER files, and by a provider of the user's own configuration a pkcs11: URI.
 */
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include "hsmctl-key.h"

/* Of the wanted kind: a private key, or whatever has a public one */
static EVP_PKEY *key_in(const OSSL_STORE_INFO *info, bool private_key)
{
	EVP_PKEY *key = NULL;
	X509 *cert;

	switch (OSSL_STORE_INFO_get_type(info)) {
	case OSSL_STORE_INFO_PKEY:
		return OSSL_STORE_INFO_get1_PKEY(info);
	case OSSL_STORE_INFO_PUBKEY:
		return private_key ? NULL : OSSL_STORE_INFO_get1_PUBKEY(info);
	case OSSL_STORE_INFO_CERT:
		if (private_key)
			return NULL;
		cert = OSSL_STORE_INFO_get1_CERT(info);
		key = cert ? X509_get_pubkey(cert) : NULL;
		X509_free(cert);
		return key;
	default:
		return NULL;
	}
}

static EVP_PKEY *load(const char *uri, bool private_key)
{
	OSSL_STORE_CTX *store =
		OSSL_STORE_open(uri, private_key ? UI_OpenSSL() : UI_null(), NULL, NULL, NULL);
	OSSL_STORE_INFO *info;
	EVP_PKEY *key = NULL;

	while (store && !key && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		key = info ? key_in(info, private_key) : NULL;
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	ERR_clear_error();
	return key;
}

int key_private(struct ctl *ctl, const char *uri, EVP_PKEY **key)
{
	*key = load(uri, true);
	return *key ? CTL_OK : fail(ctl, CTL_USAGE, "%s: no private key could be read", uri);
}

int key_public(struct ctl *ctl, const char *uri, uint8_t **der, size_t *length)
{
	EVP_PKEY *key = load(uri, false);
	int size;

	*der = NULL;
	*length = 0;
	size = key ? i2d_PUBKEY(key, der) : -1;
	EVP_PKEY_free(key);
	if (size <= 0)
		return fail(ctl, CTL_USAGE, "%s: no public key could be read", uri);
	*length = (size_t)size;
	return CTL_OK;
}

int key_put(struct ctl *ctl, struct hsm_writer *writer, enum hsm_field_tag tag, const char *uri)
{
	uint8_t *der = NULL;
	size_t length = 0;
	int code = CTL_OK;

	if (strcmp(uri, "none"))
		code = key_public(ctl, uri, &der, &length);
	if (!code)
		hsm_put_bytes(writer, tag, der, length);
	OPENSSL_free(der);
	return code;
}

bool key_id(EVP_PKEY *key, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	bool good = length > 0 &&
		    EVP_Digest(der, (size_t)length, id, NULL, EVP_sha384(), NULL) == 1;

	OPENSSL_free(der);
	return good;
}
