// SPDX-License-Identifier: Apache-2.0
/*
 * The vendor's keys: P-384 and ML-DSA-87, as PEM files in one private directory, or wherever libcrypto's
 * store finds them. A file `development` in the directory marks keys that protect nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include "hsm-fw-sign.h"

#define MARK "development"

static const struct {
	const char *name, *type, *group;
} kinds[HSM_FW_KEYS] = {
	{ "es384", "EC", "P-384" },
	{ "ml-dsa-87", "ML-DSA-87", NULL },
};

int fw_complain(int code, const char *format, ...)
{
	va_list args;

	fputs("hsm-fw-sign: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

void fw_hex(const uint8_t *bytes, size_t size, char *text)
{
	size_t i;

	for (i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

void fw_keys_free(struct fw_keys *keys)
{
	int i;

	for (i = 0; i < HSM_FW_KEYS; i++)
		EVP_PKEY_free(keys->key[i]);
}

/* ---- making ---- */

static EVP_PKEY *generate(int index)
{
	if (kinds[index].group)
		return EVP_PKEY_Q_keygen(NULL, NULL, kinds[index].type, kinds[index].group);
	return EVP_PKEY_Q_keygen(NULL, NULL, kinds[index].type);
}

static FILE *create(const char *dir, const char *name, const char *ending)
{
	char path[PATH_MAX];
	FILE *file;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s%s", dir, name, ending) >= (int)sizeof(path))
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "w");
	if (!file)
		close(fd);
	return file;
}

static int write_key(const char *dir, int index, EVP_PKEY *key)
{
	FILE *private = create(dir, kinds[index].name, ".pem");
	FILE *public = create(dir, kinds[index].name, ".pub.pem");
	bool ok;

	ok = private && public &&
	     PEM_write_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	     PEM_write_PUBKEY(public, key) == 1;
	if (private)
		ok = fclose(private) == 0 && ok;
	if (public)
		ok = fclose(public) == 0 && ok;
	return ok ? FW_OK
		  : fw_complain(FW_FAILED, "%s/%s.pem: cannot be written", dir, kinds[index].name);
}

static int make_key(const char *dir, int index)
{
	EVP_PKEY *key = generate(index);
	int code;

	if (!key)
		return fw_complain(FW_FAILED, "libcrypto made no key of type %s",
				   kinds[index].name);
	code = write_key(dir, index, key);
	EVP_PKEY_free(key);
	return code;
}

static int mark(const char *dir)
{
	FILE *file = create(dir, MARK, "");

	if (!file ||
	    fputs("No board in production takes firmware that is signed with these.\n", file) < 0 ||
	    fclose(file))
		return fw_complain(FW_FAILED, "%s/" MARK ": cannot be written", dir);
	return FW_OK;
}

int fw_keygen(const struct fw_options *options, char **args)
{
	const char *dir = args[0];
	int code;

	if (mkdir(dir, 0700))
		return fw_complain(FW_FAILED, "%s: %s", dir, strerror(errno));
	code = options->development ? mark(dir) : FW_OK;
	if (!code)
		code = make_key(dir, HSM_FW_ES384);
	if (!code && hsm_fw_has_ml_dsa(NULL))
		code = make_key(dir, HSM_FW_ML_DSA_87);
	else if (!code)
		fw_complain(0, "no ML-DSA in this libcrypto: only boards without it will take "
			       "what this key signs");
	return code;
}

/* ---- reading ---- */

static EVP_PKEY *load(const char *uri)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open(uri, UI_get_default_method(), NULL, NULL, NULL);
	OSSL_STORE_INFO *info;
	EVP_PKEY *key = NULL;

	if (!store)
		return NULL;
	OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	while (!key && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		if (!info)
			break;
		key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	return key;
}

static int load_one(const struct fw_options *options, int index, EVP_PKEY **key)
{
	const char *uri = options->key[index];
	char path[PATH_MAX];

	*key = NULL;
	if (!uri && options->keys) {
		snprintf(path, sizeof(path), "%s/%s.pem", options->keys, kinds[index].name);
		uri = path;
	}
	if (!uri)
		return fw_complain(FW_USAGE, "name the keys with --keys DIR, or by --%s",
				   kinds[index].name);
	if (index == HSM_FW_ML_DSA_87 && !hsm_fw_has_ml_dsa(NULL))
		return FW_OK;
	*key = load(uri);
	if (*key)
		return FW_OK;
	ERR_print_errors_fp(stderr);
	return fw_complain(FW_FAILED, "%s: no private key can be read", uri);
}

int fw_keys_load(const struct fw_options *options, struct fw_keys *keys)
{
	char path[PATH_MAX];
	int i, code = FW_OK;

	memset(keys, 0, sizeof(*keys));
	for (i = 0; !code && i < HSM_FW_KEYS; i++)
		code = load_one(options, i, &keys->key[i]);
	if (code) {
		fw_keys_free(keys);
		return code;
	}
	if (options->keys) {
		snprintf(path, sizeof(path), "%s/" MARK, options->keys);
		keys->development = access(path, F_OK) == 0;
	}
	keys->development |= options->development;
	return FW_OK;
}

int fw_vendor_hash(const struct fw_options *options, char **args)
{
	char text[2 * HSM_FW_HASH_SIZE + 1];
	uint8_t hash[HSM_FW_HASH_SIZE];
	struct fw_keys keys;
	int code;

	(void)args;
	code = fw_keys_load(options, &keys);
	if (code)
		return code;
	if (hsm_fw_vendor(NULL, keys.key, hash)) {
		code = fw_complain(FW_FAILED, "these are no keys of P-384 and ML-DSA-87");
	} else {
		fw_hex(hash, sizeof(hash), text);
		printf("%s %s\n", text, keys.development ? "development" : "vendor");
	}
	fw_keys_free(&keys);
	return code;
}
