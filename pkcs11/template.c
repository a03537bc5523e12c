/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute templates to fields and back. On the wire CK_ULONG has 64 bits and CK_BBOOL 8,
 * whatever they are here; the table says which attributes hold which. Whether an attribute may be
 * there is the device's to say.
 */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define DEPTH_MAX 3 /* templates in templates */

enum kind {
	KIND_BYTES,
	KIND_ULONG,
	KIND_BOOL,
	KIND_ULONGS,
	KIND_TEMPLATE,
};

static const CK_ATTRIBUTE_TYPE ulongs[] = {
	CKA_CLASS,
	CKA_KEY_TYPE,
	CKA_CERTIFICATE_TYPE,
	CKA_CERTIFICATE_CATEGORY,
	CKA_JAVA_MIDP_SECURITY_DOMAIN,
	CKA_NAME_HASH_ALGORITHM,
	CKA_MODULUS_BITS,
	CKA_PRIME_BITS,
	CKA_SUBPRIME_BITS,
	CKA_VALUE_BITS,
	CKA_VALUE_LEN,
	CKA_KEY_GEN_MECHANISM,
	CKA_MECHANISM_TYPE,
	CKA_HW_FEATURE_TYPE,
	CKA_AUTH_PIN_FLAGS,
	CKA_PROFILE_ID,
	CKA_PARAMETER_SET,
	CKA_OBJECT_VALIDATION_FLAGS,
	CKA_VALIDATION_TYPE,
	CKA_VALIDATION_LEVEL,
	CKA_VALIDATION_FLAG,
	CKA_VALIDATION_AUTHORITY_TYPE,
	CKA_TRUST_SERVER_AUTH,
	CKA_TRUST_CLIENT_AUTH,
	CKA_TRUST_CODE_SIGNING,
	CKA_TRUST_EMAIL_PROTECTION,
	CKA_TRUST_IPSEC_IKE,
	CKA_TRUST_TIME_STAMPING,
	CKA_TRUST_OCSP_SIGNING,
	CKA_OTP_FORMAT,
	CKA_OTP_LENGTH,
	CKA_OTP_TIME_INTERVAL,
	CKA_OTP_CHALLENGE_REQUIREMENT,
	CKA_OTP_TIME_REQUIREMENT,
	CKA_OTP_COUNTER_REQUIREMENT,
	CKA_OTP_PIN_REQUIREMENT,
	CKA_HSM_USE_LIMIT,
	CKA_HSM_USE_COUNT,
	CKA_HSM_ORIGIN,
};

static const CK_ATTRIBUTE_TYPE bools[] = {
	CKA_TOKEN,
	CKA_PRIVATE,
	CKA_TRUSTED,
	CKA_SENSITIVE,
	CKA_ENCRYPT,
	CKA_DECRYPT,
	CKA_WRAP,
	CKA_UNWRAP,
	CKA_SIGN,
	CKA_SIGN_RECOVER,
	CKA_VERIFY,
	CKA_VERIFY_RECOVER,
	CKA_DERIVE,
	CKA_EXTRACTABLE,
	CKA_LOCAL,
	CKA_NEVER_EXTRACTABLE,
	CKA_ALWAYS_SENSITIVE,
	CKA_MODIFIABLE,
	CKA_COPYABLE,
	CKA_DESTROYABLE,
	CKA_ALWAYS_AUTHENTICATE,
	CKA_WRAP_WITH_TRUSTED,
	CKA_RESET_ON_INIT,
	CKA_HAS_RESET,
	CKA_ENCAPSULATE,
	CKA_DECAPSULATE,
	CKA_OTP_USER_FRIENDLY_MODE,
};

static bool among(const CK_ATTRIBUTE_TYPE *list, size_t count, CK_ATTRIBUTE_TYPE type)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i] == type)
			return true;
	return false;
}

static enum kind kind_of(CK_ATTRIBUTE_TYPE type)
{
	if (type == CKA_ALLOWED_MECHANISMS)
		return KIND_ULONGS;
	if (hsm_attribute_is_template(type))
		return KIND_TEMPLATE;
	if (among(ulongs, sizeof(ulongs) / sizeof(ulongs[0]), type))
		return KIND_ULONG;
	if (among(bools, sizeof(bools) / sizeof(bools[0]), type))
		return KIND_BOOL;
	return KIND_BYTES;
}

/* ---- to the device ---- */

static CK_RV put_list(struct hsm_writer *writer, const CK_ATTRIBUTE *attributes, CK_ULONG count,
		      unsigned int depth);

static void put_header(struct hsm_writer *writer, CK_ATTRIBUTE_TYPE type, uint32_t length)
{
	struct hsm_attribute_header header = { .type = htole64(type), .length = htole32(length) };

	hsm_put_raw(writer, &header, sizeof(header));
}

static CK_RV put_ulongs(struct hsm_writer *writer, const CK_ATTRIBUTE *attribute)
{
	CK_ULONG count = attribute->ulValueLen / sizeof(CK_ULONG), i, value;
	uint64_t wire;

	if (attribute->ulValueLen % sizeof(CK_ULONG) || attribute->ulValueLen > HSM_DATA_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	put_header(writer, attribute->type, count * sizeof(wire));
	for (i = 0; i < count; i++) {
		memcpy(&value, (const CK_BYTE *)attribute->pValue + i * sizeof(value),
		       sizeof(value));
		wire = htole64(value);
		hsm_put_raw(writer, &wire, sizeof(wire));
	}
	return CKR_OK;
}

static CK_RV put_nested(struct hsm_writer *writer, const CK_ATTRIBUTE *attribute,
			unsigned int depth)
{
	CK_ULONG count = attribute->ulValueLen / sizeof(CK_ATTRIBUTE);
	size_t start;
	uint32_t length;
	CK_RV rv;

	if (attribute->ulValueLen % sizeof(CK_ATTRIBUTE) || !depth)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	put_header(writer, attribute->type, 0);
	start = writer->length;
	rv = put_list(writer, attribute->pValue, count, depth - 1);
	if (rv != CKR_OK || writer->error)
		return rv;
	length = htole32(writer->length - start);
	memcpy(writer->data + start - sizeof(struct hsm_attribute_header) +
		       offsetof(struct hsm_attribute_header, length),
	       &length, sizeof(length));
	return CKR_OK;
}

static CK_RV put_one(struct hsm_writer *writer, const CK_ATTRIBUTE *attribute, unsigned int depth)
{
	CK_ULONG length = attribute->ulValueLen;

	/*
	 * A length without a value, CK_UNAVAILABLE_INFORMATION among them, says nothing that
	 * could be meant.
	 */
	if ((!attribute->pValue && length) || length > HSM_DATA_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	switch (kind_of(attribute->type)) {
	case KIND_ULONG:
		if (length != sizeof(CK_ULONG))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		return put_ulongs(writer, attribute);
	case KIND_ULONGS:
		return put_ulongs(writer, attribute);
	case KIND_TEMPLATE:
		return put_nested(writer, attribute, depth);
	case KIND_BOOL:
		if (length != sizeof(CK_BBOOL))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		break;
	case KIND_BYTES:
		break;
	}
	hsm_put_attribute(writer, attribute->type, 0, length ? attribute->pValue : "", length);
	return CKR_OK;
}

static CK_RV put_list(struct hsm_writer *writer, const CK_ATTRIBUTE *attributes, CK_ULONG count,
		      unsigned int depth)
{
	CK_ULONG i;
	CK_RV rv;

	if ((!attributes && count) || count > TEMPLATE_MAX)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < count; i++) {
		rv = put_one(writer, &attributes[i], depth);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

CK_RV template_put_attributes(struct hsm_writer *writer, const CK_ATTRIBUTE *attributes,
			      CK_ULONG count)
{
	return put_list(writer, attributes, count, DEPTH_MAX);
}

CK_RV template_put(struct hsm_writer *writer, enum hsm_field_tag tag,
		   const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	size_t mark = hsm_put_begin(writer, tag);
	CK_RV rv = put_list(writer, attributes, count, DEPTH_MAX);

	hsm_put_end(writer, mark);
	return rv;
}

/* ---- from the device ---- */

static CK_RV fill_list(const uint8_t *data, size_t length, CK_ATTRIBUTE *attributes, CK_ULONG count,
		       unsigned int depth);

static CK_RV fill_ulongs(const struct hsm_attribute_view *view, CK_ATTRIBUTE *attribute)
{
	size_t count = view->length / sizeof(uint64_t), i;
	CK_ULONG value;

	if (view->length % sizeof(uint64_t))
		return CKR_DEVICE_ERROR;
	if (attribute->pValue && attribute->ulValueLen < count * sizeof(CK_ULONG))
		return CKR_BUFFER_TOO_SMALL;
	attribute->ulValueLen = count * sizeof(CK_ULONG);
	for (i = 0; attribute->pValue && i < count; i++) {
		value = hsm_get_le64(view->value + i * sizeof(uint64_t));
		memcpy((CK_BYTE *)attribute->pValue + i * sizeof(value), &value, sizeof(value));
	}
	return CKR_OK;
}

static CK_RV fill_bytes(const struct hsm_attribute_view *view, CK_ATTRIBUTE *attribute)
{
	if (attribute->pValue && attribute->ulValueLen < view->length)
		return CKR_BUFFER_TOO_SMALL;
	attribute->ulValueLen = view->length;
	if (attribute->pValue && view->length)
		memcpy(attribute->pValue, view->value, view->length);
	return CKR_OK;
}

static CK_RV fill_one(const struct hsm_attribute_view *view, CK_ATTRIBUTE *attribute,
		      unsigned int depth);

/*
 * Does the caller say which attributes of the template it wants? Types that all are
 * CK_UNAVAILABLE_INFORMATION, or were never set, are ours to fill in (3.2, 4.9.3).
 */
static bool names_types(const CK_ATTRIBUTE *nested, CK_ULONG count)
{
	CK_ULONG i;

	for (i = 0; i < count; i++)
		if (nested[i].type != CK_UNAVAILABLE_INFORMATION && nested[i].type)
			return true;
	return false;
}

static CK_RV fill_named(const struct hsm_attribute_view *view, CK_ATTRIBUTE *nested, CK_ULONG count,
			unsigned int depth)
{
	const uint8_t *cursor, *end = view->value + view->length;
	struct hsm_attribute_view inner;
	CK_RV result = CKR_OK, rv;
	CK_ULONG i;
	bool found;

	for (i = 0; i < count; i++) {
		cursor = view->value;
		found = false;
		while (!found && hsm_attributes_next(&cursor, end, &inner))
			found = inner.type == nested[i].type;
		if (!found)
			return CKR_TEMPLATE_INCONSISTENT;
		rv = fill_one(&inner, &nested[i], depth);
		if (rv == CKR_OK)
			continue;
		nested[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		if (result == CKR_OK)
			result = rv;
	}
	return result;
}

static CK_RV fill_nested(const struct hsm_attribute_view *view, CK_ATTRIBUTE *attribute,
			 unsigned int depth)
{
	const uint8_t *cursor = view->value;
	struct hsm_attribute_view inner;
	CK_ATTRIBUTE *nested = attribute->pValue;
	CK_ULONG count = 0, room = attribute->ulValueLen / sizeof(*nested);

	while (hsm_attributes_next(&cursor, view->value + view->length, &inner))
		count++;
	if (nested && depth && names_types(nested, room)) {
		attribute->ulValueLen = room * sizeof(*nested);
		return fill_named(view, nested, room, depth - 1);
	}
	if (nested && room < count)
		return CKR_BUFFER_TOO_SMALL;
	attribute->ulValueLen = count * sizeof(*nested);
	if (!nested || !depth)
		return CKR_OK;
	cursor = view->value;
	for (count = 0; hsm_attributes_next(&cursor, view->value + view->length, &inner); count++)
		nested[count].type = inner.type;
	return fill_list(view->value, view->length, nested, count, depth - 1);
}

static CK_RV fill_one(const struct hsm_attribute_view *view, CK_ATTRIBUTE *attribute,
		      unsigned int depth)
{
	if (view->status)
		return view->status;
	if (view->length == HSM_ATTRIBUTE_UNAVAILABLE)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	switch (kind_of(attribute->type)) {
	case KIND_ULONG:
	case KIND_ULONGS:
		/* An attribute without a value is empty, not a number. */
		return fill_ulongs(view, attribute);
	case KIND_TEMPLATE:
		return fill_nested(view, attribute, depth);
	default:
		return fill_bytes(view, attribute);
	}
}

/* Every attribute is dealt with; the first thing that went wrong is what is answered. */
static CK_RV fill_list(const uint8_t *data, size_t length, CK_ATTRIBUTE *attributes, CK_ULONG count,
		       unsigned int depth)
{
	const uint8_t *cursor = data, *end = data + length;
	struct hsm_attribute_view view;
	CK_RV result = CKR_OK, rv;
	CK_ULONG i;

	for (i = 0; i < count; i++) {
		if (!hsm_attributes_next(&cursor, end, &view) || view.type != attributes[i].type)
			return CKR_DEVICE_ERROR;
		rv = fill_one(&view, &attributes[i], depth);
		if (rv == CKR_OK)
			continue;
		attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		if (result == CKR_OK)
			result = rv;
	}
	return result;
}

CK_RV template_fill(CK_RV rv, const uint8_t *data, size_t length, CK_ATTRIBUTE *attributes,
		    CK_ULONG count)
{
	CK_RV filled = fill_list(data, length, attributes, count, DEPTH_MAX);

	return rv == CKR_OK || filled == CKR_DEVICE_ERROR ? filled : rv;
}
