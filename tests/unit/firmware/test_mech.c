// SPDX-License-Identifier: Apache-2.0
/*
 * Every row of the table of mechanisms does what its flags say: a loop over the rows, so that a new one is tried without a
 * line here, or the loop fails because it has no key for it.
 */
#include "mech_testing.h"

#define MESSAGE_LENGTH 80

static struct {
	struct pair rsa, p256, p384, p521, ed25519, ed448, x25519, ml_dsa, ml_kem, slh_dsa, dh,
		x9_42;
	struct key *aes;
	struct key *secret;
	struct key *master;
	struct key *other[8]; /* of the key types that have a cipher or a MAC of their own */
} keys;

static uint8_t message[MESSAGE_LENGTH];

static const struct {
	uint64_t type;
	uint64_t mechanism;
	size_t length;
} other_types[] = {
	{ CKK_AES_XTS, CKM_AES_XTS_KEY_GEN, 64 },   { CKK_CAMELLIA, CKM_CAMELLIA_KEY_GEN, 24 },
	{ CKK_ARIA, CKM_ARIA_KEY_GEN, 32 },	    { CKK_DES2, CKM_DES2_KEY_GEN, 16 },
	{ CKK_DES3, CKM_DES3_KEY_GEN, 24 },	    { CKK_CHACHA20, CKM_CHACHA20_KEY_GEN, 32 },
	{ CKK_POLY1305, CKM_POLY1305_KEY_GEN, 32 },
};

static struct key *generated_key(uint64_t mechanism, uint64_t type, size_t length)
{
	struct attributes attributes = { 0 };
	struct call call;
	struct key *key;

	set_head(&attributes, CKO_SECRET_KEY, type);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, length);
	assert_int_equal(mech_generate_key(call_plain(&call, mechanism), &attributes), CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	return key;
}

static int start(void **state)
{
	static const uint8_t bytes[32] = "a secret key of thirty-two bytes";
	uint64_t set = htole64(2);

	if (library_start(state))
		return -1;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	assert_int_equal(pair_rsa(&keys.rsa, 2048), CKR_OK);
	assert_int_equal(pair_p256(&keys.p256), CKR_OK);
	assert_int_equal(pair_generate(&keys.p384, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS,
				       p384_oid, sizeof(p384_oid)),
			 CKR_OK);
	assert_int_equal(pair_generate(&keys.p521, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS,
				       p521_oid, sizeof(p521_oid)),
			 CKR_OK);
	assert_int_equal(pair_generate(&keys.ed25519, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS,
				       CKA_EC_PARAMS, ed25519_oid, sizeof(ed25519_oid)),
			 CKR_OK);
	assert_int_equal(pair_generate(&keys.ed448, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS,
				       CKA_EC_PARAMS, ed448_name, sizeof(ed448_name) - 1),
			 CKR_OK);
	assert_int_equal(pair_generate(&keys.x25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
				       CKK_EC_MONTGOMERY, CKA_EC_PARAMS, x25519_name,
				       sizeof(x25519_name) - 1),
			 CKR_OK);
	if (mech_available(hsm_mechanism_find(CKM_ML_DSA)))
		assert_int_equal(pair_generate(&keys.ml_dsa, CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA,
					       CKA_PARAMETER_SET, &set, sizeof(set)),
				 CKR_OK);
	if (mech_available(hsm_mechanism_find(CKM_ML_KEM)))
		assert_int_equal(pair_generate(&keys.ml_kem, CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM,
					       CKA_PARAMETER_SET, &set, sizeof(set)),
				 CKR_OK);
	set = htole64(CKP_SLH_DSA_SHA2_128F);
	if (mech_available(hsm_mechanism_find(CKM_SLH_DSA)))
		assert_int_equal(pair_generate(&keys.slh_dsa, CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA,
					       CKA_PARAMETER_SET, &set, sizeof(set)),
				 CKR_OK);
	assert_int_equal(pair_dh(&keys.dh, CKK_DH, 2048), CKR_OK);
	assert_int_equal(pair_dh(&keys.x9_42, CKK_X9_42_DH, 2048), CKR_OK);
	keys.aes = secret_key(CKK_AES, bytes, 32);
	keys.secret = secret_key(CKK_GENERIC_SECRET, bytes, 32);
	keys.master = secret_key(CKK_GENERIC_SECRET, message, 48);
	for (size_t i = 0; i < sizeof(other_types) / sizeof(other_types[0]); i++)
		keys.other[i] = generated_key(other_types[i].mechanism, other_types[i].type,
					      other_types[i].length);
	return 0;
}

static int stop(void **state)
{
	struct pair *pairs[] = { &keys.rsa,	&keys.p256,    &keys.p384,   &keys.p521,
				 &keys.ed25519, &keys.ed448,   &keys.x25519, &keys.ml_dsa,
				 &keys.ml_kem,	&keys.slh_dsa, &keys.dh,     &keys.x9_42 };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		pair_free(pairs[i]);
	key_put(keys.aes);
	key_put(keys.secret);
	key_put(keys.master);
	for (size_t i = 0; i < sizeof(keys.other) / sizeof(keys.other[0]); i++)
		key_put(keys.other[i]);
	return library_stop(state);
}

/* ---- parameters and keys for a row ---- */

static const struct mech_hash *hash_for(const struct hsm_mechanism_info *info)
{
	const struct mech_hash *hash = mech_hash_of_row(info);

	return hash ? hash : mech_hash_find(CKM_SHA256);
}

static const struct mechanism *parameters(struct call *call, const struct hsm_mechanism_info *info)
{
	struct hsm_writer *w = &call->writer;

	call_start(call, info->mechanism);
	switch (info->parameter) {
	case HSM_PARAM_IV:
		hsm_put_bytes(w, HSM_FIELD_IV, message, info->key_type == CKK_DES3 ? 8 : 16);
		break;
	case HSM_PARAM_CHACHA20:
	case HSM_PARAM_CTR:
		hsm_put_bytes(w, HSM_FIELD_IV, message, 16);
		hsm_put_u64(w, HSM_FIELD_COUNTER_BITS, 32);
		break;
	case HSM_PARAM_CCM:
		hsm_put_u64(w, HSM_FIELD_LENGTH, MESSAGE_LENGTH);
		/* fall through */
	case HSM_PARAM_GCM:
		hsm_put_bytes(w, HSM_FIELD_IV, message, 12);
		if (info->family == MECH_FAMILY_AEAD)
			hsm_put_bytes(w, HSM_FIELD_AAD, message, 20);
		hsm_put_u64(w, HSM_FIELD_TAG_BITS, 128);
		break;
	case HSM_PARAM_NONCE_AAD:
		hsm_put_bytes(w, HSM_FIELD_IV, message, 12);
		hsm_put_bytes(w, HSM_FIELD_AAD, message, 20);
		break;
	case HSM_PARAM_PSS:
		hsm_put_u64(w, HSM_FIELD_HASH, hash_for(info)->mechanism);
		hsm_put_u64(w, HSM_FIELD_MGF, hash_for(info)->mgf);
		hsm_put_u64(w, HSM_FIELD_SALT_LENGTH, 20);
		break;
	case HSM_PARAM_ECDH_AES:
		hsm_put_u64(w, HSM_FIELD_AES_BITS, 256);
		hsm_put_u64(w, HSM_FIELD_KDF, CKD_SHA256_KDF);
		hsm_put_bytes(w, HSM_FIELD_SHARED, message, 11);
		break;
	case HSM_PARAM_RSA_AES:
		hsm_put_u64(w, HSM_FIELD_AES_BITS, 256);
		/* fall through */
	case HSM_PARAM_OAEP:
		hsm_put_u64(w, HSM_FIELD_HASH, CKM_SHA256);
		hsm_put_u64(w, HSM_FIELD_MGF, CKG_MGF1_SHA256);
		hsm_put_bytes(w, HSM_FIELD_SOURCE, message, 9);
		break;
	case HSM_PARAM_HASH_SIGN_CONTEXT:
		hsm_put_u64(w, HSM_FIELD_HASH, CKM_SHA256);
		/* fall through */
	case HSM_PARAM_SIGN_CONTEXT:
		hsm_put_bytes(w, HSM_FIELD_CONTEXT, message, 7);
		break;
	case HSM_PARAM_TLS_MAC:
		hsm_put_u64(w, HSM_FIELD_PRF, CKM_SHA256);
		hsm_put_u64(w, HSM_FIELD_NUMBER, 1);
		hsm_put_u64(w, HSM_FIELD_LENGTH, 12);
		break;
	case HSM_PARAM_MAC_LENGTH:
		hsm_put_u64(w, HSM_FIELD_LENGTH, info->key_type == CKK_DES3 ? 6 : 10);
		break;
	default:
		break;
	}
	return call_end(call);
}

static struct pair *pair_for(const struct hsm_mechanism_info *info)
{
	switch (info->key_type) {
	case CKK_RSA:
		return &keys.rsa;
	case CKK_EC:
		return &keys.p256;
	case CKK_EC_EDWARDS:
		return &keys.ed25519;
	case CKK_EC_MONTGOMERY:
		return &keys.x25519;
	case CKK_ML_DSA:
		return &keys.ml_dsa;
	case CKK_ML_KEM:
		return &keys.ml_kem;
	case CKK_SLH_DSA:
		return &keys.slh_dsa;
	case CKK_DH:
		return &keys.dh;
	case CKK_X9_42_DH:
		return &keys.x9_42;
	default:
		return NULL;
	}
}

static struct key *key_for(const struct hsm_mechanism_info *info, bool private_half)
{
	struct pair *pair = pair_for(info);

	if (pair)
		return private_half ? pair->private_key : pair->public_key;
	if (info->key_type == CKK_AES)
		return keys.aes;
	if (info->family == MECH_FAMILY_TLS_MAC)
		return keys.master;
	for (size_t i = 0; i < sizeof(other_types) / sizeof(other_types[0]); i++) {
		if (other_types[i].type == info->key_type)
			return keys.other[i];
	}
	assert_true(info->key_type == CKK_GENERIC_SECRET || info->key_type == CKK_HKDF);
	return keys.secret;
}

/* Input that the row takes: mechanisms that sign a hash made elsewhere want one of the right length */
static size_t input_length(const struct hsm_mechanism_info *info)
{
	if (info->mechanism == CKM_RSA_PKCS_PSS || info->mechanism == CKM_ECDSA ||
	    info->mechanism == CKM_HASH_ML_DSA || info->mechanism == CKM_HASH_SLH_DSA)
		return 32;
	return MESSAGE_LENGTH;
}

/* ---- what is tried ---- */

static void try_sign(const struct hsm_mechanism_info *info)
{
	uint8_t signature[MECH_SIGNATURE_MAX], parts[MECH_SIGNATURE_MAX];
	size_t length = sizeof(signature), parts_length = sizeof(parts), in = input_length(info);
	struct key *private_key = key_for(info, true), *public_key = key_for(info, false);
	struct mech_operation *operation;
	struct call call;
	const struct mechanism *mechanism = parameters(&call, info);

	/* Twice: the second time with what the first has prepared */
	for (int i = 0; i < 2; i++) {
		length = 0;
		assert_int_equal(mech_begin(&operation, MECH_SIGN, mechanism, private_key), CKR_OK);
		assert_int_equal(mech_single(operation, message, in, signature, &length),
				 CKR_BUFFER_TOO_SMALL);
		assert_int_equal(length, mech_output_size(operation, in));
		assert_int_equal(mech_single(operation, message, in, signature, &length), CKR_OK);
		mech_free(operation);
		assert_int_equal(run_verify(mechanism, public_key, message, in, signature, length),
				 CKR_OK);
		message[3] ^= 1;
		assert_int_equal(run_verify(mechanism, public_key, message, in, signature, length),
				 CKR_SIGNATURE_INVALID);
		message[3] ^= 1;
		signature[length / 2] ^= 1;
		assert_int_equal(run_verify(mechanism, public_key, message, in, signature, length),
				 CKR_SIGNATURE_INVALID);
		signature[length / 2] ^= 1;
		assert_int_equal(run_verify(mechanism, public_key, message, in, signature,
					    length - 1),
				 CKR_SIGNATURE_LEN_RANGE);
	}
	assert_int_equal(mech_begin(&operation, MECH_SIGN, mechanism, private_key), CKR_OK);
	assert_int_equal(mech_update(operation, message, 7, NULL, NULL), CKR_OK);
	assert_int_equal(mech_update(operation, message + 7, in - 7, NULL, NULL), CKR_OK);
	assert_int_equal(mech_final(operation, parts, &parts_length), CKR_OK);
	mech_free(operation);
	assert_int_equal(mech_begin(&operation, MECH_VERIFY, mechanism, public_key), CKR_OK);
	assert_int_equal(mech_update(operation, message, in - 1, NULL, NULL), CKR_OK);
	assert_int_equal(mech_update(operation, message + in - 1, 1, NULL, NULL), CKR_OK);
	assert_int_equal(mech_verify_final(operation, parts, parts_length), CKR_OK);
	mech_free(operation);
}

static void try_encrypt(const struct hsm_mechanism_info *info)
{
	uint8_t cipher[1024], plain[1024], parts[1024];
	size_t length, plain_length, n;
	struct key *private_key = key_for(info, true), *public_key = key_for(info, false);
	struct mech_operation *operation;
	struct call call;
	const struct mechanism *mechanism = parameters(&call, info);

	for (int i = 0; i < 2; i++) {
		length = sizeof(cipher);
		assert_int_equal(run(MECH_ENCRYPT, mechanism, public_key, message, MESSAGE_LENGTH,
				     cipher, &length),
				 CKR_OK);
		if (!(mech_flags(info) & CKF_DECRYPT))
			return;
		plain_length = sizeof(plain);
		assert_int_equal(run(MECH_DECRYPT, mechanism, private_key, cipher, length, plain,
				     &plain_length),
				 CKR_OK);
		assert_int_equal(plain_length, MESSAGE_LENGTH);
		assert_memory_equal(plain, message, MESSAGE_LENGTH);
		/* Room for exactly what comes out, and for one byte less */
		assert_int_equal(run(MECH_DECRYPT, mechanism, private_key, cipher, length, plain,
				     &plain_length),
				 CKR_OK);
		plain_length--;
		assert_int_equal(mech_begin(&operation, MECH_DECRYPT, mechanism, private_key),
				 CKR_OK);
		assert_int_equal(mech_single(operation, cipher, length, plain, &plain_length),
				 CKR_BUFFER_TOO_SMALL);
		assert_true(plain_length >= MESSAGE_LENGTH);
		assert_int_equal(mech_single(operation, cipher, length, plain, &plain_length),
				 CKR_OK);
		assert_int_equal(plain_length, MESSAGE_LENGTH);
		assert_memory_equal(plain, message, MESSAGE_LENGTH);
		mech_free(operation);
	}
	/* The ciphertext from above in uneven parts */
	assert_int_equal(mech_begin(&operation, MECH_DECRYPT, mechanism, private_key), CKR_OK);
	plain_length = 0;
	for (size_t at = 0; at < length; at += 23) {
		n = sizeof(parts) - plain_length;
		assert_int_equal(mech_update(operation, cipher + at,
					     at + 23 > length ? length - at : 23,
					     parts + plain_length, &n),
				 CKR_OK);
		plain_length += n;
	}
	n = sizeof(parts) - plain_length;
	assert_int_equal(mech_final(operation, parts + plain_length, &n), CKR_OK);
	assert_int_equal(plain_length + n, MESSAGE_LENGTH);
	assert_memory_equal(parts, message, MESSAGE_LENGTH);
	mech_free(operation);
}

static void try_wrap(const struct hsm_mechanism_info *info)
{
	uint8_t wrapped[512];
	size_t length = sizeof(wrapped);
	struct attributes attributes = { 0 };
	struct call call;
	const struct mechanism *mechanism;

	if (info->parameter == HSM_PARAM_CCM) {
		call_start(&call, info->mechanism);
		hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 32);
		hsm_put_bytes(&call.writer, HSM_FIELD_IV, message, 12);
		hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 128);
		mechanism = call_end(&call);
	} else {
		mechanism = parameters(&call, info);
	}
	assert_int_equal(mech_wrap(mechanism, key_for(info, false), keys.secret, wrapped, &length),
			 CKR_OK);
	if (!(mech_flags(info) & CKF_UNWRAP))
		return;
	set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
	assert_int_equal(mech_unwrap(mechanism, key_for(info, true), wrapped, length, &attributes),
			 CKR_OK);
	assert_int_equal(attributes_find(&attributes, CKA_VALUE)->length, 32);
	assert_memory_equal(attributes_find(&attributes, CKA_VALUE)->value,
			    keys.secret->value->value, 32);
	assert_int_equal(attributes_ulong(&attributes, CKA_VALUE_LEN, 0), 32);
	attributes_free(&attributes);
	set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
	wrapped[length - 1] ^= 1;
	/* PKCS#1 v1.5 answers a fault with a made-up key, whose length seldom fits. */
	if (info->mechanism != CKM_RSA_PKCS)
		assert_int_equal(mech_unwrap(mechanism, key_for(info, true), wrapped, length,
					     &attributes),
				 CKR_WRAPPED_KEY_INVALID);
	attributes_free(&attributes);
}

static void try_digest(const struct hsm_mechanism_info *info)
{
	uint8_t one[EVP_MAX_MD_SIZE], two[EVP_MAX_MD_SIZE];
	size_t length = sizeof(one), length2 = sizeof(two);
	struct mech_operation *operation;
	struct call call;
	const struct mechanism *mechanism = parameters(&call, info);

	assert_int_equal(run(MECH_DIGEST, mechanism, NULL, keys.secret->value->value, 32, one,
			     &length),
			 CKR_OK);
	assert_int_equal(mech_begin(&operation, MECH_DIGEST, mechanism, NULL), CKR_OK);
	assert_int_equal(mech_digest_key(operation, keys.rsa.public_key), CKR_KEY_INDIGESTIBLE);
	assert_int_equal(mech_digest_key(operation, keys.secret), CKR_OK);
	assert_int_equal(mech_final(operation, two, &length2), CKR_OK);
	mech_free(operation);
	assert_int_equal(length, length2);
	assert_memory_equal(one, two, length);
}

static void try_generate(const struct hsm_mechanism_info *info)
{
	size_t fixed = mech_secret_fixed(info->key_type), length = fixed ? fixed : 32;
	struct attributes attributes = { 0 };
	struct call call;

	set_head(&attributes, CKO_SECRET_KEY, info->key_type);
	assert_int_equal(mech_generate_key(call_plain(&call, info->mechanism), &attributes),
			 fixed ? CKR_OK : CKR_TEMPLATE_INCOMPLETE);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, info->max + 1);
	assert_int_equal(mech_generate_key(&call.mechanism, &attributes),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_remove(&attributes, CKA_CHECK_VALUE);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, length);
	assert_int_equal(mech_generate_key(&call.mechanism, &attributes), CKR_OK);
	assert_int_equal(attributes_find(&attributes, CKA_VALUE)->length, length);
	assert_int_equal(attributes_find(&attributes, CKA_CHECK_VALUE)->length, 3);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	attributes_free(&attributes);
}

static void derive_ecdh(struct pair *one, struct pair *two, uint64_t kdf)
{
	struct attributes a = { 0 }, b = { 0 };
	const struct attribute *point;
	struct call call;

	set_head(&a, CKO_SECRET_KEY, CKK_AES);
	set_head(&b, CKO_SECRET_KEY, CKK_AES);
	attributes_set_ulong(&a, CKA_VALUE_LEN, 32);
	attributes_set_ulong(&b, CKA_VALUE_LEN, 32);
	call_start(&call, CKM_ECDH1_DERIVE);
	point = attributes_find(&two->public_attributes, CKA_EC_POINT);
	hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC, point->value, point->length);
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, kdf);
	assert_int_equal(mech_derive(call_end(&call), one->private_key, &a), CKR_OK);
	call_start(&call, CKM_ECDH1_DERIVE);
	point = attributes_find(&one->public_attributes, CKA_EC_POINT);
	/* Raw where the other way round it was DER */
	if (one->private_key->type == CKK_EC)
		hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC,
			      point->value + 2 + (point->value[1] == 0x81),
			      point->length - 2 - (point->value[1] == 0x81));
	else
		hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC, point->value, point->length);
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, kdf);
	assert_int_equal(mech_derive(call_end(&call), two->private_key, &b), CKR_OK);
	assert_memory_equal(attributes_find(&a, CKA_VALUE)->value,
			    attributes_find(&b, CKA_VALUE)->value, 32);
	attributes_free(&a);
	attributes_free(&b);
}

static void try_ecdh(void)
{
	static const uint64_t kdfs[] = { CKD_NULL,	   CKD_SHA1_KDF,	CKD_SHA256_KDF,
					 CKD_SHA384_KDF,   CKD_SHA512_KDF,	CKD_SHA3_256_KDF,
					 CKD_SHA3_512_KDF, CKD_SHA256_KDF_SP800 };
	struct pair other;

	for (size_t i = 0; i < sizeof(kdfs) / sizeof(kdfs[0]); i++) {
		assert_int_equal(pair_p256(&other), CKR_OK);
		derive_ecdh(&keys.p256, &other, kdfs[i]);
		pair_free(&other);
	}
	assert_int_equal(pair_generate(&other, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS, p521_oid,
				       sizeof(p521_oid)),
			 CKR_OK);
	derive_ecdh(&keys.p521, &other, CKD_NULL);
	pair_free(&other);
	assert_int_equal(pair_generate(&other, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY,
				       CKA_EC_PARAMS, x25519_name, sizeof(x25519_name) - 1),
			 CKR_OK);
	derive_ecdh(&keys.x25519, &other, CKD_SHA256_KDF);
	pair_free(&other);
}

/* HKDF's values are in test_mech_vectors.c; here: with and without a length */
static void try_hkdf(void)
{
	struct attributes a = { 0 };
	struct call call;

	call_start(&call, CKM_HKDF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_EXTRACT, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA384);
	call_end(&call);
	set_head(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_int_equal(mech_derive(&call.mechanism, keys.secret, &a), CKR_OK);
	assert_int_equal(attributes_find(&a, CKA_VALUE)->length, 48);
	attributes_set_ulong(&a, CKA_VALUE_LEN, MECH_DERIVED_MIN - 1);
	assert_int_equal(mech_derive(&call.mechanism, keys.secret, &a),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&a);
}

static void try_kem(const struct hsm_mechanism_info *info)
{
	uint8_t ciphertext[2048];
	size_t length = 10, needed;
	struct attributes a = { 0 }, b = { 0 };
	struct call call;
	const struct mechanism *mechanism = call_plain(&call, info->mechanism);
	struct key *public_key = key_for(info, false), *private_key = key_for(info, true);

	set_head(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	set_head(&b, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_int_equal(mech_encapsulate(mechanism, public_key, ciphertext, &length, &a),
			 CKR_BUFFER_TOO_SMALL);
	needed = length;
	assert_int_equal(mech_encapsulate(mechanism, public_key, ciphertext, &length, &a), CKR_OK);
	assert_int_equal(length, needed);
	assert_int_equal(mech_decapsulate(mechanism, private_key, ciphertext, length, &b), CKR_OK);
	assert_true(attributes_find(&a, CKA_VALUE)->length >= 32);
	assert_int_equal(attributes_find(&a, CKA_VALUE)->length,
			 attributes_find(&b, CKA_VALUE)->length);
	assert_memory_equal(attributes_find(&a, CKA_VALUE)->value,
			    attributes_find(&b, CKA_VALUE)->value,
			    attributes_find(&b, CKA_VALUE)->length);
	assert_int_equal(mech_decapsulate(mechanism, public_key, ciphertext, length, &b),
			 CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(mech_encapsulate(mechanism, private_key, ciphertext, &length, &a),
			 CKR_KEY_TYPE_INCONSISTENT);
	attributes_free(&a);
	attributes_free(&b);
}

/* ---- the loop ---- */

static void test_every_row(void **state)
{
	const struct hsm_mechanism_info *info;
	unsigned int tried = 0;
	uint64_t flags;

	(void)state;
	for (size_t i = 0; (info = hsm_mechanism_at(i)); i++) {
		flags = mech_flags(info);
		if (!mech_available(info)) {
			print_message("# not in this libcrypto: %s\n", info->name);
			assert_int_equal(flags, 0);
			continue;
		}
		print_message("# %s\n", info->name);
		/* One-time passwords sign no data: test_mech_otp.c */
		if ((flags & CKF_SIGN) && info->family != MECH_FAMILY_OTP)
			try_sign(info);
		/* What comes out without padding is longer than what went in: test_mech_rsa.c */
		if ((flags & CKF_ENCRYPT) && info->family != MECH_FAMILY_RSA_RAW)
			try_encrypt(info);
		if (flags & CKF_WRAP)
			try_wrap(info);
		if (flags & CKF_DIGEST)
			try_digest(info);
		/* Passwords: test_mech_derive.c */
		if ((flags & CKF_GENERATE) && info->family != MECH_FAMILY_DH_PARAMETERS &&
		    info->family != MECH_FAMILY_PBKDF2)
			try_generate(info);
		if (info->family == MECH_FAMILY_ECDH)
			try_ecdh();
		if (info->family == MECH_FAMILY_HKDF)
			try_hkdf();
		if (flags & CKF_ENCAPSULATE)
			try_kem(info);
		tried++;
	}
	assert_true(tried > 60);
}

/* Curves and sizes beside the ones that the loop uses */
static void sign_with(struct pair *pair, uint64_t mechanism, size_t signature_length)
{
	uint8_t signature[MECH_SIGNATURE_MAX];
	size_t length = sizeof(signature);
	struct call call;

	call_plain(&call, mechanism);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, pair->private_key, message, 32, signature,
			     &length),
			 CKR_OK);
	assert_int_equal(length, signature_length);
	assert_int_equal(run_verify(&call.mechanism, pair->public_key, message, 32, signature,
				    length),
			 CKR_OK);
}

static void test_curves(void **state)
{
	(void)state;
	sign_with(&keys.p384, CKM_ECDSA, 96);
	sign_with(&keys.p384, CKM_ECDSA_SHA384, 96);
	sign_with(&keys.p521, CKM_ECDSA, 132);
	sign_with(&keys.p521, CKM_ECDSA_SHA512, 132);
	sign_with(&keys.ed25519, CKM_EDDSA, 64);
	sign_with(&keys.ed448, CKM_EDDSA, 114);
}

static void test_parameter_sets(void **state)
{
	static const uint16_t sizes[] = { 2420, 3309, 4627 };
	struct pair pair;
	uint64_t set;

	(void)state;
	if (!mech_available(hsm_mechanism_find(CKM_ML_DSA)))
		skip();
	for (uint64_t i = 1; i <= 3; i++) {
		set = htole64(i);
		assert_int_equal(pair_generate(&pair, CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA,
					       CKA_PARAMETER_SET, &set, sizeof(set)),
				 CKR_OK);
		sign_with(&pair, CKM_ML_DSA, sizes[i - 1]);
		assert_int_equal(attributes_find(&pair.private_attributes, CKA_SEED)->length, 32);
		pair_free(&pair);
	}
	set = htole64(4);
	assert_int_equal(pair_generate(&pair, CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA,
				       CKA_PARAMETER_SET, &set, sizeof(set)),
			 CKR_PARAMETER_SET_NOT_SUPPORTED);
	pair_free(&pair);
}

/* ---- private keys travel as PKCS#8 ---- */

static void travel(struct pair *pair, uint64_t sign)
{
	uint8_t wrapped[8192];
	size_t length = sizeof(wrapped);
	struct attributes attributes = { 0 };
	struct pair again = *pair;
	struct call call;
	const struct mechanism *mechanism = call_plain(&call, CKM_AES_KEY_WRAP_KWP);

	assert_int_equal(mech_wrap(mechanism, keys.aes, pair->private_key, wrapped, &length),
			 CKR_OK);
	set_head(&attributes, CKO_PRIVATE_KEY, pair->private_key->type);
	assert_int_equal(mech_unwrap(mechanism, keys.aes, wrapped, length, &attributes), CKR_OK);
	assert_non_null(attributes_find(&attributes, CKA_PUBLIC_KEY_INFO));
	again.private_key = key_new(&attributes);
	assert_non_null(again.private_key);
	if (sign)
		sign_with(&again, sign,
			  mech_hash_find(CKM_SHA256) && pair->private_key->type == CKK_RSA ? 256
			  : pair->private_key->type == CKK_ML_DSA			   ? 3309
											   : 64);
	key_put(again.private_key);
	attributes_free(&attributes);
	/* Another type than what is inside */
	set_head(&attributes, CKO_PRIVATE_KEY,
		 pair->private_key->type == CKK_RSA ? CKK_EC : CKK_RSA);
	assert_int_equal(mech_unwrap(mechanism, keys.aes, wrapped, length, &attributes),
			 CKR_WRAPPED_KEY_INVALID);
	attributes_free(&attributes);
}

static void test_private_keys_travel(void **state)
{
	(void)state;
	travel(&keys.rsa, CKM_SHA256_RSA_PKCS);
	travel(&keys.p256, CKM_ECDSA);
	travel(&keys.ed25519, CKM_EDDSA);
	travel(&keys.x25519, 0);
	if (keys.ml_dsa.private_key)
		travel(&keys.ml_dsa, CKM_ML_DSA);
	if (keys.ml_kem.private_key)
		travel(&keys.ml_kem, 0);
	if (keys.slh_dsa.private_key)
		travel(&keys.slh_dsa, 0);
	travel(&keys.dh, 0);
	travel(&keys.x9_42, 0);
}

/* What was generated can also be imported, and gives the same public key. */
static void import_again(struct pair *pair)
{
	struct attributes attributes = { 0 };
	const struct attribute *info =
		attributes_find(&pair->private_attributes, CKA_PUBLIC_KEY_INFO);

	assert_int_equal(attributes_copy(&attributes, &pair->private_attributes), CKR_OK);
	attributes_remove(&attributes, CKA_PUBLIC_KEY_INFO);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	assert_memory_equal(attributes_find(&attributes, CKA_PUBLIC_KEY_INFO)->value, info->value,
			    info->length);
	attributes_free(&attributes);
	assert_int_equal(attributes_copy(&attributes, &pair->public_attributes), CKR_OK);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	attributes_free(&attributes);
}

static void test_import(void **state)
{
	(void)state;
	import_again(&keys.rsa);
	import_again(&keys.p256);
	import_again(&keys.p521);
	import_again(&keys.ed25519);
	import_again(&keys.ed448);
	import_again(&keys.x25519);
	if (keys.ml_dsa.private_key)
		import_again(&keys.ml_dsa);
	if (keys.ml_kem.private_key)
		import_again(&keys.ml_kem);
	if (keys.slh_dsa.private_key)
		import_again(&keys.slh_dsa);
	import_again(&keys.dh);
	import_again(&keys.x9_42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),      cmocka_unit_test(test_curves),
		cmocka_unit_test(test_parameter_sets), cmocka_unit_test(test_private_keys_travel),
		cmocka_unit_test(test_import),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
