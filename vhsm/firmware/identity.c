// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's identity: a P-384 key made with the partition and a self-signed certificate that names
 * the partition's id, and the TLS server that shows it. Stored in the partition's sealed header as
 * u32 length of the certificate, certificate (DER), key (PKCS#8 DER).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "commands.h"

static void uuid_text(const uint8_t id[PARTITION_ID_SIZE], char text[37])
{
	snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10],
		 id[11], id[12], id[13], id[14], id[15]);
}

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	int ret;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ret = extension && X509_add_ext(cert, extension, -1) == 1 ? 0 : -EIO;
	X509_EXTENSION_free(extension);
	return ret;
}

static int set_serial(X509 *cert)
{
	uint8_t random[16];
	BIGNUM *number;
	int ret = -EIO;

	if (RAND_bytes_ex(mech_libctx(), random, sizeof(random), 0) != 1)
		return -EIO;
	random[0] = (random[0] & 0x7f) | 0x40;
	number = BN_bin2bn(random, sizeof(random), NULL);
	if (number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)))
		ret = 0;
	BN_free(number);
	return ret;
}

static int fill_in(X509 *cert, EVP_PKEY *key, const char *uuid)
{
	X509_NAME *name = X509_get_subject_name(cert);
	char uri[64];

	snprintf(uri, sizeof(uri), "URI:urn:uuid:%s", uuid);
	if (!X509_set_version(cert, X509_VERSION_3) || set_serial(cert) < 0 ||
	    !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Integrated HSM",
					-1, -1, 0) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)uuid, -1, -1, 0))
		return -EIO;
	/* A device has no clock to trust: no end (RFC 5280, 4.1.2.5). */
	if (!X509_set_issuer_name(cert, name) || !X509_set_pubkey(cert, key) ||
	    !ASN1_TIME_set_string(X509_getm_notBefore(cert), "20250101000000Z") ||
	    !ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z"))
		return -EIO;
	if (add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(cert, NID_key_usage, "critical,digitalSignature") < 0 ||
	    add_extension(cert, NID_subject_alt_name, uri) < 0)
		return -EIO;
	return X509_sign(cert, key, EVP_sha384()) > 0 ? 0 : -EIO;
}

/* Take over @cert_der and @key_der into one block */
static int join(const uint8_t *cert_der, int cert_length, const uint8_t *key_der, int key_length,
		uint8_t **identity, uint32_t *length)
{
	uint32_t n = htole32(cert_length);
	uint8_t *block;

	if (cert_length <= 0 || key_length <= 0)
		return -EIO;
	block = OPENSSL_malloc(4 + cert_length + key_length);
	if (!block)
		return -ENOMEM;
	memcpy(block, &n, 4);
	memcpy(block + 4, cert_der, cert_length);
	memcpy(block + 4 + cert_length, key_der, key_length);
	*identity = block;
	*length = 4 + cert_length + key_length;
	return 0;
}

static int encode_key(EVP_PKEY *key, uint8_t **der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info, der) : -1;

	PKCS8_PRIV_KEY_INFO_free(info);
	return length;
}

int identity_create(const uint8_t id[PARTITION_ID_SIZE], uint8_t **identity, uint32_t *length)
{
	uint8_t *cert_der = NULL, *key_der = NULL;
	int cert_length, key_length = -1, ret = -EIO;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(mech_libctx(), NULL, "EC", "P-384");
	X509 *cert = X509_new_ex(mech_libctx(), NULL);
	char uuid[37];

	uuid_text(id, uuid);
	if (key && cert && fill_in(cert, key, uuid) == 0) {
		cert_length = i2d_X509(cert, &cert_der);
		key_length = encode_key(key, &key_der);
		ret = join(cert_der, cert_length, key_der, key_length, identity, length);
	}
	OPENSSL_free(cert_der);
	OPENSSL_clear_free(key_der, key_length > 0 ? key_length : 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ret;
}

/* TLS 1.3 alone, one cipher suite, nothing that outlives a handshake (architecture.md's channel rules) */
static int tls_policy(SSL_CTX *tls)
{
	SSL_CTX_set_options(tls,
			    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(tls, 0);
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	if (!SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(tls, TLS1_3_VERSION) ||
	    !SSL_CTX_set_num_tickets(tls, 0) || !SSL_CTX_set_ciphersuites(tls, HSM_TLS_CIPHERS))
		return -EIO;
	if (mech_approved_mode())
		return SSL_CTX_set1_groups_list(tls, "SecP256r1MLKEM768:P-384:P-256") ? 0 : -EIO;
	if (!SSL_CTX_set1_groups_list(tls, "X25519MLKEM768:X25519:P-384") &&
	    !SSL_CTX_set1_groups_list(tls, "X25519:P-384"))
		return -EIO;
	return 0;
}

SSL_CTX *identity_tls(const uint8_t *identity, uint32_t length)
{
	const uint8_t *cert_der = identity + 4, *key_der;
	SSL_CTX *tls = SSL_CTX_new_ex(mech_libctx(), NULL, TLS_server_method());
	X509 *cert = X509_new_ex(mech_libctx(), NULL);
	EVP_PKEY *key = NULL;
	uint32_t n;
	int ret = -EIO;

	if (!tls || !cert || length < 4)
		goto out;
	n = hsm_get_le32(identity);
	if (n > length - 4)
		goto out;
	key_der = cert_der + n;
	key = d2i_AutoPrivateKey_ex(NULL, &key_der, length - 4 - n, mech_libctx(), NULL);
	if (!key || !d2i_X509(&cert, &cert_der, n) || tls_policy(tls) < 0)
		goto out;
	if (SSL_CTX_use_certificate(tls, cert) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1)
		ret = 0;
out:
	EVP_PKEY_free(key);
	X509_free(cert);
	if (ret < 0) {
		SSL_CTX_free(tls);
		tls = NULL;
	}
	return tls;
}
