// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's identity: a P-384 key made with the partition, kept in its sealed header as PKCS#8 (DER), and
 * the TLS server that shows it. Its certificate is made anew by the alias of the firmware that runs
 * (Documentation/attestation.rst, "Certificates").
 */
#include <errno.h>
#include <string.h>
#include <openssl/x509.h>
#include "attest_keys.h"

static pthread_mutex_t tls_lock = PTHREAD_MUTEX_INITIALIZER;

static int encode_key(EVP_PKEY *key, uint8_t **der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info, der) : -1;

	PKCS8_PRIV_KEY_INFO_free(info);
	return length;
}

int identity_create(uint8_t **identity, uint32_t *length)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(mech_libctx(), NULL, "EC", "P-384");
	int n = -1;

	*identity = NULL;
	if (key)
		n = encode_key(key, identity);
	EVP_PKEY_free(key);
	if (n <= 0)
		return -EIO;
	*length = n;
	return 0;
}

/*
 * TLS 1.3 alone, one cipher suite. A ticket resumes with a fresh key exchange, and its key lives no longer than this
 * context: until the firmware ends or the partition's policy changes. What it brings back is the handshake, never a login.
 */
static int tls_policy(SSL_CTX *tls)
{
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_clear_options(tls, SSL_OP_NO_TICKET | SSL_OP_ALLOW_NO_DHE_KEX);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(tls, 0);
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	if (!SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(tls, TLS1_3_VERSION) ||
	    !SSL_CTX_set_num_tickets(tls, 1) || !SSL_CTX_set_ciphersuites(tls, HSM_TLS_CIPHERS))
		return -EIO;
	if (mech_approved_mode())
		return SSL_CTX_set1_groups_list(tls, "SecP256r1MLKEM768:P-384:P-256") ? 0 : -EIO;
	if (!SSL_CTX_set1_groups_list(tls, "X25519MLKEM768:X25519:P-384") &&
	    !SSL_CTX_set1_groups_list(tls, "X25519:P-384"))
		return -EIO;
	return 0;
}

/* The certificate of @key and its chain */
static int show_chain(struct partition *partition, SSL_CTX *tls, EVP_PKEY *key)
{
	STACK_OF(X509) *chain = NULL;
	X509 *cert = NULL;
	int ret = attest_certify(partition, key, &cert);

	if (!ret)
		ret = attest_chain(partition, HSM_DICE_P384, &chain);
	if (!ret && SSL_CTX_use_cert_and_key(tls, cert, key, chain, 1) != 1)
		ret = -EIO;
	sk_X509_pop_free(chain, X509_free);
	X509_free(cert);
	return ret;
}

static SSL_CTX *make_tls(struct partition *partition)
{
	const uint8_t *der = partition->identity;
	SSL_CTX *tls = SSL_CTX_new_ex(mech_libctx(), NULL, TLS_server_method());
	EVP_PKEY *key = NULL;
	int ret = -EIO;

	if (tls && der)
		key = d2i_AutoPrivateKey_ex(NULL, &der, partition->identity_length, mech_libctx(),
					    NULL);
	if (key && tls_policy(tls) == 0 &&
	    SSL_CTX_set_session_id_context(tls, partition->info.id, PARTITION_ID_SIZE) == 1)
		ret = show_chain(partition, tls, key);
	EVP_PKEY_free(key);
	if (ret < 0) {
		SSL_CTX_free(tls);
		return NULL;
	}
	client_demand(partition, tls);
	return tls;
}

SSL_CTX *identity_tls(struct partition *partition)
{
	SSL_CTX *tls;

	pthread_mutex_lock(&tls_lock);
	if (!partition->tls)
		partition->tls = make_tls(partition);
	tls = partition->tls;
	if (tls && SSL_CTX_up_ref(tls) != 1)
		tls = NULL;
	pthread_mutex_unlock(&tls_lock);
	return tls;
}

void identity_reset(struct partition *partition)
{
	SSL_CTX *tls;

	pthread_mutex_lock(&tls_lock);
	tls = partition->tls;
	partition->tls = NULL;
	pthread_mutex_unlock(&tls_lock);
	SSL_CTX_free(tls);
}
