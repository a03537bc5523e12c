// SPDX-License-Identifier: Apache-2.0
/*
 * Certificates of applications, which a partition's policy may demand. The policy knows the keys of the
 * certificates that they must lead to, not the certificates: the application shows all up to one of those.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "commands.h"

/* Is this one of the certificates that the policy names by its key? */
static bool is_root(const struct policy *policy, X509 *cert)
{
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
	uint8_t hash[HSM_POLICY_HASH], *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool root = md && length > 0 &&
		    EVP_Digest(der, (size_t)length, hash, NULL, md, NULL) == 1 &&
		    policy_hash_listed(&policy->clients, hash);

	OPENSSL_free(der);
	EVP_MD_free(md);
	return root;
}

/* Of what the application has shown, what may be believed. NULL: nothing, or out of memory */
static X509_STORE *collect_roots(const struct policy *policy, X509 *cert, STACK_OF(X509) * others)
{
	X509_STORE *store = X509_STORE_new();
	unsigned int count = 0;

	if (!store)
		return NULL;
	if (is_root(policy, cert))
		count += X509_STORE_add_cert(store, cert) == 1;
	for (int i = 0; i < sk_X509_num(others); i++)
		if (is_root(policy, sk_X509_value(others, i)))
			count += X509_STORE_add_cert(store, sk_X509_value(others, i)) == 1;
	if (count)
		return store;
	X509_STORE_free(store);
	return NULL;
}

/* A certificate of the application itself may be named as well as one above it; a device has no clock. */
static bool leads_to(X509_STORE *roots, X509 *cert, STACK_OF(X509) * others)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(mech_libctx(), NULL);
	bool good = ctx && X509_STORE_CTX_init(ctx, roots, cert, others) == 1 &&
		    X509_STORE_CTX_set_default(ctx, "ssl_client") == 1;

	if (good) {
		X509_STORE_CTX_set_flags(ctx,
					 X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
		good = X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	return good;
}

/* The policy in force decides, not that of the time when the context was made. */
static int verify(X509_STORE_CTX *store, void *data)
{
	struct partition *partition = data;
	const struct policy *policy = atomic_load(&partition->policy);
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	STACK_OF(X509) *others = X509_STORE_CTX_get0_untrusted(store);
	X509_STORE *roots = policy && cert ? collect_roots(policy, cert, others) : NULL;
	bool good = roots && leads_to(roots, cert, others);

	X509_STORE_free(roots);
	ERR_clear_error();
	X509_STORE_CTX_set_error(store, good ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
	return good;
}

void client_demand(struct partition *partition, SSL_CTX *tls)
{
	const struct policy *policy = atomic_load(&partition->policy);

	if (!policy || !policy->clients.count)
		return;
	SSL_CTX_set_cert_verify_callback(tls, verify, partition);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}
