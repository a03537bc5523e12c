// SPDX-License-Identifier: Apache-2.0
/*
 * Every curve and group: published signatures and shared secrets, how curves are named, and what is refused. The answers are
 * Wycheproof's, RFC 8032's and OpenSSL's.
 */
#include <openssl/objects.h>
#include "mech_testing.h"
#include "vectors_ec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const curve_names[] = {
	"secp224r1",	   "secp256r1",	      "secp384r1",	 "secp521r1",
	"secp256k1",	   "brainpoolP224r1", "brainpoolP224t1", "brainpoolP256r1",
	"brainpoolP256t1", "brainpoolP320r1", "brainpoolP320t1", "brainpoolP384r1",
	"brainpoolP384t1", "brainpoolP512r1", "brainpoolP512t1",
};

/* CKA_EC_PARAMS by name */
static size_t params_by_name(const char *name, uint8_t params[64])
{
	params[0] = 0x13;
	params[1] = (uint8_t)strlen(name);
	memcpy(params + 2, name, strlen(name));
	return 2 + strlen(name);
}

/* ... and by the OID that libcrypto has for it */
static size_t params_by_oid(const char *name, uint8_t params[64])
{
	const char *known = strcmp(name, "secp256r1") ? name : "prime256v1";
	int length = i2d_ASN1_OBJECT(OBJ_nid2obj(OBJ_sn2nid(known)), &(uint8_t *){ params });

	assert_true(length > 2);
	return (size_t)length;
}

static uint64_t type_of(const char *name)
{
	if (!strncmp(name, "edwards", 7))
		return CKK_EC_EDWARDS;
	return strncmp(name, "curve", 5) ? CKK_EC : CKK_EC_MONTGOMERY;
}

static CK_RV make_key(const char *curve, uint64_t class, const char *value, struct key **key)
{
	struct attributes attributes = { 0 };
	uint8_t params[64], bytes[256];
	size_t length = params_by_name(curve, params);
	CK_RV rv;

	set_head(&attributes, class, type_of(curve));
	attributes_set(&attributes, CKA_EC_PARAMS, params, length);
	length = from_hex(value, bytes, sizeof(bytes));
	attributes_set(&attributes, class == CKO_PUBLIC_KEY ? CKA_EC_POINT : CKA_VALUE, bytes,
		       length);
	rv = mech_import(&attributes);
	*key = rv == CKR_OK ? key_new(&attributes) : NULL;
	attributes_free(&attributes);
	return rv;
}

/* ---- published answers ---- */

/* Shorten both halves of a signature by their common leading zeros, which a verifier takes too. */
static size_t without_zeros(const uint8_t *signature, size_t length, uint8_t *out)
{
	size_t half = length / 2, skip = 0;

	while (skip < half - 1 && !signature[skip] && !signature[half + skip])
		skip++;
	memcpy(out, signature + skip, half - skip);
	memcpy(out + half - skip, signature + half + skip, half - skip);
	return 2 * (half - skip);
}

static void test_ecdsa_vectors(void **state)
{
	uint8_t message[64], signature[160], shorter[160];
	size_t length, signature_length, shorter_length;
	struct call call;
	struct key *key;

	(void)state;
	for (size_t i = 0; i < COUNT(ecdsa_vectors); i++) {
		const struct ecdsa_vector *vector = &ecdsa_vectors[i];

		assert_int_equal(make_key(vector->curve, CKO_PUBLIC_KEY, vector->point, &key),
				 CKR_OK);
		length = from_hex(vector->message, message, sizeof(message));
		signature_length = from_hex(vector->signature, signature, sizeof(signature));
		call_plain(&call, vector->mechanism);
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature,
					    signature_length),
				 CKR_OK);
		shorter_length = without_zeros(signature, signature_length, shorter);
		assert_int_equal(run_verify(&call.mechanism, key, message, length, shorter,
					    shorter_length),
				 CKR_OK);
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature,
					    signature_length - 1),
				 CKR_SIGNATURE_LEN_RANGE);
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature, 0),
				 CKR_SIGNATURE_LEN_RANGE);
		message[0] ^= 1;
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature,
					    signature_length),
				 CKR_SIGNATURE_INVALID);
		key_put(key);
	}
}

static CK_RV agree(uint64_t mechanism, uint64_t kdf, const void *shared, size_t shared_length,
		   struct key *key, const char *public_value, size_t length,
		   struct attributes *attributes)
{
	uint8_t bytes[1024];
	size_t public_length = from_hex(public_value, bytes, sizeof(bytes));
	struct call call;

	set_head(attributes, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	if (length)
		attributes_set_ulong(attributes, CKA_VALUE_LEN, length);
	call_start(&call, mechanism);
	hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC, bytes, public_length);
	if (hsm_mechanism_find(mechanism)->parameter != HSM_PARAM_PUBLIC)
		hsm_put_u64(&call.writer, HSM_FIELD_KDF, kdf);
	if (shared_length)
		hsm_put_bytes(&call.writer, HSM_FIELD_SHARED, shared, shared_length);
	return mech_derive(call_end(&call), key, attributes);
}

static void assert_value(struct attributes *attributes, const uint8_t *value, size_t length)
{
	const struct attribute *made = attributes_find(attributes, CKA_VALUE);

	assert_non_null(made);
	assert_int_equal(made->length, length);
	assert_memory_equal(made->value, value, length);
	attributes_free(attributes);
}

static void test_ecdh_vectors(void **state)
{
	static const uint64_t mechanisms[] = { CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE };
	struct attributes attributes = { 0 };
	uint8_t secret[128];
	struct key *key;
	size_t length;

	(void)state;
	for (size_t i = 0; i < COUNT(ecdh_vectors); i++) {
		const struct ecdh_vector *vector = &ecdh_vectors[i];

		assert_int_equal(make_key(vector->curve, CKO_PRIVATE_KEY, vector->private_value,
					  &key),
				 CKR_OK);
		length = from_hex(vector->secret, secret, sizeof(secret));
		for (size_t j = 0; j < COUNT(mechanisms); j++) {
			/* PKCS#11 has the cofactor for Weierstrass curves alone. */
			if (j && type_of(vector->curve) != CKK_EC) {
				assert_int_equal(agree(mechanisms[j], CKD_NULL, NULL, 0, key,
						       vector->public_value, 0, &attributes),
						 CKR_KEY_TYPE_INCONSISTENT);
				attributes_free(&attributes);
				continue;
			}
			assert_int_equal(agree(mechanisms[j], CKD_NULL, NULL, 0, key,
					       vector->public_value, 0, &attributes),
					 CKR_OK);
			assert_value(&attributes, secret, length);
		}
		key_put(key);
	}
}

/* What ANSI X9.63 and SP 800-56A, 5.8.1, say, said with the hash alone: the counter behind the secret, or before it */
static void one_step(const EVP_MD *md, bool sp800, const uint8_t *secret, size_t secret_length,
		     const char *info, uint8_t *out)
{
	static const uint8_t counter[] = { 0, 0, 0, 1 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(EVP_DigestInit_ex(ctx, md, NULL));
	if (sp800)
		EVP_DigestUpdate(ctx, counter, sizeof(counter));
	EVP_DigestUpdate(ctx, secret, secret_length);
	if (!sp800)
		EVP_DigestUpdate(ctx, counter, sizeof(counter));
	EVP_DigestUpdate(ctx, info, strlen(info));
	assert_true(EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
}

static void test_kdfs(void **state)
{
	static const struct {
		uint64_t kdf;
		uint64_t hash;
		bool sp800;
	} kdfs[] = {
		{ CKD_SHA1_KDF, CKM_SHA_1, false },
		{ CKD_SHA224_KDF, CKM_SHA224, false },
		{ CKD_SHA256_KDF, CKM_SHA256, false },
		{ CKD_SHA384_KDF, CKM_SHA384, false },
		{ CKD_SHA512_KDF, CKM_SHA512, false },
		{ CKD_SHA3_224_KDF, CKM_SHA3_224, false },
		{ CKD_SHA3_256_KDF, CKM_SHA3_256, false },
		{ CKD_SHA3_384_KDF, CKM_SHA3_384, false },
		{ CKD_SHA3_512_KDF, CKM_SHA3_512, false },
		{ CKD_SHA1_KDF_SP800, CKM_SHA_1, true },
		{ CKD_SHA224_KDF_SP800, CKM_SHA224, true },
		{ CKD_SHA256_KDF_SP800, CKM_SHA256, true },
		{ CKD_SHA384_KDF_SP800, CKM_SHA384, true },
		{ CKD_SHA512_KDF_SP800, CKM_SHA512, true },
		{ CKD_SHA3_224_KDF_SP800, CKM_SHA3_224, true },
		{ CKD_SHA3_256_KDF_SP800, CKM_SHA3_256, true },
		{ CKD_SHA3_384_KDF_SP800, CKM_SHA3_384, true },
		{ CKD_SHA3_512_KDF_SP800, CKM_SHA3_512, true },
	};
	const struct ecdh_vector *vector = &ecdh_vectors[1];
	struct attributes attributes = { 0 };
	uint8_t secret[128], wanted[EVP_MAX_MD_SIZE];
	size_t length = from_hex(vector->secret, secret, sizeof(secret));
	struct key *key;

	(void)state;
	assert_int_equal(make_key(vector->curve, CKO_PRIVATE_KEY, vector->private_value, &key),
			 CKR_OK);
	for (size_t i = 0; i < COUNT(kdfs); i++) {
		one_step(mech_hash_md(mech_hash_find(kdfs[i].hash)), kdfs[i].sp800, secret, length,
			 "info", wanted);
		assert_int_equal(agree(CKM_ECDH1_DERIVE, kdfs[i].kdf, "info", 4, key,
				       vector->public_value, 20, &attributes),
				 CKR_OK);
		assert_value(&attributes, wanted, 20);
	}
	/* A KDF that is none, info for none, and the numbers of X9.42 */
	assert_int_equal(agree(CKM_ECDH1_DERIVE, 0x7777, NULL, 0, key, vector->public_value, 20,
			       &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(agree(CKM_ECDH1_DERIVE, CKD_NULL, "info", 4, key, vector->public_value, 20,
			       &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(agree(CKM_ECDH1_DERIVE, CKD_SHA1_KDF_CONCATENATE, NULL, 0, key,
			       vector->public_value, 20, &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	attributes_free(&attributes);
	key_put(key);
}

static void test_eddsa_vectors(void **state)
{
	uint8_t context[256], message[256], signature[128], made[128];
	size_t context_length, length, signature_length, made_length;
	struct key *private_key, *public_key;
	struct call call;

	(void)state;
	for (size_t i = 0; i < COUNT(eddsa_vectors); i++) {
		const struct eddsa_vector *vector = &eddsa_vectors[i];

		assert_int_equal(make_key(vector->curve, CKO_PRIVATE_KEY, vector->private_value,
					  &private_key),
				 CKR_OK);
		assert_int_equal(make_key(vector->curve, CKO_PUBLIC_KEY, vector->public_value,
					  &public_key),
				 CKR_OK);
		context_length = from_hex(vector->context, context, sizeof(context));
		length = from_hex(vector->message, message, sizeof(message));
		signature_length = from_hex(vector->signature, signature, sizeof(signature));
		call_start(&call, CKM_EDDSA);
		hsm_put_u64(&call.writer, HSM_FIELD_PREHASH, vector->prehash);
		hsm_put_bytes(&call.writer, HSM_FIELD_CONTEXT, context, context_length);
		call_end(&call);
		made_length = sizeof(made);
		if (run(MECH_SIGN, &call.mechanism, private_key, message, length, made,
			&made_length) == CKR_OK) {
			assert_int_equal(made_length, signature_length);
			assert_memory_equal(made, signature, made_length);
			assert_int_equal(run_verify(&call.mechanism, public_key, message, length,
						    signature, signature_length),
					 CKR_OK);
		} else {
			print_message("# not in this libcrypto: %s with context or prehash\n",
				      vector->curve);
		}
		key_put(private_key);
		key_put(public_key);
	}
}

static void dh_domain(uint64_t type, uint64_t bits, struct attributes *attributes)
{
	struct call call;

	attributes_set_ulong(attributes, CKA_PRIME_BITS, bits);
	call_plain(&call, type == CKK_DH ? CKM_DH_PKCS_PARAMETER_GEN : CKM_X9_42_DH_PARAMETER_GEN);
	assert_int_equal(mech_generate_key(&call.mechanism, attributes), CKR_OK);
	attributes_remove(attributes, CKA_PRIME_BITS);
	attributes_remove(attributes, CKA_SUBPRIME_BITS);
}

static struct key *dh_private(uint64_t type, const struct dh_vector *vector)
{
	struct attributes attributes = { 0 };
	uint8_t value[64];
	struct key *key;

	dh_domain(type, vector->bits, &attributes);
	set_head(&attributes, CKO_PRIVATE_KEY, type);
	attributes_set(&attributes, CKA_VALUE, value,
		       from_hex(vector->private_value, value, sizeof(value)));
	assert_int_equal(mech_import(&attributes), CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	return key;
}

static void test_dh_vectors(void **state)
{
	struct attributes attributes = { 0 };
	uint8_t secret[512], wanted[EVP_MAX_MD_SIZE];
	struct key *dh, *x9_42;
	size_t length;

	(void)state;
	for (size_t i = 0; i < COUNT(dh_vectors); i++) {
		const struct dh_vector *vector = &dh_vectors[i];

		dh = dh_private(CKK_DH, vector);
		x9_42 = dh_private(CKK_X9_42_DH, vector);
		length = from_hex(vector->secret, secret, sizeof(secret));
		assert_int_equal(length, vector->bits / 8);
		assert_int_equal(agree(CKM_DH_PKCS_DERIVE, 0, NULL, 0, dh, vector->public_value, 0,
				       &attributes),
				 CKR_OK);
		assert_value(&attributes, secret, length);
		assert_int_equal(agree(CKM_X9_42_DH_DERIVE, CKD_NULL, NULL, 0, x9_42,
				       vector->public_value, 32, &attributes),
				 CKR_OK);
		assert_value(&attributes, secret + length - 32, 32);
		one_step(EVP_sha1(), false, secret, length, "info", wanted);
		assert_int_equal(agree(CKM_X9_42_DH_DERIVE, CKD_SHA1_KDF_CONCATENATE, "info", 4,
				       x9_42, vector->public_value, 20, &attributes),
				 CKR_OK);
		assert_value(&attributes, wanted, 20);
		assert_int_equal(agree(CKM_X9_42_DH_DERIVE, CKD_SHA1_KDF_ASN1, "info", 4, x9_42,
				       vector->public_value, 20, &attributes),
				 CKR_MECHANISM_PARAM_INVALID);
		attributes_free(&attributes);
		key_put(dh);
		key_put(x9_42);
	}
}

/* ---- how curves are named ---- */

static void try_params(const uint8_t *params, size_t length, size_t signature_length)
{
	uint8_t signature[160];
	size_t made = sizeof(signature);
	struct call call;
	struct pair pair;

	assert_int_equal(pair_generate(&pair, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS, params,
				       length),
			 CKR_OK);
	/* Both halves name the curve as the template did. */
	assert_memory_equal(attributes_find(&pair.private_attributes, CKA_EC_PARAMS)->value, params,
			    length);
	call_plain(&call, CKM_ECDSA_SHA256);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, pair.private_key, "m", 1, signature,
			     &made),
			 CKR_OK);
	assert_int_equal(made, signature_length);
	assert_int_equal(run_verify(&call.mechanism, pair.public_key, "m", 1, signature, made),
			 CKR_OK);
	pair_free(&pair);
}

static void test_names(void **state)
{
	static const uint8_t sizes[] = { 56, 64, 96, 132, 64, 56,  56, 64,
					 64, 80, 80, 96,  96, 128, 128 };
	uint8_t params[64] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(curve_names); i++) {
		try_params(params, params_by_name(curve_names[i], params), sizes[i]);
		try_params(params, params_by_oid(curve_names[i], params), sizes[i]);
	}
	try_params(params, params_by_name("prime256v1", params), 64);
}

static CK_RV generate_on(const void *params, size_t length)
{
	struct pair pair;
	CK_RV rv = pair_generate(&pair, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS, params, length);

	pair_free(&pair);
	return rv;
}

/* Generate and import answer alike. */
static CK_RV params_answer(const void *params, size_t length)
{
	const struct ecdh_vector *vector = &ecdh_vectors[1];
	struct attributes attributes = { 0 };
	uint8_t value[64];
	CK_RV rv = generate_on(params, length);

	set_head(&attributes, CKO_PRIVATE_KEY, CKK_EC);
	attributes_set(&attributes, CKA_EC_PARAMS, params, length);
	attributes_set(&attributes, CKA_VALUE, value,
		       from_hex(vector->private_value, value, sizeof(value)));
	assert_int_equal(mech_import(&attributes), rv);
	attributes_free(&attributes);
	return rv;
}

static void test_unknown_names(void **state)
{
	static const uint8_t implicit[] = { 0x05, 0x00 };
	static const uint8_t explicit_params[] = { 0x30, 0x03, 0x02, 0x01, 0x01 };
	static const uint8_t trailing[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x00 };
	uint8_t params[64] = { 0 };

	(void)state;
	assert_int_equal(params_answer(params, params_by_name("secp192r1", params)),
			 CKR_CURVE_NOT_SUPPORTED);
	assert_int_equal(params_answer(params, params_by_oid("secp160r1", params)),
			 CKR_CURVE_NOT_SUPPORTED);
	assert_int_equal(params_answer(params, params_by_oid("sect283k1", params)),
			 CKR_CURVE_NOT_SUPPORTED);
	assert_int_equal(params_answer(ed25519_oid, sizeof(ed25519_oid)), CKR_CURVE_NOT_SUPPORTED);
	assert_int_equal(params_answer(implicit, sizeof(implicit)), CKR_DOMAIN_PARAMS_INVALID);
	assert_int_equal(params_answer(explicit_params, sizeof(explicit_params)),
			 CKR_DOMAIN_PARAMS_INVALID);
	assert_int_equal(params_answer(trailing, sizeof(trailing)), CKR_DOMAIN_PARAMS_INVALID);
	assert_int_equal(params_answer("", 0), CKR_DOMAIN_PARAMS_INVALID);
}

/* ---- groups ---- */

static CK_RV dh_generate_with(const struct attributes *domain, uint64_t value_bits)
{
	struct attributes public_key = { 0 }, private_key = { 0 };
	struct call call;
	CK_RV rv;

	attributes_copy(&public_key, domain);
	if (value_bits)
		attributes_set_ulong(&private_key, CKA_VALUE_BITS, value_bits);
	call_plain(&call, CKM_DH_PKCS_KEY_PAIR_GEN);
	rv = mech_generate_pair(&call.mechanism, &public_key, &private_key);
	if (rv == CKR_OK && value_bits)
		assert_true(attributes_find(&private_key, CKA_VALUE)->length <=
			    (value_bits + 7) / 8);
	attributes_free(&public_key);
	attributes_free(&private_key);
	return rv;
}

/* A prime that nobody has published, or a base that is not the group's, is refused: at generate, import and as a peer. */
static void test_unknown_groups(void **state)
{
	struct attributes domain = { 0 };
	uint8_t prime[256], base[] = { 5 };

	(void)state;
	dh_domain(CKK_DH, 2048, &domain);
	assert_int_equal(dh_generate_with(&domain, 0), CKR_OK);
	assert_int_equal(dh_generate_with(&domain, 256), CKR_OK);
	assert_int_equal(dh_generate_with(&domain, 160), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(dh_generate_with(&domain, 2048), CKR_ATTRIBUTE_VALUE_INVALID);
	memcpy(prime, attributes_find(&domain, CKA_PRIME)->value, sizeof(prime));
	attributes_set(&domain, CKA_BASE, base, sizeof(base));
	assert_int_equal(dh_generate_with(&domain, 0), CKR_DOMAIN_PARAMS_INVALID);
	base[0] = 2;
	attributes_set(&domain, CKA_BASE, base, sizeof(base));
	assert_int_equal(dh_generate_with(&domain, 0), CKR_OK);
	prime[100] ^= 2;
	attributes_set(&domain, CKA_PRIME, prime, sizeof(prime));
	assert_int_equal(dh_generate_with(&domain, 0), CKR_DOMAIN_PARAMS_INVALID);
	set_head(&domain, CKO_PRIVATE_KEY, CKK_DH);
	attributes_set(&domain, CKA_VALUE, prime, 32);
	assert_int_equal(mech_import(&domain), CKR_DOMAIN_PARAMS_INVALID);
	attributes_remove(&domain, CKA_PRIME);
	assert_int_equal(mech_import(&domain), CKR_TEMPLATE_INCOMPLETE);
	attributes_free(&domain);
}

static void test_group_sizes(void **state)
{
	static const uint64_t bits[] = { 2048, 3072, 4096 };
	struct attributes domain = { 0 };
	struct call call;

	(void)state;
	for (size_t i = 0; i < COUNT(bits); i++) {
		dh_domain(CKK_DH, bits[i], &domain);
		assert_int_equal(attributes_find(&domain, CKA_PRIME)->length, bits[i] / 8);
		attributes_free(&domain);
	}
	call_plain(&call, CKM_DH_PKCS_PARAMETER_GEN);
	assert_int_equal(mech_generate_key(&call.mechanism, &domain), CKR_TEMPLATE_INCOMPLETE);
	attributes_set_ulong(&domain, CKA_PRIME_BITS, 1536);
	assert_int_equal(mech_generate_key(&call.mechanism, &domain), CKR_ATTRIBUTE_VALUE_INVALID);
	/* RFC 5114, 2.3: a subprime of 256 bits */
	call_plain(&call, CKM_X9_42_DH_PARAMETER_GEN);
	attributes_set_ulong(&domain, CKA_PRIME_BITS, 2048);
	attributes_set_ulong(&domain, CKA_SUBPRIME_BITS, 256);
	assert_int_equal(mech_generate_key(&call.mechanism, &domain), CKR_OK);
	assert_int_equal(attributes_find(&domain, CKA_SUBPRIME)->length, 32);
	/* That group is none of PKCS#3, which knows no subprime. */
	assert_int_equal(dh_generate_with(&domain, 0), CKR_DOMAIN_PARAMS_INVALID);
	attributes_set_ulong(&domain, CKA_SUBPRIME_BITS, 160);
	assert_int_equal(mech_generate_key(&call.mechanism, &domain), CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&domain);
}

/* Values that are no elements of the large subgroup: 0, 1, p - 1, p, and one outside of the subgroup of RFC 5114 */
static void test_peers_outside_the_group(void **state)
{
	struct attributes attributes = { 0 };
	struct pair dh, x9_42;
	uint8_t value[257];
	char hex[2 * sizeof(value) + 1];

	(void)state;
	assert_int_equal(pair_dh(&dh, CKK_DH, 2048), CKR_OK);
	assert_int_equal(agree(CKM_DH_PKCS_DERIVE, 0, NULL, 0, dh.private_key, "00", 32,
			       &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(agree(CKM_DH_PKCS_DERIVE, 0, NULL, 0, dh.private_key, "01", 32,
			       &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	memcpy(value, attributes_find(&dh.public_attributes, CKA_PRIME)->value, 256);
	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < 256; j++)
			snprintf(hex + 2 * j, 3, "%02x", value[j]);
		assert_int_equal(agree(CKM_DH_PKCS_DERIVE, 0, NULL, 0, dh.private_key, hex, 32,
				       &attributes),
				 CKR_MECHANISM_PARAM_INVALID);
		value[255]--;
	}
	assert_int_equal(agree(CKM_DH_PKCS_DERIVE, 0, NULL, 0, dh.private_key, "", 32, &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	pair_free(&dh);
	memset(&x9_42, 0, sizeof(x9_42));
	attributes_set_ulong(&x9_42.public_attributes, CKA_PRIME_BITS, 2048);
	attributes_set_ulong(&x9_42.public_attributes, CKA_SUBPRIME_BITS, 224);
	assert_int_equal(
		mech_generate_key(call_plain(&(struct call){ 0 }, CKM_X9_42_DH_PARAMETER_GEN),
				  &x9_42.public_attributes),
		CKR_OK);
	attributes_remove(&x9_42.public_attributes, CKA_PRIME_BITS);
	attributes_remove(&x9_42.public_attributes, CKA_SUBPRIME_BITS);
	set_head(&x9_42.public_attributes, CKO_PUBLIC_KEY, CKK_X9_42_DH);
	set_head(&x9_42.private_attributes, CKO_PRIVATE_KEY, CKK_X9_42_DH);
	assert_int_equal(
		mech_generate_pair(call_plain(&(struct call){ 0 }, CKM_X9_42_DH_KEY_PAIR_GEN),
				   &x9_42.public_attributes, &x9_42.private_attributes),
		CKR_OK);
	x9_42.private_key = key_new(&x9_42.private_attributes);
	assert_int_equal(agree(CKM_X9_42_DH_DERIVE, CKD_NULL, NULL, 0, x9_42.private_key, "02", 32,
			       &attributes),
			 CKR_MECHANISM_PARAM_INVALID);
	attributes_free(&attributes);
	pair_free(&x9_42);
}

/* ---- encapsulation by agreement ---- */

/* What comes in must be of the curve; a public value beside the ciphertext has no meaning. */
static void test_encapsulation(void **state)
{
	struct attributes made = { 0 }, got = { 0 };
	uint8_t ciphertext[256];
	size_t length = sizeof(ciphertext);
	struct call call;
	struct pair pair;

	(void)state;
	assert_int_equal(pair_p256(&pair), CKR_OK);
	call_start(&call, CKM_ECDH1_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, CKD_SHA256_KDF);
	hsm_put_bytes(&call.writer, HSM_FIELD_SHARED, "info", 4);
	call_end(&call);
	set_head(&made, CKO_SECRET_KEY, CKK_AES);
	set_head(&got, CKO_SECRET_KEY, CKK_AES);
	attributes_set_ulong(&made, CKA_VALUE_LEN, 32);
	attributes_set_ulong(&got, CKA_VALUE_LEN, 32);
	assert_int_equal(mech_encapsulate(&call.mechanism, pair.public_key, ciphertext, &length,
					  &made),
			 CKR_OK);
	assert_int_equal(length, 65);
	assert_int_equal(ciphertext[0], 4);
	assert_int_equal(mech_decapsulate(&call.mechanism, pair.private_key, ciphertext, length,
					  &got),
			 CKR_OK);
	assert_value(&got, attributes_find(&made, CKA_VALUE)->value, 32);
	ciphertext[64] ^= 1;
	assert_int_equal(mech_decapsulate(&call.mechanism, pair.private_key, ciphertext, length,
					  &got),
			 CKR_ENCRYPTED_DATA_INVALID);
	assert_int_equal(mech_decapsulate(&call.mechanism, pair.private_key, ciphertext, 0, &got),
			 CKR_ENCRYPTED_DATA_INVALID);
	call_start(&call, CKM_ECDH1_DERIVE);
	hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC, ciphertext, 65);
	assert_int_equal(mech_encapsulate(call_end(&call), pair.public_key, ciphertext, &length,
					  &made),
			 CKR_MECHANISM_PARAM_INVALID);
	attributes_free(&made);
	attributes_free(&got);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ecdsa_vectors),
		cmocka_unit_test(test_ecdh_vectors),
		cmocka_unit_test(test_kdfs),
		cmocka_unit_test(test_eddsa_vectors),
		cmocka_unit_test(test_dh_vectors),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_unknown_groups),
		cmocka_unit_test(test_group_sizes),
		cmocka_unit_test(test_peers_outside_the_group),
		cmocka_unit_test(test_encapsulation),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
