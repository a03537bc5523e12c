// SPDX-License-Identifier: Apache-2.0
/*
 * Derivations that take a key apart or put it together: concatenation, XOR and extraction. They are not one-way, so whoever
 * chooses what they are applied to could search a key piece by piece (Bortolozzo and others, 2010). What stands against that:
 * no output is shorter than a floor; a key that is cut leaves at least so many bytes of each key that went in; and a key that
 * was put together, of which the caller may know a part, is marked and not cut again.
 */
#include <string.h>
#include "mech_private.h"

static bool is_composed(const struct attributes *key)
{
	return attributes_bool(key, CKA_HSM_COMPOSED, false);
}

static CK_RV mark_composed(struct attributes *key)
{
	return attributes_set_bool(key, CKA_HSM_COMPOSED, true);
}

/*
 * Length of the output, of @length bytes that there are. Without one in the template a generic secret takes all of them; a key
 * type that has no length of its own wants one.
 */
static CK_RV piece_length(const struct attributes *attributes, size_t length, bool optional,
			  size_t *asked)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	CK_RV rv = mech_secret_length(attributes, asked);

	if (rv != CKR_OK)
		return rv;
	/* XOR would give keys of triple DES that differ as the caller likes, and those are attacked in pairs. */
	if (type == CKK_DES2 || type == CKK_DES3)
		return CKR_TEMPLATE_INCONSISTENT;
	if (!*asked && optional && type == CKK_GENERIC_SECRET)
		*asked = length;
	if (!*asked)
		return CKR_TEMPLATE_INCOMPLETE;
	return *asked > length || *asked < MECH_DERIVED_MIN ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static CK_RV piece_end(struct key *base, struct mech_derived *derived, const uint8_t *value,
		       size_t asked, bool whole)
{
	bool composed = is_composed(&base->attributes);
	CK_RV rv;

	if (composed && !whole)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	rv = mech_secret_leading(&derived->keys[0], value, asked);
	return rv == CKR_OK && composed ? mark_composed(&derived->keys[0]) : rv;
}

CK_RV mech_piece_leading(struct key *base, struct mech_derived *derived, size_t length)
{
	return piece_end(base, derived, base->value->value, length, length == base->value->length);
}

/* ---- concatenation ---- */

/* Bytes of a key of @length that stand at @at, of which the output takes the first @asked: none, all, or enough not to be searched */
static bool taken_well(size_t at, size_t length, size_t asked)
{
	size_t taken = asked <= at ? 0 : asked - at;

	return !taken || taken >= length || taken >= MECH_DERIVED_MIN;
}

static CK_RV concatenate(struct key *base, const struct mech_part part[2], const bool secret[2],
			 bool composed, struct mech_derived *derived)
{
	uint8_t value[2 * MECH_SECRET_MAX];
	size_t total = part[0].length + part[1].length, asked;
	CK_RV rv = CKR_OK;

	if (!part[0].length || !part[1].length || part[0].length > MECH_SECRET_MAX ||
	    part[1].length > MECH_SECRET_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = piece_length(&derived->keys[0], total, true, &asked);
	if (rv != CKR_OK)
		return rv;
	if ((secret[0] && !taken_well(0, part[0].length, asked)) ||
	    (secret[1] && !taken_well(part[0].length, part[1].length, asked)) ||
	    (secret[1] && !secret[0] && asked <= part[0].length))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (composed && asked != total)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	memcpy(value, part[0].data, part[0].length);
	memcpy(value + part[0].length, part[1].data, part[1].length);
	rv = piece_end(base, derived, value, asked, asked == total);
	if (rv == CKR_OK)
		rv = mark_composed(&derived->keys[0]);
	OPENSSL_cleanse(value, sizeof(value));
	return rv;
}

static CK_RV derive_concatenation(const struct mechanism *mechanism, struct key *base,
				  struct mech_derived *derived)
{
	struct mech_part key = { base->value->value, base->value->length };
	struct mech_part data = mech_field(mechanism, HSM_FIELD_SHARED);

	switch (mechanism->info->mechanism) {
	case CKM_CONCATENATE_BASE_AND_KEY:
		if (mechanism->others != 1)
			return CKR_MECHANISM_PARAM_INVALID;
		return concatenate(base, (struct mech_part[]){ key, mech_other(mechanism, 0) },
				   (bool[]){ true, true },
				   is_composed(mechanism->other[0]) ||
					   is_composed(&base->attributes),
				   derived);
	case CKM_CONCATENATE_DATA_AND_BASE:
		return concatenate(base, (struct mech_part[]){ data, key }, (bool[]){ false, true },
				   is_composed(&base->attributes), derived);
	default:
		return concatenate(base, (struct mech_part[]){ key, data }, (bool[]){ true, false },
				   is_composed(&base->attributes), derived);
	}
}

/* ---- XOR, extraction ---- */

static CK_RV derive_xor(const struct mechanism *mechanism, struct key *base,
			struct mech_derived *derived)
{
	struct mech_part data = mech_field(mechanism, HSM_FIELD_SHARED);
	const struct attribute *key = base->value;
	size_t length = data.length < key->length ? data.length : key->length, asked, i;
	uint8_t value[MECH_SECRET_MAX];
	CK_RV rv;

	if (!length)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = piece_length(&derived->keys[0], length, true, &asked);
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < length; i++)
		value[i] = key->value[i] ^ data.data[i];
	rv = piece_end(base, derived, value, asked, asked == key->length);
	OPENSSL_cleanse(value, sizeof(value));
	return rv;
}

/* Bits from the given one on, after the last one again the first */
static CK_RV derive_extract(const struct mechanism *mechanism, struct key *base,
			    struct mech_derived *derived)
{
	uint64_t first = hsm_fields_u64(mechanism->fields, HSM_FIELD_FIRST_BIT, UINT64_MAX);
	const struct attribute *key = base->value;
	uint8_t value[MECH_SECRET_MAX] = { 0 };
	unsigned int shift = first % 8;
	size_t asked, at, i;
	CK_RV rv;

	if (first >= (uint64_t)key->length * 8)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = piece_length(&derived->keys[0], key->length, false, &asked);
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < asked; i++) {
		at = (first / 8 + i) % key->length;
		value[i] = (uint8_t)(key->value[at] << shift |
				     key->value[(at + 1) % key->length] >> (8 - shift));
	}
	rv = piece_end(base, derived, value, asked, asked == key->length);
	OPENSSL_cleanse(value, sizeof(value));
	return rv;
}

CK_RV mech_derive_pieces(const struct mechanism *mechanism, struct key *base,
			 struct mech_derived *derived)
{
	switch (mechanism->info->mechanism) {
	case CKM_XOR_BASE_AND_DATA:
		return derive_xor(mechanism, base, derived);
	case CKM_EXTRACT_KEY_FROM_KEY:
		return derive_extract(mechanism, base, derived);
	default:
		return derive_concatenation(mechanism, base, derived);
	}
}
