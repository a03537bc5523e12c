// SPDX-License-Identifier: Apache-2.0
/*
 * The table of attributes: which there are, whose they are, who sets them and when. A new attribute is a new row, a
 * new key type a row of key_types[]; nothing else knows which ones there are. PKCS#11 3.2, section 4; where
 * the standard leaves a choice Documentation/policy.rst says which one was taken and why.
 */
#include "attribute_table.h"

#define RULE(type, kind, classes, keys, flags, fallback) \
	{ type, KIND_##kind, D_##fallback, classes, keys, flags, 0 }
#define USAGE(name, classes, flags) \
	{ CKA_##name, KIND_BOOL, D_USAGE, classes, K_ANY, F_NEW | F_CHANGE | (flags), CKF_##name }

/* By subject. A type may have several rows, for different classes or key types. */
static const struct rule rules[] = {
	/* storage */
	RULE(CKA_CLASS, ULONG, C_ALL, K_ANY, F_NEW | F_NEED, NONE),
	RULE(CKA_TOKEN, BOOL, C_ALL, K_ANY, F_NEW | F_COPY, FALSE),
	RULE(CKA_PRIVATE, BOOL, C_ALL, K_ANY, F_NEW | F_COPY | F_UP, OWN),
	RULE(CKA_MODIFIABLE, BOOL, C_ALL, K_ANY, F_NEW | F_COPY | F_DOWN, TRUE),
	RULE(CKA_COPYABLE, BOOL, C_ALL, K_ANY, F_NEW | F_CHANGE | F_DOWN, TRUE),
	RULE(CKA_DESTROYABLE, BOOL, C_ALL, K_ANY, F_NEW | F_CHANGE | F_DOWN, TRUE),
	RULE(CKA_LABEL, BYTES, C_ALL, K_ANY, F_NEW | F_CHANGE, EMPTY),
	RULE(CKA_UNIQUE_ID, BYTES, C_ALL, K_ANY, 0, NONE),

	/* data */
	RULE(CKA_APPLICATION, BYTES, C_DATA, K_ANY, F_C | F_CHANGE, EMPTY),
	RULE(CKA_OBJECT_ID, BYTES, C_DATA, K_ANY, F_C | F_CHANGE, EMPTY),
	RULE(CKA_VALUE, BYTES, C_DATA, K_ANY, F_C | F_CHANGE, EMPTY),

	/* certificates (X.509) */
	RULE(CKA_CERTIFICATE_TYPE, ULONG, C_CERT, K_ANY, F_C | F_NEED, NONE),
	RULE(CKA_CERTIFICATE_CATEGORY, ULONG, C_CERT, K_ANY, F_C, ZERO),
	RULE(CKA_VALUE, BYTES, C_CERT, K_ANY, F_C | F_NEED, NONE),
	RULE(CKA_ISSUER, BYTES, C_CERT, K_ANY, F_C | F_CHANGE, EMPTY),
	RULE(CKA_SERIAL_NUMBER, BYTES, C_CERT, K_ANY, F_C | F_CHANGE, EMPTY),
	RULE(CKA_URL, BYTES, C_CERT, K_ANY, F_C, EMPTY),
	RULE(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, BYTES, C_CERT, K_ANY, F_C, EMPTY),
	RULE(CKA_HASH_OF_ISSUER_PUBLIC_KEY, BYTES, C_CERT, K_ANY, F_C, EMPTY),
	RULE(CKA_JAVA_MIDP_SECURITY_DOMAIN, ULONG, C_CERT, K_ANY, F_C, ZERO),
	RULE(CKA_NAME_HASH_ALGORITHM, ULONG, C_CERT, K_ANY, F_C, NONE),

	/* common to certificates and keys */
	RULE(CKA_SUBJECT, BYTES, C_CERT | C_PAIR, K_ANY, F_NEW | F_CHANGE, EMPTY),
	RULE(CKA_ID, BYTES, C_CERT | C_KEYS, K_ANY, F_NEW | F_CHANGE, EMPTY),
	RULE(CKA_START_DATE, DATE, C_CERT | C_KEYS, K_ANY, F_NEW | F_CHANGE, EMPTY),
	RULE(CKA_END_DATE, DATE, C_CERT | C_KEYS, K_ANY, F_NEW | F_CHANGE, EMPTY),
	RULE(CKA_PUBLIC_KEY_INFO, BYTES, C_CERT | C_PAIR, K_ANY, F_C | F_U, NONE),
	RULE(CKA_CHECK_VALUE, BYTES, C_CERT | C_SYMMETRIC, K_ANY, F_NEW, NONE),
	RULE(CKA_TRUSTED, BOOL, C_CERT | C_OPEN, K_ANY, F_NEW | F_CHANGE | F_SO, FALSE),

	/* keys */
	RULE(CKA_KEY_TYPE, ULONG, C_TYPED, K_ANY, F_NEW | F_NEED, NONE),
	RULE(CKA_LOCAL, BOOL, C_TYPED, K_ANY, 0, NONE),
	RULE(CKA_KEY_GEN_MECHANISM, ULONG, C_KEYS, K_ANY, 0, NONE),
	RULE(CKA_ALLOWED_MECHANISMS, LIST, C_KEYS, K_ANY, F_NEW, NONE),
	RULE(CKA_DERIVE, BOOL, C_KEYS, K_ANY, F_NEW | F_CHANGE, FALSE),
	RULE(CKA_SENSITIVE, BOOL, C_OWN, K_ANY, F_NEW | F_CHANGE | F_UP, TRUE),
	RULE(CKA_EXTRACTABLE, BOOL, C_OWN, K_ANY, F_NEW | F_CHANGE | F_DOWN, FALSE),
	RULE(CKA_ALWAYS_SENSITIVE, BOOL, C_OWN, K_ANY, 0, NONE),
	RULE(CKA_NEVER_EXTRACTABLE, BOOL, C_OWN, K_ANY, 0, NONE),
	RULE(CKA_WRAP_WITH_TRUSTED, BOOL, C_OWN, K_ANY, F_NEW | F_CHANGE | F_UP, FALSE),
	RULE(CKA_ALWAYS_AUTHENTICATE, BOOL, C_PRIVATE, K_ANY, F_NEW | F_COPY | F_UP, FALSE),
	USAGE(ENCRYPT, C_OPEN, F_STRICT_DOWN),
	USAGE(DECRYPT, C_OWN, F_STRICT_DOWN),
	USAGE(SIGN, C_OWN, 0),
	USAGE(VERIFY, C_OPEN, 0),
	RULE(CKA_SIGN_RECOVER, BOOL, C_PRIVATE, K_ANY, F_NEW | F_CHANGE, FALSE),
	RULE(CKA_VERIFY_RECOVER, BOOL, C_PUBLIC, K_ANY, F_NEW | F_CHANGE, FALSE),
	RULE(CKA_WRAP, BOOL, C_OPEN, K_ANY, F_NEW | F_CHANGE | F_STRICT_DOWN, FALSE),
	RULE(CKA_UNWRAP, BOOL, C_OWN, K_ANY, F_NEW | F_CHANGE | F_STRICT_DOWN, FALSE),
	USAGE(ENCAPSULATE, C_PUBLIC, 0),
	USAGE(DECAPSULATE, C_PRIVATE, 0),
	RULE(CKA_WRAP_TEMPLATE, TEMPLATE, C_OPEN, K_ANY, F_NEW, NONE),
	RULE(CKA_UNWRAP_TEMPLATE, TEMPLATE, C_OWN, K_ANY, F_NEW, NONE),
	RULE(CKA_DERIVE_TEMPLATE, TEMPLATE, C_OWN, K_ANY, F_NEW, NONE),
	RULE(CKA_ENCAPSULATE_TEMPLATE, TEMPLATE, C_PUBLIC, K_ANY, F_NEW, NONE),
	RULE(CKA_DECAPSULATE_TEMPLATE, TEMPLATE, C_PRIVATE, K_ANY, F_NEW, NONE),

	/* RSA */
	RULE(CKA_MODULUS, BYTES, C_PAIR, K_RSA, F_C | F_NEED, NONE),
	RULE(CKA_MODULUS_BITS, ULONG, C_PUBLIC, K_RSA, F_G, NONE),
	RULE(CKA_PUBLIC_EXPONENT, BYTES, C_PUBLIC, K_RSA, F_C | F_G | F_NEED, NONE),
	RULE(CKA_PUBLIC_EXPONENT, BYTES, C_PRIVATE, K_RSA, F_C, NONE),
	RULE(CKA_PRIVATE_EXPONENT, BYTES, C_PRIVATE, K_RSA, F_C | F_NEED | F_SECRET, NONE),
	RULE(CKA_PRIME_1, BYTES, C_PRIVATE, K_RSA, F_C | F_SECRET, NONE),
	RULE(CKA_PRIME_2, BYTES, C_PRIVATE, K_RSA, F_C | F_SECRET, NONE),
	RULE(CKA_EXPONENT_1, BYTES, C_PRIVATE, K_RSA, F_C | F_SECRET, NONE),
	RULE(CKA_EXPONENT_2, BYTES, C_PRIVATE, K_RSA, F_C | F_SECRET, NONE),
	RULE(CKA_COEFFICIENT, BYTES, C_PRIVATE, K_RSA, F_C | F_SECRET, NONE),

	/* elliptic curves */
	RULE(CKA_EC_PARAMS, BYTES, C_PUBLIC, K_EC, F_C | F_G | F_NEED, NONE),
	RULE(CKA_EC_PARAMS, BYTES, C_PRIVATE, K_EC, F_C | F_G | F_NEED, NONE),
	RULE(CKA_EC_POINT, BYTES, C_PUBLIC, K_EC, F_C | F_NEED, NONE),
	RULE(CKA_EC_POINT, BYTES, C_PRIVATE, K_EC, F_C, NONE),
	RULE(CKA_VALUE, BYTES, C_PRIVATE, K_EC, F_C | F_NEED | F_SECRET, NONE),

	/* ML-DSA, ML-KEM and SLH-DSA; the private key of the first two is given by value or by seed, which mech_import() decides */
	RULE(CKA_PARAMETER_SET, ULONG, C_PAIR, K_SET, F_C | F_G | F_NEED, NONE),
	RULE(CKA_VALUE, BYTES, C_PUBLIC, K_SET, F_C | F_NEED, NONE),
	RULE(CKA_VALUE, BYTES, C_PRIVATE, K_ML, F_C | F_SECRET, NONE),
	RULE(CKA_SEED, BYTES, C_PRIVATE, K_ML, F_C | F_SECRET, NONE),
	RULE(CKA_VALUE, BYTES, C_PRIVATE, K_SLH, F_C | F_NEED | F_SECRET, NONE),

	/* Diffie-Hellman; the private half of a pair takes the group from the public one */
	RULE(CKA_PRIME, BYTES, C_PUBLIC | C_DOMAIN, K_FIELD, F_C | F_G | F_NEED, NONE),
	RULE(CKA_PRIME, BYTES, C_PRIVATE, K_FIELD, F_C | F_NEED, NONE),
	RULE(CKA_BASE, BYTES, C_PUBLIC | C_DOMAIN, K_FIELD, F_C | F_G | F_NEED, NONE),
	RULE(CKA_BASE, BYTES, C_PRIVATE, K_FIELD, F_C | F_NEED, NONE),
	RULE(CKA_SUBPRIME, BYTES, C_PUBLIC | C_DOMAIN, K_X9_42, F_C | F_G | F_NEED, NONE),
	RULE(CKA_SUBPRIME, BYTES, C_PRIVATE, K_X9_42, F_C | F_NEED, NONE),
	RULE(CKA_PRIME_BITS, ULONG, C_DOMAIN, K_FIELD, F_G, NONE),
	RULE(CKA_SUBPRIME_BITS, ULONG, C_DOMAIN, K_X9_42, F_G, NONE),
	RULE(CKA_VALUE, BYTES, C_PUBLIC, K_FIELD, F_C | F_NEED, NONE),
	RULE(CKA_VALUE, BYTES, C_PRIVATE, K_FIELD, F_C | F_NEED | F_SECRET, NONE),
	RULE(CKA_VALUE_BITS, ULONG, C_PRIVATE, K_DH, F_G, NONE),

	/* secret keys */
	RULE(CKA_VALUE, BYTES, C_SYMMETRIC, K_ANY, F_C | F_NEED | F_SECRET, NONE),
	RULE(CKA_VALUE_LEN, ULONG, C_SYMMETRIC, K_ANY, F_G | F_U | F_D, NONE),
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

/*
 * Key types. Keys of @type are used with mechanisms whose rows name @row as their key type; the mechanism's family may
 * take further types (mech.c).
 */
static const struct {
	uint64_t type;
	int group;
	uint64_t row;
} key_types[] = {
	{ CKK_RSA, K_RSA, CKK_RSA },
	{ CKK_EC, K_EC, CKK_EC },
	{ CKK_EC_EDWARDS, K_EC, CKK_EC_EDWARDS },
	{ CKK_EC_MONTGOMERY, K_EC, CKK_EC_MONTGOMERY },
	{ CKK_DH, K_DH, CKK_DH },
	{ CKK_X9_42_DH, K_X9_42, CKK_X9_42_DH },
	{ CKK_ML_DSA, K_ML, CKK_ML_DSA },
	{ CKK_ML_KEM, K_ML, CKK_ML_KEM },
	{ CKK_SLH_DSA, K_SLH, CKK_SLH_DSA },
	{ CKK_AES, K_SYMMETRIC, CKK_AES },
	{ CKK_AES_XTS, K_SYMMETRIC, CKK_AES_XTS },
	{ CKK_CAMELLIA, K_SYMMETRIC, CKK_CAMELLIA },
	{ CKK_ARIA, K_SYMMETRIC, CKK_ARIA },
	{ CKK_DES2, K_SYMMETRIC, CKK_DES2 },
	{ CKK_DES3, K_SYMMETRIC, CKK_DES3 },
	{ CKK_CHACHA20, K_SYMMETRIC, CKK_CHACHA20 },
	{ CKK_POLY1305, K_SYMMETRIC, CKK_POLY1305 },
	{ CKK_GENERIC_SECRET, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_HKDF, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA_1_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA224_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA256_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA384_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA512_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA512_224_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA512_256_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA512_T_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA3_224_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA3_256_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA3_384_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_SHA3_512_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_BLAKE2B_160_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_BLAKE2B_256_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_BLAKE2B_384_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_BLAKE2B_512_HMAC, K_SYMMETRIC, CKK_GENERIC_SECRET },
	{ CKK_HOTP, K_OTP, CKK_HOTP },
};

#define KEY_TYPES (sizeof(key_types) / sizeof(key_types[0]))

const struct rule *rule_at(size_t index)
{
	return index < RULES ? &rules[index] : NULL;
}

unsigned int class_bit(uint64_t class)
{
	switch (class) {
	case CKO_DATA:
		return C_DATA;
	case CKO_CERTIFICATE:
		return C_CERT;
	case CKO_PUBLIC_KEY:
		return C_PUBLIC;
	case CKO_PRIVATE_KEY:
		return C_PRIVATE;
	case CKO_SECRET_KEY:
		return C_SECRET;
	case CKO_DOMAIN_PARAMETERS:
		return C_DOMAIN;
	case CKO_OTP_KEY:
		return C_OTP;
	default:
		return 0;
	}
}

bool class_is_key(uint64_t class)
{
	return class_bit(class) & C_KEYS;
}

bool class_has_type(uint64_t class)
{
	return class_bit(class) & C_TYPED;
}

int key_group(uint64_t key_type)
{
	size_t i;

	for (i = 0; i < KEY_TYPES; i++)
		if (key_types[i].type == key_type)
			return key_types[i].group;
	return 0;
}

uint64_t key_row_type(uint64_t key_type)
{
	size_t i;

	for (i = 0; i < KEY_TYPES; i++)
		if (key_types[i].type == key_type)
			return key_types[i].row;
	return key_type;
}

bool rule_covers(const struct rule *rule, unsigned int class, int group)
{
	return (rule->classes & class) && (rule->keys == K_ANY || (rule->keys & group));
}

const struct rule *rule_find(uint64_t type, unsigned int class, int group)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (rules[i].type == type && rule_covers(&rules[i], class, group))
			return &rules[i];
	return NULL;
}

const struct rule *rule_of(const struct attributes *object, uint64_t type)
{
	return rule_find(type, class_bit(attributes_ulong(object, CKA_CLASS, ~0ULL)),
			 key_group(attributes_ulong(object, CKA_KEY_TYPE, ~0ULL)));
}

bool attribute_known(const struct attributes *object, uint64_t type)
{
	return rule_of(object, type) != NULL;
}

bool attribute_is_secret(const struct attributes *object, uint64_t type)
{
	const struct rule *rule = rule_of(object, type);

	if (!rule || !(rule->flags & F_SECRET))
		return false;
	return attributes_bool(object, CKA_SENSITIVE, true) ||
	       !attributes_bool(object, CKA_EXTRACTABLE, false);
}
