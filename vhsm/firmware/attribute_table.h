/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of classes, key types and attributes (attribute_table.c), as attribute_rules.c and
 * attribute_templates.c read them. Nobody else needs more than attribute_rules.h.
 */
#ifndef FIRMWARE_ATTRIBUTE_TABLE_H
#define FIRMWARE_ATTRIBUTE_TABLE_H

#include "attribute_rules.h"

/* How deep templates stand in templates */
#define NESTING 4

enum kind {
	KIND_BOOL,
	KIND_ULONG,
	KIND_BYTES,
	KIND_DATE,
	KIND_LIST,
	KIND_TEMPLATE,
};

/* Classes of objects, one bit each, and groups of them */
enum {
	C_DATA = 1 << 0,
	C_CERT = 1 << 1,
	C_PUBLIC = 1 << 2,
	C_PRIVATE = 1 << 3,
	C_SECRET = 1 << 4,
	C_DOMAIN = 1 << 5,
	C_OTP = 1 << 6,
	C_TRUST = 1 << 7,
	C_FEATURE = 1 << 8,
	C_MECHANISM = 1 << 9,
	C_PROFILE = 1 << 10,
	C_VALIDATION = 1 << 11,
	C_KEYS = C_PUBLIC | C_PRIVATE | C_SECRET | C_OTP,
	C_PAIR = C_PUBLIC | C_PRIVATE,
	C_STORED = C_DATA | C_CERT | C_KEYS | C_DOMAIN | C_TRUST, /* the standard's storage objects */
	C_BUILTIN = C_FEATURE | C_MECHANISM | C_PROFILE | C_VALIDATION,
	C_ALL = C_STORED | C_BUILTIN,
	C_SYMMETRIC = C_SECRET | C_OTP,
	C_OWN = C_PRIVATE | C_SYMMETRIC,
	C_OPEN = C_PUBLIC | C_SYMMETRIC,
	C_TYPED = C_KEYS | C_DOMAIN, /* have a CKA_KEY_TYPE */
};

/*
 * Groups of types that have the same attributes: of keys (which type is in which group: key_types[]), of certificates, of
 * hardware features
 */
enum {
	K_RSA = 1 << 0,
	K_EC = 1 << 1,
	K_SYMMETRIC = 1 << 2,
	K_ML = 1 << 3,	/* ML-DSA, ML-KEM: a private key by value or by seed */
	K_SLH = 1 << 4,
	K_DH = 1 << 5,
	K_X9_42 = 1 << 6,
	K_OTP = 1 << 7,
	K_X509 = 1 << 8,
	K_X509_ATTR = 1 << 9,
	K_COUNTER = 1 << 10,
	K_CLOCK = 1 << 11,
	K_PAIR = K_RSA | K_EC | K_ML | K_SLH | K_DH | K_X9_42,
	K_DOMAIN = K_DH | K_X9_42,
	K_FIELD = K_DH | K_X9_42,
	K_SET = K_ML | K_SLH,
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
	F_SECRET = 1 << 9,	 /* key material */
	F_SO = 1 << 10,		 /* true by the SO alone */
	F_UP = 1 << 11,		 /* once true, always true */
	F_DOWN = 1 << 12,	 /* once false, always false */
	F_STRICT_DOWN = 1 << 13, /* the same, in the strict profile */
	F_LOWER = 1 << 14,	 /* a number that changes downwards alone */
	F_VIRTUAL = 1 << 15,	 /* its default is answered, not stored */
	F_VOUCHED = 1 << 16,	 /* of a trusted key: switched on by the SO alone, as what is F_STRICT_DOWN */
};

enum fallback {
	D_NONE,
	D_FALSE,
	D_TRUE,
	D_EMPTY,
	D_ZERO,
	D_OWN,   /* true for private and secret keys */
	D_SECRET, /* true; false for secret keys that are made or imported outside the strict profile */
	D_USAGE, /* true when a mechanism of the key type can do it */
};

/**
 * struct rule - one row of the table of attributes
 * @classes: C_; @keys: K_, of key classes
 * @flags: F_
 * @usage: CKF_ of CK_MECHANISM_INFO, with D_USAGE
 */
struct rule {
	uint64_t type;
	uint8_t kind;
	uint8_t fallback;
	uint32_t classes;
	int keys;
	uint32_t flags;
	uint64_t usage;
};

/* rule_at - row by index, NULL past the end */
const struct rule *rule_at(size_t index);

/* rule_covers - does the row hold for this class and group of key types? */
bool rule_covers(const struct rule *rule, unsigned int class, int group);

/* rule_find - the row of an attribute; rule_of - of an object's, by its class and key type. NULL: it has none. */
const struct rule *rule_find(uint64_t type, unsigned int class, int group);
const struct rule *rule_of(const struct attributes *object, uint64_t type);

/* class_bit - C_ of a class, 0: no object of that class can be made */
unsigned int class_bit(uint64_t class);

/* type_group - K_ of a type of a class's objects, 0: unknown, or a class whose objects have no type */
int type_group(unsigned int class, uint64_t type);

/* group_fits - can an object of this class be of a type of this group? */
bool group_fits(unsigned int class, int group);

/* key_row_type - the key type that the mechanism table's rows name for keys of this one */
uint64_t key_row_type(uint64_t key_type);

/* ---- attribute_templates.c ---- */

/* value_same - equal length and bytes; false when one is missing */
bool value_same(const struct attribute *a, const struct attribute *b);

/* value_valid - has the value the form that the row demands? */
bool value_valid(const struct rule *rule, const struct attribute *item);

/* value_store - check and set; nested templates in canonical order. Return: CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID ... */
CK_RV value_store(struct attributes *object, const struct rule *rule, const struct attribute *item);

#endif /* FIRMWARE_ATTRIBUTE_TABLE_H */
