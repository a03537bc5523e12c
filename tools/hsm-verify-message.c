// SPDX-License-Identifier: Apache-2.0
/*
 * What all of hsm-verify's subcommands do with a signed message: take it apart, verify each
 * signature, and each signer's certificates up to a root that was named.
 */
#include <errno.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include "hsm-verify.h"

/* Certificates of one PEM file into the store. Return: how many, -1: one cannot be read */
static int add_roots(struct verify *verify, BIO *file, X509_STORE *store)
{
	X509 *cert;
	int count = 0, ok;

	for (;;) {
		cert = X509_new_ex(verify->libctx, NULL);
		if (!cert || !PEM_read_bio_X509(file, &cert, NULL, NULL)) {
			ok = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
			X509_free(cert);
			ERR_clear_error();
			return ok ? count : -1;
		}
		ok = X509_STORE_add_cert(store, cert);
		X509_free(cert);
		if (!ok)
			return -1;
		count++;
	}
}

static int read_roots(struct verify *verify, X509_STORE *store)
{
	BIO *file;
	int count;

	if (!verify->roots)
		return fail(verify, VERIFY_USAGE, "which root certificate? --root FILE");
	for (size_t i = 0; i < verify->roots; i++) {
		file = BIO_new_file(verify->root[i], "r");
		if (!file)
			return fail(verify, VERIFY_SYSTEM, "%s: %s", verify->root[i],
				    strerror(errno));
		count = add_roots(verify, file, store);
		BIO_free(file);
		if (count <= 0)
			return fail(verify, VERIFY_USAGE, "%s: no certificates", verify->root[i]);
	}
	return VERIFY_OK;
}

/* Does the chain of a signature end in a root? @reason: set when not */
static bool chain_holds(struct verify *verify, X509_STORE *store, STACK_OF(X509) * chain,
			const char **reason)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new_ex(verify->libctx, NULL);
	bool good = false;

	*reason = "out of memory";
	if (context && X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain)) {
		good = X509_verify_cert(context) == 1;
		*reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
	}
	X509_STORE_CTX_free(context);
	return good;
}

static int verify_signature(struct verify *verify, X509_STORE *store,
			    const struct hsm_cose *message, size_t index)
{
	STACK_OF(X509) *chain = hsm_cose_signer_chain(message, index, verify->libctx);
	const char *name = hsm_cose_algorithm_name(hsm_cose_signer_algorithm(message, index));
	const char *reason;
	int code = VERIFY_OK;

	if (!chain || !sk_X509_num(chain))
		code = fail(verify, VERIFY_FORGED, "signature by %s: no certificates", name);
	else if (!chain_holds(verify, store, chain, &reason))
		code = fail(verify, VERIFY_FORGED, "signature by %s: certificates: %s", name,
			    reason);
	else if (hsm_cose_verify(message, index, verify->libctx,
				 X509_get0_pubkey(sk_X509_value(chain, 0)), NULL, 0) < 0)
		code = fail(verify, VERIFY_FORGED, "signature by %s: wrong", name);
	sk_X509_pop_free(chain, X509_free);
	return code;
}

int message_verify(struct verify *verify, const uint8_t *bytes, size_t length, const char *type,
		   struct hsm_cose **message)
{
	X509_STORE *store = X509_STORE_new();
	int code = store ? read_roots(verify, store) : VERIFY_SYSTEM;

	*message = NULL;
	if (!code && hsm_cose_read(bytes, length, type, message) < 0)
		code = fail(verify, VERIFY_FORGED, "no signed message of type %s", type);
	for (size_t i = 0; !code && i < hsm_cose_signatures(*message); i++)
		code = verify_signature(verify, store, *message, i);
	X509_STORE_free(store);
	if (code) {
		hsm_cose_free(*message);
		*message = NULL;
	}
	return code;
}
