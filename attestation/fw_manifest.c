// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware's manifest in both directions. One table of roles and one check of contents: what the
 * signer makes and what the board takes cannot differ.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <hsm/cose.h>
#include <hsm/fw_manifest.h>

#define SPKI_MAX 8192

/* Keys of the map */
enum {
	KEY_TARGET = 1,
	KEY_VERSION,
	KEY_SECURITY,
	KEY_DEVELOPMENT,
	KEY_VENDOR,
	KEY_FILES,
};

static const int algorithms[HSM_FW_KEYS] = { HSM_COSE_ES384, HSM_COSE_ML_DSA_87 };

/* struct role - what a file is for; @least, @most: how many files of it there are */
static const struct role {
	const char *name;
	unsigned int least, most;
} roles[] = {
	{ "firmware", 1, 1 },	 { "loader", 1, 1 },	  { "library", 0, HSM_FW_FILES_MAX },
	{ "fips-module", 0, 1 }, { "fips-config", 0, 1 },
};

#define ROLES (sizeof(roles) / sizeof(roles[0]))

/* ---- what a manifest may say ---- */

static bool plain_name(const char *name)
{
	const char *p;

	if (!*name || *name == '.')
		return false;
	for (p = name; *p; p++)
		if (*p == '/' || *p <= ' ' || *p > '~')
			return false;
	return true;
}

static bool printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static const char *check_files(const struct hsm_fw_manifest *manifest)
{
	unsigned int seen[ROLES] = { 0 }, i;
	size_t r;

	for (i = 0; i < manifest->count; i++) {
		for (r = 0; r < ROLES && strcmp(roles[r].name, manifest->files[i].role); r++)
			;
		if (r == ROLES)
			return "a file has an unknown role";
		seen[r]++;
		if (!plain_name(manifest->files[i].name))
			return "a file's name is no plain one";
		if (!manifest->files[i].size)
			return "a file is empty";
	}
	for (r = 0; r < ROLES; r++)
		if (seen[r] < roles[r].least || seen[r] > roles[r].most)
			return "firmware or loader is missing, or a role is there twice";
	return NULL;
}

static const char *check(const struct hsm_fw_manifest *manifest)
{
	if (!manifest->version[0] || !printable(manifest->version))
		return "the version is no printable text";
	if (manifest->security_version < 1 || manifest->security_version > HSM_FW_SECURITY_MAX)
		return "the security version is none";
	return check_files(manifest);
}

/* ---- keys ---- */

bool hsm_fw_has_ml_dsa(OSSL_LIB_CTX *libctx)
{
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(libctx, "ML-DSA-87", NULL);

	ERR_clear_error();
	EVP_SIGNATURE_free(signature);
	return signature != NULL;
}

/* struct spki - the keys as the manifest carries them */
struct spki {
	unsigned int count;
	uint8_t *bytes[HSM_FW_KEYS];
	size_t length[HSM_FW_KEYS];
};

static void spki_free(struct spki *spki)
{
	unsigned int i;

	for (i = 0; i < HSM_FW_KEYS; i++)
		OPENSSL_free(spki->bytes[i]);
}

static int spki_encode(EVP_PKEY *const keys[HSM_FW_KEYS], struct spki *spki)
{
	unsigned int i;
	int n;

	memset(spki, 0, sizeof(*spki));
	for (i = 0; i < HSM_FW_KEYS && keys[i]; i++) {
		if (hsm_cose_algorithm(keys[i]) != algorithms[i])
			return -EINVAL;
		n = i2d_PUBKEY(keys[i], &spki->bytes[i]);
		if (n <= 0)
			return -EIO;
		spki->length[i] = (size_t)n;
		spki->count++;
	}
	return spki->count ? 0 : -EINVAL;
}

static int spki_hash(OSSL_LIB_CTX *libctx, const struct spki *spki, uint8_t hash[HSM_FW_HASH_SIZE])
{
	EVP_MD *sha384 = EVP_MD_fetch(libctx, "SHA384", NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int i;
	bool ok;

	ok = sha384 && ctx && EVP_DigestInit_ex2(ctx, sha384, NULL) > 0;
	for (i = 0; ok && i < spki->count; i++)
		ok = EVP_DigestUpdate(ctx, spki->bytes[i], spki->length[i]) > 0;
	ok = ok && EVP_DigestFinal_ex(ctx, hash, NULL) > 0;
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(sha384);
	return ok ? 0 : -EIO;
}

int hsm_fw_vendor(OSSL_LIB_CTX *libctx, EVP_PKEY *const keys[HSM_FW_KEYS],
		  uint8_t hash[HSM_FW_HASH_SIZE])
{
	struct spki spki;
	int ret;

	ret = spki_encode(keys, &spki);
	if (!ret)
		ret = spki_hash(libctx, &spki, hash);
	spki_free(&spki);
	return ret;
}

static int measure(OSSL_LIB_CTX *libctx, const uint8_t *payload, size_t length, uint8_t *hash)
{
	size_t size = HSM_FW_HASH_SIZE;

	return EVP_Q_digest(libctx, "SHA384", NULL, payload, length, hash, &size) == 1 ? 0 : -EIO;
}

/* ---- making ---- */

static cbor_item_t *encode_file(const struct hsm_fw_file *file)
{
	cbor_item_t *item = cbor_new_definite_array(4);

	if (item && hsm_cbor_push(item, cbor_build_string(file->role)) &&
	    hsm_cbor_push(item, cbor_build_string(file->name)) &&
	    hsm_cbor_push(item, cbor_build_bytestring(file->hash, sizeof(file->hash))) &&
	    hsm_cbor_push(item, hsm_cbor_uint(file->size)))
		return item;
	if (item)
		cbor_decref(&item);
	return NULL;
}

static cbor_item_t *encode_files(const struct hsm_fw_manifest *manifest)
{
	cbor_item_t *list = cbor_new_definite_array(manifest->count);
	unsigned int i;

	for (i = 0; list && i < manifest->count; i++)
		if (!hsm_cbor_push(list, encode_file(&manifest->files[i])))
			cbor_decref(&list);
	return list;
}

static cbor_item_t *encode_keys(const struct spki *spki)
{
	cbor_item_t *list = cbor_new_definite_array(spki->count);
	unsigned int i;

	for (i = 0; list && i < spki->count; i++)
		if (!hsm_cbor_push(list, cbor_build_bytestring(spki->bytes[i], spki->length[i])))
			cbor_decref(&list);
	return list;
}

static int encode(const struct hsm_fw_manifest *manifest, const struct spki *spki, uint8_t **bytes,
		  size_t *length)
{
	cbor_item_t *map = cbor_new_definite_map(6);
	int ret = -ENOMEM;

	if (map && hsm_cbor_put(map, KEY_TARGET, cbor_build_string(HSM_FW_TARGET)) &&
	    hsm_cbor_put(map, KEY_VERSION, cbor_build_string(manifest->version)) &&
	    hsm_cbor_put(map, KEY_SECURITY, hsm_cbor_uint(manifest->security_version)) &&
	    hsm_cbor_put(map, KEY_DEVELOPMENT, cbor_build_bool(manifest->development)) &&
	    hsm_cbor_put(map, KEY_VENDOR, encode_keys(spki)) &&
	    hsm_cbor_put(map, KEY_FILES, encode_files(manifest)))
		ret = hsm_cbor_write(map, bytes, length);
	if (map)
		cbor_decref(&map);
	return ret;
}

int hsm_fw_sign(OSSL_LIB_CTX *libctx, struct hsm_fw_manifest *manifest,
		EVP_PKEY *const keys[HSM_FW_KEYS], uint8_t **message, size_t *length)
{
	struct hsm_cose_signer signers[HSM_FW_KEYS] = { 0 };
	struct spki spki = { 0 };
	uint8_t *payload = NULL;
	size_t size = 0;
	unsigned int i;
	int ret;

	if (check(manifest))
		return -EINVAL;
	ret = spki_encode(keys, &spki);
	if (!ret)
		ret = spki_hash(libctx, &spki, manifest->vendor);
	if (!ret)
		ret = encode(manifest, &spki, &payload, &size);
	if (!ret)
		ret = measure(libctx, payload, size, manifest->measurement);
	for (i = 0; i < spki.count; i++)
		signers[i].key = keys[i];
	if (!ret)
		ret = hsm_cose_sign(libctx, signers, spki.count, HSM_FW_TYPE, payload, size, NULL,
				    0, message, length);
	manifest->keys = spki.count;
	free(payload);
	spki_free(&spki);
	return ret;
}

/* ---- reading ---- */

static bool take_text(const cbor_item_t *item, char *to, size_t capacity)
{
	const char *text;
	size_t length;

	if (!hsm_cbor_as_text(item, &text, &length) || length >= capacity ||
	    memchr(text, '\0', length))
		return false;
	memcpy(to, text, length);
	to[length] = '\0';
	return true;
}

static bool decode_file(const cbor_item_t *item, struct hsm_fw_file *file)
{
	const uint8_t *hash;
	cbor_item_t **parts;
	size_t length;

	if (!item || !cbor_isa_array(item) || cbor_array_size(item) != 4)
		return false;
	parts = cbor_array_handle(item);
	if (!take_text(parts[0], file->role, sizeof(file->role)) ||
	    !take_text(parts[1], file->name, sizeof(file->name)) ||
	    !hsm_cbor_as_bytes(parts[2], &hash, &length) || length != sizeof(file->hash) ||
	    !hsm_cbor_as_uint(parts[3], &file->size))
		return false;
	memcpy(file->hash, hash, length);
	return true;
}

static bool decode_files(const cbor_item_t *list, struct hsm_fw_manifest *manifest)
{
	size_t i;

	if (!list || !cbor_isa_array(list) || cbor_array_size(list) > HSM_FW_FILES_MAX)
		return false;
	manifest->count = (unsigned int)cbor_array_size(list);
	for (i = 0; i < manifest->count; i++)
		if (!decode_file(cbor_array_handle(list)[i], &manifest->files[i]))
			return false;
	return true;
}

static bool decode_keys(const cbor_item_t *list, struct spki *spki)
{
	const uint8_t *bytes;
	size_t length;
	unsigned int i;

	if (!list || !cbor_isa_array(list) || !cbor_array_size(list) ||
	    cbor_array_size(list) > HSM_FW_KEYS)
		return false;
	for (i = 0; i < cbor_array_size(list); i++) {
		if (!hsm_cbor_as_bytes(cbor_array_handle(list)[i], &bytes, &length) || !length ||
		    length > SPKI_MAX)
			return false;
		spki->bytes[i] = OPENSSL_memdup(bytes, length);
		if (!spki->bytes[i])
			return false;
		spki->length[i] = length;
		spki->count++;
	}
	return true;
}

static const char *decode(const uint8_t *payload, size_t length, struct hsm_fw_manifest *manifest,
			  struct spki *spki)
{
	cbor_item_t *map = hsm_cbor_read(payload, length);
	const char *reason = "its contents are no manifest";
	char target[HSM_FW_VERSION_MAX];
	uint64_t number;

	if (!map)
		return reason;
	if (!take_text(hsm_cbor_get(map, KEY_TARGET), target, sizeof(target)) ||
	    !take_text(hsm_cbor_get(map, KEY_VERSION), manifest->version,
		       sizeof(manifest->version)) ||
	    !hsm_cbor_as_uint(hsm_cbor_get(map, KEY_SECURITY), &number) || number > UINT32_MAX ||
	    !hsm_cbor_as_bool(hsm_cbor_get(map, KEY_DEVELOPMENT), &manifest->development) ||
	    !decode_keys(hsm_cbor_get(map, KEY_VENDOR), spki) ||
	    !decode_files(hsm_cbor_get(map, KEY_FILES), manifest) || cbor_map_size(map) != 6)
		goto out;
	manifest->security_version = (uint32_t)number;
	manifest->keys = spki->count;
	reason = strcmp(target, HSM_FW_TARGET) ? "it is for another product" : check(manifest);
out:
	cbor_decref(&map);
	return reason;
}

static bool verify_one(OSSL_LIB_CTX *libctx, const struct hsm_cose *message,
		       const struct spki *spki, unsigned int index)
{
	const uint8_t *p = spki->bytes[index];
	EVP_PKEY *key;
	bool ok;

	key = d2i_PUBKEY_ex(NULL, &p, (long)spki->length[index], libctx, NULL);
	ok = key && p == spki->bytes[index] + spki->length[index] &&
	     hsm_cose_algorithm(key) == algorithms[index] &&
	     hsm_cose_verify(message, index, libctx, key, NULL, 0) == 0;
	EVP_PKEY_free(key);
	return ok;
}

static const char *verify_signatures(OSSL_LIB_CTX *libctx, const struct hsm_cose *message,
				     const struct spki *spki, struct hsm_fw_manifest *manifest)
{
	bool both = hsm_fw_has_ml_dsa(libctx);
	unsigned int i;

	if (both && spki->count != HSM_FW_KEYS)
		return "it is not signed with ML-DSA-87";
	/* Its vendor has two keys: half of what they say is not enough, for whatever reason the rest cannot be checked. */
	if (!both && spki->count == HSM_FW_KEYS)
		return "this libcrypto has no ML-DSA to verify its second signature";
	if (hsm_cose_signatures(message) != spki->count)
		return "it has not one signature of each of the vendor's keys";
	for (i = 0; i < spki->count; i++) {
		if (hsm_cose_signer_algorithm(message, i) != algorithms[i])
			return "a signature is of another kind than it must be";
		if (!verify_one(libctx, message, spki, i))
			return i ? "its ML-DSA-87 signature is wrong"
				 : "its ES384 signature is wrong";
	}
	manifest->post_quantum = both;
	return NULL;
}

int hsm_fw_verify(OSSL_LIB_CTX *libctx, const uint8_t *message, size_t length,
		  const uint8_t *vendor, struct hsm_fw_manifest *manifest, const char **reason)
{
	struct spki spki = { 0 };
	struct hsm_cose *cose;
	const uint8_t *payload;
	size_t size;
	int ret;

	memset(manifest, 0, sizeof(*manifest));
	*reason = "it is no signed manifest";
	ret = hsm_cose_read(message, length, HSM_FW_TYPE, &cose);
	if (ret)
		return ret;
	payload = hsm_cose_payload(cose, &size);
	*reason = decode(payload, size, manifest, &spki);
	ret = *reason ? -EBADMSG : spki_hash(libctx, &spki, manifest->vendor);
	/* The keys are in the manifest itself: what makes them the vendor's is their hash alone. */
	if (!ret && vendor && CRYPTO_memcmp(vendor, manifest->vendor, HSM_FW_HASH_SIZE) != 0) {
		*reason = "it is signed by another vendor than the fuses name";
		ret = -EKEYREJECTED;
	}
	if (!ret) {
		*reason = verify_signatures(libctx, cose, &spki, manifest);
		ret = *reason ? -EBADMSG : measure(libctx, payload, size, manifest->measurement);
	}
	spki_free(&spki);
	hsm_cose_free(cose);
	return ret;
}
