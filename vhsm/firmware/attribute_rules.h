/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What attributes an object has, who sets them and how they may change: one table (attribute_table.c)
 * and what is asked of it. Policy in words: Documentation/policy.rst.
 */
#ifndef FIRMWARE_ATTRIBUTE_RULES_H
#define FIRMWARE_ATTRIBUTE_RULES_H

#include "attributes.h"

/* When a template is used; one bit each, as in the table */
enum template_use {
	TEMPLATE_CREATE = 1 << 0,
	TEMPLATE_GENERATE = 1 << 1,
	TEMPLATE_UNWRAP = 1 << 2, /* also the secret keys of DECAPSULATE and ENCAPSULATE */
	TEMPLATE_DERIVE = 1 << 3,
	TEMPLATE_COPY = 1 << 4,
	TEMPLATE_SET = 1 << 5,
};

/**
 * struct rule_context - on whose behalf
 * @so: the security officer is logged in
 * @strict: the partition's profile
 */
struct rule_context {
	bool so;
	bool strict;
};

/**
 * template_settle - check a template against the table and complete it with defaults
 * @class: of the object to be; @key_type: of a key
 * @object: filled in, except what the mechanism and template_finish() add; freed by the caller in any case
 *
 * Return: CKR_OK, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_READ_ONLY, CKR_ATTRIBUTE_VALUE_INVALID,
 * CKR_TEMPLATE_INCOMPLETE, CKR_TEMPLATE_INCONSISTENT, CKR_HOST_MEMORY.
 */
CK_RV template_settle(const struct rule_context *context, enum template_use use, uint64_t class,
		      uint64_t key_type, const struct attributes *template,
		      struct attributes *object);

/**
 * template_finish - attributes that only the token sets: history, origin, unique id
 * @mechanism: that generated the key, CK_UNAVAILABLE_INFORMATION: none
 * @base: key that this one was derived from, or NULL
 */
CK_RV template_finish(enum template_use use, uint64_t mechanism, const struct attributes *base,
		      struct attributes *object);

/* template_unique - a new CKA_UNIQUE_ID, for a copy */
CK_RV template_unique(struct attributes *object);

/**
 * template_check_value - compare the CKA_CHECK_VALUE that a template gave with the one computed
 * An empty one in the template means that the object shall have none. Return: CKR_OK or CKR_ATTRIBUTE_VALUE_INVALID.
 */
CK_RV template_check_value(const struct attributes *template, struct attributes *object);

/* template_change - @object is a copy of an existing object's attributes; apply a SET or COPY template to it */
CK_RV template_change(const struct rule_context *context, enum template_use use,
		      const struct attributes *template, struct attributes *object);

/* template_pair - may these two be halves of one pair? (strict: no wrapping with what decrypts) */
CK_RV template_pair(const struct rule_context *context, const struct attributes *public_key,
		    const struct attributes *private_key);

/**
 * template_merge - add to @template what @object's nested template @type demands
 * Return: CKR_OK, or CKR_TEMPLATE_INCONSISTENT when @template asks for something else.
 */
CK_RV template_merge(const struct attributes *object, uint64_t type, struct attributes *template);

/* template_satisfied - has @key all that @object's nested template @type demands? */
bool template_satisfied(const struct attributes *object, uint64_t type,
			const struct attributes *key);

/* class_is_key - public, private, secret and OTP keys; class_is_builtin - objects that are there and cannot be made */
bool class_is_key(uint64_t class);
bool class_is_builtin(uint64_t class);

/* class_type_attribute - CKA_KEY_TYPE of keys and domain parameters, CKA_CERTIFICATE_TYPE ...; 0: a class without types */
uint64_t class_type_attribute(uint64_t class);

/* attribute_is_value - is it part of a key's secret value, whether it may be read or not? */
bool attribute_is_value(const struct attributes *object, uint64_t type);

/* attribute_is_secret - a value that never leaves the device: sensitive, or not extractable */
bool attribute_is_secret(const struct attributes *object, uint64_t type);

/* attribute_virtual - 8 bytes of an attribute that the object has and does not store; NULL: not such a one */
const uint8_t *attribute_virtual(const struct attributes *object, uint64_t type);

#endif /* FIRMWARE_ATTRIBUTE_RULES_H */
