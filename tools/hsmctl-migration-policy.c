// SPDX-License-Identifier: Apache-2.0
/*
 * The lists in a policy that say where a partition may move: of roots, named by certificate files and
 * kept as hashes of their public keys, and of measurements.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "hsmctl.h"

struct hashes {
	size_t count;
	uint8_t hash[HSM_POLICY_HASHES][HSM_POLICY_HASH];
};

/* @cert: taken over. The key, not the certificate: a root may be certified anew. */
static int hash_root(struct ctl *ctl, const char *path, X509 *cert, uint8_t hash[HSM_POLICY_HASH])
{
	uint8_t *der = NULL;
	int length = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
	bool good = length > 0 && EVP_Digest(der, (size_t)length, hash, NULL, EVP_sha384(), NULL);

	OPENSSL_free(der);
	X509_free(cert);
	if (good)
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "%s: not a certificate (PEM)", path);
}

static int read_root(struct ctl *ctl, const char *path, uint8_t hash[HSM_POLICY_HASH])
{
	FILE *file = fopen(path, "re");
	X509 *cert;

	if (!file)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	return hash_root(ctl, path, cert, hash);
}

static int read_measurement(struct ctl *ctl, const char *text, uint8_t hash[HSM_POLICY_HASH])
{
	size_t length = 0;

	if (OPENSSL_hexstr2buf_ex(hash, HSM_POLICY_HASH, &length, text, '\0') == 1 &&
	    length == HSM_POLICY_HASH)
		return CTL_OK;
	return fail(ctl, CTL_USAGE,
		    "--migration-measurements %s: a measurement has 96 hexadecimal digits", text);
}

/* @text: words with commas between them, each read by @read; @empty: the word for none */
static int put_list(struct ctl *ctl, struct hsm_writer *writer, enum hsm_field_tag tag,
		    const char *text, const char *empty,
		    int (*read)(struct ctl *, const char *, uint8_t *))
{
	struct hashes hashes = { 0 };
	char word[4096];
	size_t length;
	int code = CTL_OK;

	if (!text)
		return CTL_OK;
	while (strcmp(text, empty) && *text && !code) {
		length = strcspn(text, ",");
		if (length >= sizeof(word) || hashes.count == HSM_POLICY_HASHES)
			return fail(ctl, CTL_USAGE, "at most %d in such a list", HSM_POLICY_HASHES);
		memcpy(word, text, length);
		word[length] = '\0';
		code = read(ctl, word, hashes.hash[hashes.count++]);
		text += length + (text[length] == ',');
	}
	if (!code)
		hsm_put_bytes(writer, tag, hashes.hash, hashes.count * HSM_POLICY_HASH);
	return code;
}

int migration_options(struct ctl *ctl, struct hsm_writer *writer)
{
	return put_list(ctl, writer, HSM_FIELD_MIGRATION_ROOTS, ctl->migration_roots, "none",
			read_root)
		       ?: put_list(ctl, writer, HSM_FIELD_MIGRATION_MEASUREMENTS,
				   ctl->migration_measurements, "any", read_measurement)
		       ?: put_list(ctl, writer, HSM_FIELD_CLIENT_ROOTS, ctl->client_roots, "none",
				   read_root);
}
