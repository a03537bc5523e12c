// SPDX-License-Identifier: Apache-2.0
/*
 * TLS 1.2: master secrets, key blocks, exporters (RFC 5705) and the Finished MAC, all by libcrypto's TLS1-PRF with a hash
 * that the parameters name. The older function of TLS 1.0 and 1.1 is not offered.
 */
#include <string.h>
#include "mech_private.h"

#define MASTER_LENGTH	 48
#define MAC_LENGTH_LEAST 12
#define SEEDS_MAX	 5 /* label, two randoms, length of the context, the context */

/* The function's seed is all of its input after the secret: the label comes first. */
static CK_RV tls_prf(const struct mechanism *mechanism, const uint8_t *secret, size_t secret_length,
		     const struct mech_part *seed, size_t seeds, uint8_t *out, size_t length)
{
	const struct mech_hash *hash =
		mech_hash_find(hsm_fields_u64(mechanism->fields, HSM_FIELD_PRF, UINT64_MAX));
	OSSL_PARAM params[SEEDS_MAX + 3];
	unsigned int n = 0;

	if (!hash)
		return CKR_MECHANISM_PARAM_INVALID;
	params[n++] =
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)secret,
							secret_length);
	for (size_t i = 0; i < seeds; i++) {
		if (seed[i].length)
			params[n++] = OSSL_PARAM_construct_octet_string(
				OSSL_KDF_PARAM_SEED, (void *)seed[i].data, seed[i].length);
	}
	params[n] = OSSL_PARAM_construct_end();
	return mech_kdf_run("TLS1-PRF", params, out, length);
}

static struct mech_part label(const char *text)
{
	return (struct mech_part){ (const uint8_t *)text, strlen(text) };
}

/* libcrypto takes 1 KiB of seed at most. */
static bool seed_fits(const struct mech_part *seed, size_t seeds)
{
	size_t total = 0;

	for (size_t i = 0; i < seeds; i++)
		total += seed[i].length;
	return total <= 1024;
}

/* ---- master secrets ---- */

/* PKCS#11: what a master secret may be used for follows from the mechanism that makes it. */
static CK_RV allow_mechanisms(struct attributes *key)
{
	static const uint64_t allowed[] = {
		CKM_TLS12_KEY_AND_MAC_DERIVE,
		CKM_TLS12_KEY_SAFE_DERIVE,
		CKM_TLS_KDF,
		CKM_TLS_MAC,
		CKM_TLS12_KDF,
		CKM_TLS12_MAC,
	};
	const struct attribute *given = attributes_find(key, CKA_ALLOWED_MECHANISMS);
	uint64_t list[sizeof(allowed) / sizeof(allowed[0])] = { 0 };
	size_t i, k, n = sizeof(allowed) / sizeof(allowed[0]);

	for (i = 0; given && i < given->length / 8; i++) {
		for (k = 0; k < n && allowed[k] != hsm_get_le64(given->value + 8 * i); k++)
			;
		if (k == n)
			return CKR_TEMPLATE_INCONSISTENT;
	}
	if (given && given->length)
		return CKR_OK;
	for (i = 0; i < n; i++)
		list[i] = htole64(allowed[i]);
	return attributes_set(key, CKA_ALLOWED_MECHANISMS, list, sizeof(list));
}

static bool is_dh(const struct mechanism *mechanism)
{
	return mechanism->info->mechanism == CKM_TLS12_MASTER_KEY_DERIVE_DH ||
	       mechanism->info->mechanism == CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH;
}

/*
 * The first two bytes of an RSA premaster secret are the client's version, and PKCS#11 hands them out. Given only when
 * they are a version, so that this does not tell two bytes of some other key.
 */
static void take_version(const struct mechanism *mechanism, struct key *base,
			 struct mech_derived *derived)
{
	const uint8_t *value = base->value->value;

	if (!is_dh(mechanism) && value[0] == 3 && value[1] <= 3)
		memcpy(derived->version, value, sizeof(derived->version));
}

static CK_RV derive_master(const struct mechanism *mechanism, struct key *base,
			   struct mech_derived *derived)
{
	bool extended = mechanism->info->parameter == HSM_PARAM_TLS12_EXTENDED;
	struct mech_part seed[] = {
		label(extended ? "extended master secret" : "master secret"),
		mech_field(mechanism, HSM_FIELD_SEED),
		mech_field(mechanism, HSM_FIELD_OTHER_SEED),
	};
	uint8_t out[MASTER_LENGTH];
	size_t length;
	CK_RV rv = mech_secret_length(&derived->keys[0], &length);

	if (rv != CKR_OK)
		return rv;
	if (attributes_ulong(&derived->keys[0], CKA_KEY_TYPE, CKK_GENERIC_SECRET) !=
		    CKK_GENERIC_SECRET ||
	    (length && length != MASTER_LENGTH))
		return CKR_TEMPLATE_INCONSISTENT;
	if (!seed[1].length || !seed_fits(seed, 3))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = tls_prf(mechanism, base->value->value, base->value->length, seed, 3, out, sizeof(out));
	if (rv == CKR_OK)
		rv = mech_secret_leading(&derived->keys[0], out, sizeof(out));
	if (rv == CKR_OK)
		rv = allow_mechanisms(&derived->keys[0]);
	if (rv == CKR_OK)
		take_version(mechanism, base, derived);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

/* ---- key blocks ---- */

/* A length in bits as bytes; -1: none that can be */
static int bytes_of(const struct mechanism *mechanism, enum hsm_field_tag tag, size_t least,
		    size_t most)
{
	uint64_t bits = hsm_fields_u64(mechanism->fields, tag, 0);

	if (!bits)
		return 0;
	if (bits % 8 || bits / 8 < least || bits / 8 > most)
		return -1;
	return (int)(bits / 8);
}

static int mac_bytes(const struct mechanism *mechanism)
{
	return bytes_of(mechanism, HSM_FIELD_MAC_BITS, MECH_DERIVED_MIN, EVP_MAX_MD_SIZE);
}

static int key_bytes(const struct mechanism *mechanism)
{
	return bytes_of(mechanism, HSM_FIELD_KEY_BITS, MECH_DERIVED_MIN, 64);
}

static int iv_bytes(const struct mechanism *mechanism)
{
	if (mechanism->info->mechanism == CKM_TLS12_KEY_SAFE_DERIVE)
		return 0;
	return bytes_of(mechanism, HSM_FIELD_IV_BITS, 1, MECH_TLS_IV_MAX);
}

CK_RV mech_tls_keys(const struct mechanism *mechanism, struct mech_tls_keys *keys)
{
	int mac = mac_bytes(mechanism), key = key_bytes(mechanism), iv = iv_bytes(mechanism);

	if (mac < 0 || key < 0 || iv < 0 || !(mac + key) || (iv && !key))
		return CKR_MECHANISM_PARAM_INVALID;
	keys->mac = mac;
	keys->key = key;
	return CKR_OK;
}

/* Client's and server's, of one length; @at is moved on */
static CK_RV deal_pair(struct mech_derived *derived, unsigned int *next, const uint8_t **at,
		       int length)
{
	CK_RV rv = CKR_OK;

	for (int i = 0; i < 2 && length && rv == CKR_OK; i++) {
		struct attributes *key = &derived->keys[(*next)++];
		size_t asked;

		rv = mech_secret_length(key, &asked);
		if (rv == CKR_OK && asked && asked != (size_t)length)
			rv = CKR_TEMPLATE_INCONSISTENT;
		if (rv == CKR_OK)
			rv = mech_secret_leading(key, *at, (size_t)length);
		*at += length;
	}
	return rv;
}

static CK_RV derive_block(const struct mechanism *mechanism, struct key *base,
			  struct mech_derived *derived)
{
	struct mech_part seed[] = {
		label("key expansion"),
		mech_field(mechanism, HSM_FIELD_OTHER_SEED),
		mech_field(mechanism, HSM_FIELD_SEED),
	};
	uint8_t block[2 * (EVP_MAX_MD_SIZE + 64 + MECH_TLS_IV_MAX)];
	int mac = mac_bytes(mechanism), key = key_bytes(mechanism), iv = iv_bytes(mechanism);
	const uint8_t *at = block;
	struct mech_tls_keys wanted;
	unsigned int next = 0;
	CK_RV rv = mech_tls_keys(mechanism, &wanted);

	if (rv != CKR_OK)
		return rv;
	if (derived->count != 2U * (wanted.mac + wanted.key) || !seed[1].length ||
	    !seed[2].length || !seed_fits(seed, 3))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = tls_prf(mechanism, base->value->value, base->value->length, seed, 3, block,
		     2 * (size_t)(mac + key + iv));
	if (rv == CKR_OK)
		rv = deal_pair(derived, &next, &at, mac);
	if (rv == CKR_OK)
		rv = deal_pair(derived, &next, &at, key);
	if (rv == CKR_OK) {
		derived->iv_length = 2 * (size_t)iv;
		memcpy(derived->iv, at, derived->iv_length);
	}
	OPENSSL_cleanse(block, sizeof(block));
	return rv;
}

/* ---- exporters ---- */

static CK_RV derive_export(const struct mechanism *mechanism, struct key *base,
			   struct mech_derived *derived)
{
	struct mech_part context = mech_field(mechanism, HSM_FIELD_INFO);
	uint8_t length_bytes[2] = { (uint8_t)(context.length >> 8), (uint8_t)context.length };
	bool with = hsm_fields_find(mechanism->fields, HSM_FIELD_INFO);
	struct mech_part seed[] = {
		mech_field(mechanism, HSM_FIELD_PRF_LABEL),
		mech_field(mechanism, HSM_FIELD_SEED),
		mech_field(mechanism, HSM_FIELD_OTHER_SEED),
		{ length_bytes, with ? sizeof(length_bytes) : 0 },
		context,
	};
	uint8_t out[MECH_DERIVED_MAX];
	size_t length;
	CK_RV rv = mech_derived_length(&derived->keys[0], 0, &length);

	if (rv != CKR_OK)
		return rv;
	if (!seed[0].length || context.length > UINT16_MAX || !seed_fits(seed, SEEDS_MAX))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = tls_prf(mechanism, base->value->value, base->value->length, seed, SEEDS_MAX, out,
		     length);
	if (rv == CKR_OK)
		rv = mech_secret_leading(&derived->keys[0], out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

CK_RV mech_derive_tls(const struct mechanism *mechanism, struct key *base,
		      struct mech_derived *derived)
{
	switch (mechanism->info->parameter) {
	case HSM_PARAM_TLS12_KEYS:
		return derive_block(mechanism, base, derived);
	case HSM_PARAM_TLS_KDF:
		return derive_export(mechanism, base, derived);
	default:
		return derive_master(mechanism, base, derived);
	}
}

/* ---- Finished: the data is the hash of the handshake ---- */

enum {
	SERVER_FINISHED = 1,
	CLIENT_FINISHED = 2
};

static CK_RV tls_mac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t length = hsm_fields_u64(mechanism->fields, HSM_FIELD_LENGTH, 0);
	uint64_t side = hsm_fields_u64(mechanism->fields, HSM_FIELD_NUMBER, 0);

	operation->params.hash =
		mech_hash_find(hsm_fields_u64(mechanism->fields, HSM_FIELD_PRF, UINT64_MAX));
	if (!operation->params.hash || length < MAC_LENGTH_LEAST || length > EVP_MAX_MD_SIZE ||
	    (side != SERVER_FINISHED && side != CLIENT_FINISHED))
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.length = (uint32_t)length;
	operation->form = (uint8_t)side;
	return CKR_OK;
}

static CK_RV tls_mac_compute(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     uint8_t mac[EVP_MAX_MD_SIZE])
{
	const struct attribute *secret = operation->key->value;
	const char *name = operation->form == SERVER_FINISHED ? "server finished"
							      : "client finished";
	OSSL_PARAM params[5];

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						     (char *)operation->params.hash->name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)secret->value,
						      secret->length);
	params[2] =
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)name, strlen(name));
	params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)in, in_length);
	params[4] = OSSL_PARAM_construct_end();
	return mech_kdf_run("TLS1-PRF", params, mac, operation->params.length);
}

static CK_RV tls_mac_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    uint8_t *out, size_t *out_length)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	CK_RV rv = tls_mac_compute(operation, in, in_length, mac);

	if (rv == CKR_OK) {
		memcpy(out, mac, operation->params.length);
		*out_length = operation->params.length;
	}
	OPENSSL_cleanse(mac, sizeof(mac));
	return rv;
}

static CK_RV tls_mac_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    const uint8_t *signature, size_t length)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	CK_RV rv;

	if (length != operation->params.length)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = tls_mac_compute(operation, in, in_length, mac);
	if (rv == CKR_OK && CRYPTO_memcmp(mac, signature, length))
		rv = CKR_SIGNATURE_INVALID;
	OPENSSL_cleanse(mac, sizeof(mac));
	return rv;
}

static size_t tls_mac_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_SIGN ? operation->params.length : 0;
}

const struct mech_ops mech_tls_mac_ops = {
	.begin = tls_mac_begin,
	.finish = tls_mac_finish,
	.verify = tls_mac_verify,
	.size = tls_mac_size,
	.hold_max = 512,
	.exact = true,
};
