// SPDX-License-Identifier: Apache-2.0
/*
 * What follows from the table of attributes (attribute_table.c) for templates: new objects, their defaults and their
 * history, changes, and the policy of the profiles. Documentation/policy.rst gives the reasons.
 */
#include <string.h>
#include <hsm/mechanisms.h>
#include "attribute_table.h"
#include "mech.h"

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

static bool usage_default(const struct rule *rule, uint64_t key_type)
{
	uint64_t type = key_row_type(key_type);
	const struct hsm_mechanism_info *info;
	size_t i;

	for (i = 0; (info = hsm_mechanism_at(i)); i++)
		if (info->key_type == type && (info->flags & rule->usage))
			return true;
	return false;
}

/*
 * The standard's default for secret keys is not to be sensitive. What a key unwraps or derives is, and so is everything in
 * the strict profile, unless somebody asks.
 */
static bool sensitive_default(const struct rule_context *context, enum template_use use,
			      uint64_t class)
{
	return context->strict || class == CKO_PRIVATE_KEY ||
	       !(use & (TEMPLATE_CREATE | TEMPLATE_GENERATE));
}

static CK_RV set_default(const struct rule_context *context, enum template_use use,
			 const struct rule *rule, uint64_t class, uint64_t type,
			 struct attributes *object)
{
	if (rule->flags & F_VIRTUAL)
		return CKR_OK;
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
	case D_SECRET:
		return attributes_set_bool(object, rule->type,
					   sensitive_default(context, use, class));
	case D_USAGE:
		/* In the strict profile a use must be asked for. */
		return attributes_set_bool(object, rule->type,
					   !context->strict && usage_default(rule, type));
	default:
		return CKR_OK;
	}
}

static CK_RV complete(const struct rule_context *context, enum template_use use, uint64_t class,
		      uint64_t type, struct attributes *object)
{
	unsigned int bit = class_bit(class);
	int group = type_group(bit, type);
	const struct rule *rule;
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; rv == CKR_OK && (rule = rule_at(i)); i++) {
		if (!rule_covers(rule, bit, group) || attributes_find(object, rule->type))
			continue;
		if (use == TEMPLATE_CREATE && (rule->flags & F_NEED))
			return CKR_TEMPLATE_INCOMPLETE;
		rv = set_default(context, use, rule, class, type, object);
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
	if (item->type == CKA_CHECK_VALUE)
		return CKR_OK;
	return value_store(object, rule, item);
}

/* A key whose uses are limited has no second life: not as a copy, nor wrapped and unwrapped. */
static CK_RV settle_limit(struct attributes *object)
{
	CK_RV rv;

	if (!attributes_find(object, CKA_HSM_USE_LIMIT))
		return CKR_OK;
	if (attributes_bool(object, CKA_COPYABLE, false) ||
	    attributes_bool(object, CKA_EXTRACTABLE, false))
		return CKR_TEMPLATE_INCONSISTENT;
	rv = attributes_set_bool(object, CKA_COPYABLE, false);
	return rv == CKR_OK ? attributes_set_ulong(object, CKA_HSM_USE_COUNT, 0) : rv;
}

CK_RV template_settle(const struct rule_context *context, enum template_use use, uint64_t class,
		      uint64_t type, const struct attributes *template, struct attributes *object)
{
	uint64_t type_attribute = class_type_attribute(class);
	unsigned int bit = class_bit(class);
	int group = type_group(bit, type);
	const struct attribute *item = NULL;
	CK_RV rv = CKR_OK;

	if (bit & C_BUILTIN)
		return CKR_TEMPLATE_INCONSISTENT;
	if (!bit || !group_fits(bit, group))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (attributes_ulong(template, CKA_CLASS, class) != class ||
	    (type_attribute && attributes_ulong(template, type_attribute, type) != type))
		return CKR_TEMPLATE_INCONSISTENT;
	while (rv == CKR_OK && (item = attributes_next(template, item)))
		rv = accept(context, use, bit, group, item, object);
	if (rv == CKR_OK && use != TEMPLATE_CREATE)
		rv = attributes_set_ulong(object, CKA_CLASS, class);
	if (rv == CKR_OK && use != TEMPLATE_CREATE && type_attribute)
		rv = attributes_set_ulong(object, type_attribute, type);
	if (rv == CKR_OK)
		rv = settle_limit(object);
	if (rv == CKR_OK)
		rv = complete(context, use, class, type, object);
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

	if (!given)
		return CKR_OK;
	if (!given->length)
		attributes_remove(object, CKA_CHECK_VALUE);
	else if (!value_same(given, computed))
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

/* How a key came here. Whoever knows better than the template's use has said so before. */
static CK_RV set_origin(enum template_use use, uint64_t mechanism, struct attributes *object)
{
	uint64_t origin = CK_HSM_ORIGIN_IMPORTED;

	if (attributes_find(object, CKA_HSM_ORIGIN))
		return CKR_OK;
	if (use == TEMPLATE_GENERATE)
		origin = mechanism == CKM_PKCS5_PBKD2 ? CK_HSM_ORIGIN_DERIVED
						      : CK_HSM_ORIGIN_GENERATED;
	else if (use == TEMPLATE_UNWRAP)
		origin = CK_HSM_ORIGIN_UNWRAPPED;
	else if (use == TEMPLATE_DERIVE)
		origin = CK_HSM_ORIGIN_DERIVED;
	return attributes_set_ulong(object, CKA_HSM_ORIGIN, origin);
}

CK_RV template_finish(enum template_use use, uint64_t mechanism, const struct attributes *base,
		      struct attributes *object)
{
	unsigned int class = class_bit(attributes_ulong(object, CKA_CLASS, ~0ULL));
	CK_RV rv = template_unique(object);

	if (rv == CKR_OK && (class & C_TYPED))
		rv = attributes_set_bool(object, CKA_LOCAL, use == TEMPLATE_GENERATE);
	if (rv == CKR_OK && (class & C_KEYS))
		rv = attributes_set_ulong(object, CKA_KEY_GEN_MECHANISM, mechanism);
	if (rv == CKR_OK && (class & C_KEYS))
		rv = set_origin(use, mechanism, object);
	if (rv == CKR_OK && (class & C_OWN))
		rv = set_history(use, base, object);
	return rv;
}

/* ---- changes ---- */

/*
 * The SO vouches for what a trusted key is used for: nobody else adds to it, or a trusted key that wraps would one day
 * decrypt what it has wrapped, or give the key stream of a nonce that it has wrapped with.
 */
static bool may_switch(const struct rule_context *context, const struct rule *rule, bool now,
		       bool wanted, bool vouched)
{
	bool down = (rule->flags & F_DOWN) || (context->strict && (rule->flags & F_STRICT_DOWN));

	if (wanted == now)
		return true;
	if (now)
		return !(rule->flags & F_UP);
	if (down)
		return false;
	return context->so ||
	       !((rule->flags & F_SO) || (vouched && (rule->flags & (F_STRICT_DOWN | F_VOUCHED))));
}

/*
 * Values that follow from the object's: they may be given, not changed. Nothing is what an application gives that
 * wants the check value gone (PKCS#11 3.2, 4.12), or that knows no public key.
 */
static CK_RV change_computed(const struct attribute *item, struct attributes *object)
{
	if (item->length)
		return value_same(item, attributes_find(object, item->type))
			       ? CKR_OK
			       : CKR_ATTRIBUTE_VALUE_INVALID;
	if (item->type == CKA_CHECK_VALUE)
		attributes_remove(object, item->type);
	return CKR_OK;
}

static CK_RV change(const struct rule_context *context, enum template_use use,
		    const struct attribute *item, struct attributes *object)
{
	const struct rule *rule = rule_of(object, item->type);
	bool now = attributes_bool(object, item->type, false);

	if (!rule)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (!(rule->flags & use))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (!value_valid(rule, item))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (rule->kind == KIND_BOOL && !may_switch(context, rule, now, *item->value,
						   attributes_bool(object, CKA_TRUSTED, false)))
		return CKR_ATTRIBUTE_READ_ONLY;
	if ((rule->flags & F_LOWER) &&
	    hsm_get_le64(item->value) > attributes_ulong(object, item->type, 0))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (item->type == CKA_CHECK_VALUE || item->type == CKA_PUBLIC_KEY_INFO)
		return change_computed(item, object);
	return value_store(object, rule, item);
}

CK_RV template_change(const struct rule_context *context, enum template_use use,
		      const struct attributes *template, struct attributes *object)
{
	const struct attribute *item = NULL;
	CK_RV rv = CKR_OK;

	while (rv == CKR_OK && (item = attributes_next(template, item)))
		rv = change(context, use, item, object);
	return rv == CKR_OK ? consistent(context, use, object) : rv;
}
