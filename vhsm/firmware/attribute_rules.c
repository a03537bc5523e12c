// SPDX-License-Identifier: Apache-2.0
/*
 * The table of attributes, and the checks that follow from it. A new attribute is a new row; nothing else
 * knows which attributes there are. PKCS#11 3.2, section 4; where the standard leaves a choice
 * Documentation/policy.rst says which one was taken and why.
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/mechanisms.h>
#include "attribute_rules.h"
#include "mech.h"

#define NESTING 4

enum kind {
	KIND_BOOL,
	KIND_ULONG,
	KIND_BYTES,
	KIND_DATE,
	KIND_LIST,
	KIND_TEMPLATE,
};

/* Classes */
enum {
	C_DATA = 1 << 0,
	C_CERT = 1 << 1,
	C_PUBLIC = 1 << 2,
	C_PRIVATE = 1 << 3,
	C_SECRET = 1 << 4,
	C_KEYS = C_PUBLIC | C_PRIVATE | C_SECRET,
	C_PAIR = C_PUBLIC | C_PRIVATE,
	C_ALL = C_DATA | C_CERT | C_KEYS,
	C_OWN = C_PRIVATE | C_SECRET,
	C_OPEN = C_PUBLIC | C_SECRET,
};

/* Groups of key types */
enum {
	K_RSA = 1 << 0,
	K_EC = 1 << 1,
	K_SYMMETRIC = 1 << 2,
	K_ML = 1 << 3,
	K_ANY = ~0,
};

/* Flags: low bits are enum template_use */
enum {
	F_C = TEMPLATE_CREATE,
	F_G = TEMPLATE_GENERATE,
	F_U = TEMPLATE_UNWRAP,
	F_D = TEMPLATE_DERIVE,
	F_NEW = F_C | F_G | F_U | F_D,
	F_COPY = TEMPLATE_COPY,
	F_SET = TEMPLATE_SET,
	F_CHANGE = F_COPY | F_SET,
	F_NEED = 1 << 8,	 /* a template of C_CreateObject must have it */
	F_SECRET = 1 << 9,   /* key material */
	F_SO = 1 << 10, /* true by the SO alone */
	F_UP = 1 << 11, /* once true, always true */
	F_DOWN = 1 << 12,	  /* once false, always false */
	F_STRICT_DOWN = 1 << 13, /* the same, in the strict profile */
};

enum fallback {
	D_NONE,
	D_FALSE,
	D_TRUE,
	D_EMPTY,
	D_ZERO,
	D_OWN,  /* true for private and secret keys */
	D_USAGE, /* true when a mechanism of the key type can do it */
};

struct rule {
	uint64_t type;
	uint8_t kind;
	uint8_t classes;
	uint8_t fallback;
	int keys;
	uint32_t flags;
	uint64_t usage; /* CKF_ of CK_MECHANISM_INFO, with D_USAGE */
};

#define RULE(type, kind, classes, keys, flags, fallback) \
	{ type, KIND_##kind, classes, D_##fallback, keys, flags, 0 }
#define USAGE(name, classes, flags) \
	{ CKA_##name, KIND_BOOL, classes, D_USAGE, K_ANY, F_NEW | F_CHANGE | (flags), CKF_##name }

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
	RULE(CKA_CHECK_VALUE, BYTES, C_CERT | C_SECRET, K_ANY, F_NEW, NONE),
	RULE(CKA_TRUSTED, BOOL, C_CERT | C_OPEN, K_ANY, F_NEW | F_CHANGE | F_SO, FALSE),

	/* keys */
	RULE(CKA_KEY_TYPE, ULONG, C_KEYS, K_ANY, F_NEW | F_NEED, NONE),
	RULE(CKA_LOCAL, BOOL, C_KEYS, K_ANY, 0, NONE),
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

	/* ML-DSA and ML-KEM; the private key is given by value or by seed, which mech_import() decides */
	RULE(CKA_PARAMETER_SET, ULONG, C_PAIR, K_ML, F_C | F_G | F_NEED, NONE),
	RULE(CKA_VALUE, BYTES, C_PUBLIC, K_ML, F_C | F_NEED, NONE),
	RULE(CKA_VALUE, BYTES, C_PRIVATE, K_ML, F_C | F_SECRET, NONE),
	RULE(CKA_SEED, BYTES, C_PRIVATE, K_ML, F_C | F_SECRET, NONE),

	/* secret keys */
	RULE(CKA_VALUE, BYTES, C_SECRET, K_SYMMETRIC, F_C | F_NEED | F_SECRET, NONE),
	RULE(CKA_VALUE_LEN, ULONG, C_SECRET, K_SYMMETRIC, F_G | F_U | F_D, NONE),
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static unsigned int class_bit(uint64_t class)
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
	default:
		return 0;
	}
}

static int key_group(uint64_t key_type)
{
	switch (key_type) {
	case CKK_RSA:
		return K_RSA;
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		return K_EC;
	case CKK_ML_DSA:
	case CKK_ML_KEM:
		return K_ML;
	case CKK_AES:
	case CKK_GENERIC_SECRET:
	case CKK_HKDF:
	case CKK_SHA_1_HMAC:
	case CKK_SHA224_HMAC:
	case CKK_SHA256_HMAC:
	case CKK_SHA384_HMAC:
	case CKK_SHA512_HMAC:
	case CKK_SHA512_224_HMAC:
	case CKK_SHA512_256_HMAC:
	case CKK_SHA3_224_HMAC:
	case CKK_SHA3_256_HMAC:
	case CKK_SHA3_384_HMAC:
	case CKK_SHA3_512_HMAC:
		return K_SYMMETRIC;
	default:
		return 0;
	}
}

static bool key_fits_class(uint64_t class, int group)
{
	if (class_bit(class) & C_SECRET)
		return group == K_SYMMETRIC;
	if (class_bit(class) & C_PAIR)
		return group && group != K_SYMMETRIC;
	return true;
}

static const struct rule *rule_find(uint64_t type, unsigned int class, int group)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (rules[i].type == type && (rules[i].classes & class) &&
		    (rules[i].keys == K_ANY || (rules[i].keys & group)))
			return &rules[i];
	return NULL;
}

static const struct rule *rule_of(const struct attributes *object, uint64_t type)
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

/* ---- values ---- */

static bool same_value(const struct attribute *a, const struct attribute *b)
{
	return a && b && a->length == b->length && !memcmp(a->value, b->value, a->length);
}

static bool value_valid(const struct rule *rule, const struct attribute *item)
{
	switch (rule->kind) {
	case KIND_BOOL:
		return item->length == 1 && *item->value <= 1;
	case KIND_ULONG:
		return item->length == 8;
	case KIND_DATE:
		return item->length == 0 || item->length == 8;
	case KIND_LIST:
		return item->length % 8 == 0;
	case KIND_TEMPLATE:
		return hsm_attributes_valid(item->value, item->length, NESTING);
	default:
		return true;
	}
}

static CK_RV nested_canonical(struct attributes *set, uint64_t type, const uint8_t *value,
			      size_t length, unsigned int depth);

/* Serialize a nested template, sorted, so that equal ones are equal as bytes */
static CK_RV nested_set(struct attributes *set, uint64_t type, const struct attributes *nested)
{
	struct hsm_writer out;
	size_t room = 0;
	uint8_t *bytes;
	uint32_t i;
	CK_RV rv;

	for (i = 0; i < nested->count; i++)
		room += sizeof(struct hsm_attribute_header) + nested->item[i].length;
	bytes = malloc(room + 1);
	if (!bytes)
		return CKR_HOST_MEMORY;
	hsm_writer_init(&out, bytes, room);
	for (i = 0; i < nested->count; i++)
		hsm_put_attribute(&out, nested->item[i].type, 0, nested->item[i].value,
				  nested->item[i].length);
	rv = out.error ? CKR_GENERAL_ERROR : attributes_set(set, type, bytes, out.length);
	free(bytes);
	return rv;
}

static CK_RV nested_sort(struct attributes *nested, unsigned int depth)
{
	struct attribute *item;
	CK_RV rv = CKR_OK;
	uint32_t i;

	for (i = 0; i < nested->count && rv == CKR_OK; i++) {
		item = &nested->item[i];
		if (hsm_attribute_is_template(item->type))
			rv = nested_canonical(nested, item->type, item->value, item->length, depth);
	}
	return rv;
}

static CK_RV nested_canonical(struct attributes *set, uint64_t type, const uint8_t *value,
			      size_t length, unsigned int depth)
{
	struct attributes nested = { 0 };
	CK_RV rv;

	if (!depth)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = attributes_parse(&nested, value, length);
	if (rv == CKR_OK)
		rv = nested_sort(&nested, depth - 1);
	if (rv == CKR_OK)
		rv = nested_set(set, type, &nested);
	attributes_free(&nested);
	return rv;
}

static CK_RV store_value(struct attributes *object, const struct rule *rule,
			 const struct attribute *item)
{
	if (!value_valid(rule, item))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (rule->kind == KIND_TEMPLATE)
		return nested_canonical(object, item->type, item->value, item->length, NESTING);
	return attributes_set(object, item->type, item->value, item->length);
}

/* ---- policy ---- */

static bool both(const struct attributes *a, uint64_t x, const struct attributes *b, uint64_t y)
{
	return attributes_bool(a, x, false) && attributes_bool(b, y, false);
}

/* A key that wraps and decrypts gives away what it wraps (Clulow, 2003); unwrap and encrypt plants keys. */
static bool conflict(const struct attributes *a, const struct attributes *b)
{
	return both(a, CKA_WRAP, b, CKA_DECRYPT) || both(a, CKA_ENCRYPT, b, CKA_UNWRAP);
}

CK_RV template_pair(const struct rule_context *context, const struct attributes *public_key,
		    const struct attributes *private_key)
{
	if (context->strict && conflict(public_key, private_key))
		return CKR_TEMPLATE_INCONSISTENT;
	return CKR_OK;
}

static CK_RV consistent(const struct rule_context *context, enum template_use use,
			const struct attributes *object)
{
	if (!context->strict)
		return CKR_OK;
	if (conflict(object, object))
		return CKR_TEMPLATE_INCONSISTENT;
	/* The other side of the wrapping may be elsewhere: a partner's copy, the public half of anybody. */
	if (both(object, CKA_UNWRAP, object, CKA_DECRYPT))
		return CKR_TEMPLATE_INCONSISTENT;
	/* One that leaves wrapped comes back as one that decrypts, also after CKA_WRAP was taken from it. */
	if (both(object, CKA_WRAP, object, CKA_EXTRACTABLE))
		return CKR_TEMPLATE_INCONSISTENT;
	if ((use & (TEMPLATE_UNWRAP | TEMPLATE_DERIVE)) &&
	    !attributes_bool(object, CKA_SENSITIVE, true))
		return CKR_TEMPLATE_INCONSISTENT;
	return CKR_OK;
}

/* ---- new objects ---- */

static bool usage_default(const struct rule *rule, uint64_t class, uint64_t key_type)
{
	uint64_t type = key_group(key_type) == K_SYMMETRIC && key_type != CKK_AES
				? CKK_GENERIC_SECRET
				: key_type;
	const struct hsm_mechanism_info *info;
	size_t i;

	(void)class;
	for (i = 0; (info = hsm_mechanism_at(i)); i++)
		if (info->key_type == type && (info->flags & rule->usage))
			return true;
	return false;
}

static CK_RV set_default(const struct rule_context *context, const struct rule *rule,
			 uint64_t class, uint64_t key_type, struct attributes *object)
{
	switch (rule->fallback) {
	case D_FALSE:
		return attributes_set_bool(object, rule->type, false);
	case D_TRUE:
		return attributes_set_bool(object, rule->type, true);
	case D_EMPTY:
		return attributes_set(object, rule->type, NULL, 0);
	case D_ZERO:
		return attributes_set_ulong(object, rule->type, 0);
	case D_OWN:
		return attributes_set_bool(object, rule->type, class_bit(class) & C_OWN);
	case D_USAGE:
		/* In the strict profile a use must be asked for. */
		return attributes_set_bool(object, rule->type,
					   !context->strict &&
						   usage_default(rule, class, key_type));
	default:
		return CKR_OK;
	}
}

static CK_RV complete(const struct rule_context *context, enum template_use use, uint64_t class,
		      uint64_t key_type, struct attributes *object)
{
	unsigned int bit = class_bit(class);
	int group = key_group(key_type);
	const struct rule *rule;
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; i < RULES && rv == CKR_OK; i++) {
		rule = &rules[i];
		if (!(rule->classes & bit) || (rule->keys != K_ANY && !(rule->keys & group)) ||
		    attributes_find(object, rule->type))
			continue;
		if (use == TEMPLATE_CREATE && (rule->flags & F_NEED))
			return CKR_TEMPLATE_INCOMPLETE;
		rv = set_default(context, rule, class, key_type, object);
	}
	return rv;
}

static CK_RV accept(const struct rule_context *context, enum template_use use, unsigned int class,
		    int group, const struct attribute *item, struct attributes *object)
{
	const struct rule *rule = rule_find(item->type, class, group);

	if (!rule)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (!(rule->flags & use))
		return CKR_ATTRIBUTE_READ_ONLY;
	if ((rule->flags & F_SO) && item->length == 1 && *item->value && !context->so)
		return CKR_ATTRIBUTE_READ_ONLY;
	/* Computed, see template_check_value() */
	if (item->type == CKA_CHECK_VALUE && (class & C_SECRET))
		return CKR_OK;
	return store_value(object, rule, item);
}

CK_RV template_settle(const struct rule_context *context, enum template_use use, uint64_t class,
		      uint64_t key_type, const struct attributes *template,
		      struct attributes *object)
{
	unsigned int bit = class_bit(class);
	int group = bit & C_KEYS ? key_group(key_type) : 0;
	uint32_t i;
	CK_RV rv = CKR_OK;

	if (!bit || !key_fits_class(class, group))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (attributes_ulong(template, CKA_CLASS, class) != class ||
	    ((bit & C_KEYS) && attributes_ulong(template, CKA_KEY_TYPE, key_type) != key_type))
		return CKR_TEMPLATE_INCONSISTENT;
	for (i = 0; i < template->count && rv == CKR_OK; i++)
		rv = accept(context, use, bit, group, &template->item[i], object);
	if (rv == CKR_OK && use != TEMPLATE_CREATE)
		rv = attributes_set_ulong(object, CKA_CLASS, class);
	if (rv == CKR_OK && use != TEMPLATE_CREATE && (bit & C_KEYS))
		rv = attributes_set_ulong(object, CKA_KEY_TYPE, key_type);
	if (rv == CKR_OK)
		rv = complete(context, use, class, key_type, object);
	return rv == CKR_OK ? consistent(context, use, object) : rv;
}

CK_RV template_unique(struct attributes *object)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[16];
	char text[36];
	unsigned int i, n = 0;

	if (mech_random(random, sizeof(random)) != CKR_OK)
		return CKR_FUNCTION_FAILED;
	random[6] = (random[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
	random[8] = (random[8] & 0x3f) | 0x80;
	for (i = 0; i < sizeof(random); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = digits[random[i] >> 4];
		text[n++] = digits[random[i] & 15];
	}
	return attributes_set(object, CKA_UNIQUE_ID, text, n);
}

CK_RV template_check_value(const struct attributes *template, struct attributes *object)
{
	const struct attribute *given = attributes_find(template, CKA_CHECK_VALUE);
	const struct attribute *computed = attributes_find(object, CKA_CHECK_VALUE);

	if (!given || attributes_ulong(object, CKA_CLASS, ~0ULL) != CKO_SECRET_KEY)
		return CKR_OK;
	if (!given->length)
		attributes_remove(object, CKA_CHECK_VALUE);
	else if (!same_value(given, computed))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

/* ALWAYS_SENSITIVE and NEVER_EXTRACTABLE: true only for keys that were never anywhere else */
static CK_RV set_history(enum template_use use, const struct attributes *base,
			 struct attributes *object)
{
	bool sensitive = false, captive = false;
	CK_RV rv;

	if (use == TEMPLATE_GENERATE)
		sensitive = captive = true;
	if (use == TEMPLATE_DERIVE && base) {
		sensitive = attributes_bool(base, CKA_ALWAYS_SENSITIVE, false);
		captive = attributes_bool(base, CKA_NEVER_EXTRACTABLE, false);
	}
	sensitive = sensitive && attributes_bool(object, CKA_SENSITIVE, false);
	captive = captive && !attributes_bool(object, CKA_EXTRACTABLE, true);
	rv = attributes_set_bool(object, CKA_ALWAYS_SENSITIVE, sensitive);
	return rv == CKR_OK ? attributes_set_bool(object, CKA_NEVER_EXTRACTABLE, captive) : rv;
}

CK_RV template_finish(enum template_use use, uint64_t mechanism, const struct attributes *base,
		      struct attributes *object)
{
	unsigned int class = class_bit(attributes_ulong(object, CKA_CLASS, ~0ULL));
	CK_RV rv = template_unique(object);

	if (rv == CKR_OK && (class & C_KEYS))
		rv = attributes_set_bool(object, CKA_LOCAL, use == TEMPLATE_GENERATE);
	if (rv == CKR_OK && (class & C_KEYS))
		rv = attributes_set_ulong(object, CKA_KEY_GEN_MECHANISM, mechanism);
	if (rv == CKR_OK && (class & C_OWN))
		rv = set_history(use, base, object);
	return rv;
}

/* ---- changes ---- */

/*
 * The SO vouches for what a trusted key is used for: nobody else adds to it, or a trusted key that wraps would one day
 * decrypt what it has wrapped.
 */
static CK_RV change(const struct rule_context *context, enum template_use use,
		    const struct attribute *item, struct attributes *object)
{
	const struct rule *rule = rule_of(object, item->type);
	bool now = attributes_bool(object, item->type, false);
	bool down, wanted, vouched = attributes_bool(object, CKA_TRUSTED, false);

	if (!rule)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (!(rule->flags & use))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (rule->kind == KIND_BOOL && value_valid(rule, item)) {
		wanted = *item->value;
		down = (rule->flags & F_DOWN) || (context->strict && (rule->flags & F_STRICT_DOWN));
		if (wanted != now && ((now && (rule->flags & F_UP)) || (!now && down)))
			return CKR_ATTRIBUTE_READ_ONLY;
		if (wanted && !now && !context->so &&
		    ((rule->flags & F_SO) || (vouched && (rule->flags & F_STRICT_DOWN))))
			return CKR_ATTRIBUTE_READ_ONLY;
	}
	return store_value(object, rule, item);
}

CK_RV template_change(const struct rule_context *context, enum template_use use,
		      const struct attributes *template, struct attributes *object)
{
	CK_RV rv = CKR_OK;
	uint32_t i;

	for (i = 0; i < template->count && rv == CKR_OK; i++)
		rv = change(context, use, &template->item[i], object);
	return rv == CKR_OK ? consistent(context, use, object) : rv;
}

/* ---- nested templates of wrapping, unwrapping and base keys ---- */

/* A caller's template, before it is settled: its nested templates may be in another order. */
static CK_RV canonical_copy(const struct attributes *from, uint64_t type, struct attributes *to)
{
	const struct attribute *item = attributes_find(from, type);

	if (!item)
		return CKR_OK;
	if (!hsm_attribute_is_template(type))
		return attributes_set(to, type, item->value, item->length);
	return nested_canonical(to, type, item->value, item->length, NESTING);
}

static CK_RV merge_one(const struct attribute *demand, struct attributes *template)
{
	struct attributes given = { 0 };
	CK_RV rv = canonical_copy(template, demand->type, &given);

	if (rv == CKR_OK && given.count && !same_value(&given.item[0], demand))
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv == CKR_OK && !given.count)
		rv = attributes_set(template, demand->type, demand->value, demand->length);
	attributes_free(&given);
	return rv;
}

CK_RV template_merge(const struct attributes *object, uint64_t type, struct attributes *template)
{
	const struct attribute *nested = attributes_find(object, type);
	struct attributes demands = { 0 };
	CK_RV rv = CKR_OK;
	uint32_t i;

	if (!nested)
		return CKR_OK;
	rv = attributes_parse(&demands, nested->value, nested->length);
	for (i = 0; i < demands.count && rv == CKR_OK; i++)
		rv = merge_one(&demands.item[i], template);
	attributes_free(&demands);
	return rv;
}

bool template_satisfied(const struct attributes *object, uint64_t type,
			const struct attributes *key)
{
	const struct attribute *nested = attributes_find(object, type);
	struct attributes demands = { 0 };
	bool ok = true;
	uint32_t i;

	if (!nested)
		return true;
	ok = attributes_parse(&demands, nested->value, nested->length) == CKR_OK;
	for (i = 0; i < demands.count && ok; i++)
		ok = same_value(&demands.item[i], attributes_find(key, demands.item[i].type)) &&
		     !attribute_is_secret(key, demands.item[i].type);
	attributes_free(&demands);
	return ok;
}
