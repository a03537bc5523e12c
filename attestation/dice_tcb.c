// SPDX-License-Identifier: Apache-2.0
/*
 * The extension DiceTcbInfo (TCG DICE Attestation Architecture, 6.1.1) in the subset that this project
 * writes; libcrypto's templates do the DER. What the standard has no field for, lifecycle and approved
 * mode, is in vendorInfo.
 */
#include <errno.h>
#include <string.h>
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <hsm/dice.h>

/* Bits of OperationalFlags */
#define FLAG_NOT_SECURE		  1
#define FLAG_DEBUG		  3
#define FLAG_NOT_REPLAY_PROTECTED 4

typedef struct {
	ASN1_OBJECT *algorithm;
	ASN1_OCTET_STRING *digest;
} FWID;

DEFINE_STACK_OF(FWID)

typedef struct {
	ASN1_UTF8STRING *vendor;
	ASN1_UTF8STRING *model;
	ASN1_UTF8STRING *version;
	ASN1_INTEGER *svn;
	ASN1_INTEGER *layer;
	ASN1_INTEGER *index;
	STACK_OF(FWID) * fwids;
	ASN1_BIT_STRING *flags;
	ASN1_OCTET_STRING *vendor_info;
	ASN1_OCTET_STRING *type;
} TCB_INFO;

/* In vendorInfo */
typedef struct {
	ASN1_INTEGER *lifecycle;
	ASN1_BOOLEAN approved;
} VENDOR_INFO;

/* clang-format off */
ASN1_SEQUENCE(FWID) = {
	ASN1_SIMPLE(FWID, algorithm, ASN1_OBJECT),
	ASN1_SIMPLE(FWID, digest, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(FWID)

ASN1_SEQUENCE(TCB_INFO) = {
	ASN1_IMP_OPT(TCB_INFO, vendor, ASN1_UTF8STRING, 0),
	ASN1_IMP_OPT(TCB_INFO, model, ASN1_UTF8STRING, 1),
	ASN1_IMP_OPT(TCB_INFO, version, ASN1_UTF8STRING, 2),
	ASN1_IMP_OPT(TCB_INFO, svn, ASN1_INTEGER, 3),
	ASN1_IMP_OPT(TCB_INFO, layer, ASN1_INTEGER, 4),
	ASN1_IMP_OPT(TCB_INFO, index, ASN1_INTEGER, 5),
	ASN1_IMP_SEQUENCE_OF_OPT(TCB_INFO, fwids, FWID, 6),
	ASN1_IMP_OPT(TCB_INFO, flags, ASN1_BIT_STRING, 7),
	ASN1_IMP_OPT(TCB_INFO, vendor_info, ASN1_OCTET_STRING, 8),
	ASN1_IMP_OPT(TCB_INFO, type, ASN1_OCTET_STRING, 9),
} static_ASN1_SEQUENCE_END(TCB_INFO)

ASN1_SEQUENCE(VENDOR_INFO) = {
	ASN1_SIMPLE(VENDOR_INFO, lifecycle, ASN1_INTEGER),
	ASN1_SIMPLE(VENDOR_INFO, approved, ASN1_BOOLEAN),
} static_ASN1_SEQUENCE_END(VENDOR_INFO)
/* clang-format on */


static const char firmware_type[] = "ihsm firmware";

/* ---- lifecycle ---- */

static const char *const lifecycles[] = {
	[HSM_LIFECYCLE_DEVELOPMENT] = "development",
	[HSM_LIFECYCLE_PRODUCTION] = "production",
	[HSM_LIFECYCLE_RETURNED] = "returned",
	[HSM_LIFECYCLE_DECOMMISSIONED] = "decommissioned",
};

#define LIFECYCLES (sizeof(lifecycles) / sizeof(lifecycles[0]))

const char *hsm_lifecycle_name(uint32_t lifecycle)
{
	return lifecycle && lifecycle < LIFECYCLES ? lifecycles[lifecycle] : "unknown";
}

uint32_t hsm_lifecycle_parse(const char *name)
{
	uint32_t i;

	for (i = 1; i < LIFECYCLES; i++)
		if (strcmp(lifecycles[i], name) == 0)
			return i;
	return 0;
}

/* ---- writing ---- */

static bool put_text(ASN1_UTF8STRING **field, const char *text)
{
	*field = ASN1_UTF8STRING_new();
	return *field && ASN1_STRING_set(*field, text, -1);
}

static bool put_bytes(ASN1_OCTET_STRING **field, const void *bytes, size_t length)
{
	*field = ASN1_OCTET_STRING_new();
	return *field && ASN1_OCTET_STRING_set(*field, bytes, (int)length);
}

static bool put_number(ASN1_INTEGER **field, uint32_t value)
{
	if (!*field)
		*field = ASN1_INTEGER_new();
	return *field && ASN1_INTEGER_set_uint64(*field, value);
}

static bool put_flags(TCB_INFO *info, const struct hsm_tcb_info *tcb)
{
	info->flags = ASN1_BIT_STRING_new();
	return info->flags &&
	       ASN1_BIT_STRING_set_bit(info->flags, FLAG_NOT_SECURE,
				       tcb->lifecycle != HSM_LIFECYCLE_PRODUCTION) &&
	       ASN1_BIT_STRING_set_bit(info->flags, FLAG_DEBUG, tcb->debug) &&
	       ASN1_BIT_STRING_set_bit(info->flags, FLAG_NOT_REPLAY_PROTECTED,
				       !tcb->rollback_protected);
}

static bool put_fwid(TCB_INFO *info, const uint8_t measurement[HSM_MEASUREMENT_SIZE])
{
	FWID *fwid = (FWID *)ASN1_item_new(ASN1_ITEM_rptr(FWID));

	info->fwids = sk_FWID_new_null();
	if (!fwid || !info->fwids || !sk_FWID_push(info->fwids, fwid)) {
		ASN1_item_free((ASN1_VALUE *)fwid, ASN1_ITEM_rptr(FWID));
		return false;
	}
	fwid->algorithm = OBJ_nid2obj(NID_sha384);
	return ASN1_OCTET_STRING_set(fwid->digest, measurement, HSM_MEASUREMENT_SIZE);
}

static bool put_vendor_info(TCB_INFO *info, const struct hsm_tcb_info *tcb)
{
	VENDOR_INFO *own = (VENDOR_INFO *)ASN1_item_new(ASN1_ITEM_rptr(VENDOR_INFO));
	uint8_t *der = NULL;
	int length = -1;
	bool done;

	if (own && put_number(&own->lifecycle, tcb->lifecycle)) {
		own->approved = tcb->approved ? 0xff : 0;
		length = ASN1_item_i2d((ASN1_VALUE *)own, &der, ASN1_ITEM_rptr(VENDOR_INFO));
	}
	done = length > 0 && put_bytes(&info->vendor_info, der, (size_t)length);
	OPENSSL_free(der);
	ASN1_item_free((ASN1_VALUE *)own, ASN1_ITEM_rptr(VENDOR_INFO));
	return done;
}

int hsm_tcb_info_encode(const struct hsm_tcb_info *tcb, uint8_t **der)
{
	TCB_INFO *info = (TCB_INFO *)ASN1_item_new(ASN1_ITEM_rptr(TCB_INFO));
	int length = -1;

	*der = NULL;
	if (info && put_text(&info->vendor, tcb->vendor) && put_text(&info->model, tcb->model) &&
	    put_text(&info->version, tcb->version) &&
	    put_number(&info->svn, tcb->security_version) &&
	    put_number(&info->index, tcb->function) && put_fwid(info, tcb->measurement) &&
	    put_flags(info, tcb) && put_vendor_info(info, tcb) &&
	    put_bytes(&info->type, firmware_type, sizeof(firmware_type) - 1))
		length = ASN1_item_i2d((ASN1_VALUE *)info, der, ASN1_ITEM_rptr(TCB_INFO));
	ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(TCB_INFO));
	return length > 0 ? length : -EIO;
}

/* ---- reading ---- */

static bool get_text(const ASN1_UTF8STRING *field, char *text, size_t size)
{
	int length = field ? ASN1_STRING_length(field) : -1;

	if (length < 0 || (size_t)length >= size ||
	    memchr(ASN1_STRING_get0_data(field), 0, (size_t)length))
		return false;
	memcpy(text, ASN1_STRING_get0_data(field), (size_t)length);
	text[length] = '\0';
	return true;
}

static bool get_number(const ASN1_INTEGER *field, uint32_t *value)
{
	uint64_t wide;

	if (!field || !ASN1_INTEGER_get_uint64(&wide, field) || wide > UINT32_MAX)
		return false;
	*value = (uint32_t)wide;
	return true;
}

static bool get_fwid(const TCB_INFO *info, uint8_t measurement[HSM_MEASUREMENT_SIZE])
{
	const FWID *fwid;

	if (!info->fwids || sk_FWID_num(info->fwids) != 1)
		return false;
	fwid = sk_FWID_value(info->fwids, 0);
	if (OBJ_obj2nid(fwid->algorithm) != NID_sha384 ||
	    ASN1_STRING_length(fwid->digest) != HSM_MEASUREMENT_SIZE)
		return false;
	memcpy(measurement, ASN1_STRING_get0_data(fwid->digest), HSM_MEASUREMENT_SIZE);
	return true;
}

static bool get_vendor_info(const TCB_INFO *info, struct hsm_tcb_info *tcb)
{
	const ASN1_OCTET_STRING *field = info->vendor_info;
	const uint8_t *at = field ? ASN1_STRING_get0_data(field) : NULL, *end;
	ASN1_VALUE *value = NULL;
	VENDOR_INFO *own;
	bool good;

	if (!field)
		return false;
	end = at + ASN1_STRING_length(field);
	own = (VENDOR_INFO *)ASN1_item_d2i(&value, &at, ASN1_STRING_length(field),
					   ASN1_ITEM_rptr(VENDOR_INFO));
	good = own && at == end && get_number(own->lifecycle, &tcb->lifecycle) && tcb->lifecycle &&
	       tcb->lifecycle < LIFECYCLES;
	if (good)
		tcb->approved = own->approved != 0;
	ASN1_item_free((ASN1_VALUE *)own, ASN1_ITEM_rptr(VENDOR_INFO));
	return good;
}

/* What the flags say of the lifecycle has to be what is said there. */
static bool get_flags(const TCB_INFO *info, struct hsm_tcb_info *tcb)
{
	if (!info->flags)
		return false;
	tcb->debug = ASN1_BIT_STRING_get_bit(info->flags, FLAG_DEBUG);
	tcb->rollback_protected = !ASN1_BIT_STRING_get_bit(info->flags, FLAG_NOT_REPLAY_PROTECTED);
	return ASN1_BIT_STRING_get_bit(info->flags, FLAG_NOT_SECURE) ==
	       (tcb->lifecycle != HSM_LIFECYCLE_PRODUCTION);
}

static bool get_type(const TCB_INFO *info)
{
	return info->type && ASN1_STRING_length(info->type) == sizeof(firmware_type) - 1 &&
	       memcmp(ASN1_STRING_get0_data(info->type), firmware_type,
		      sizeof(firmware_type) - 1) == 0;
}

static bool get_all(const TCB_INFO *info, struct hsm_tcb_info *tcb)
{
	return !info->layer && get_type(info) &&
	       get_text(info->vendor, tcb->vendor, sizeof(tcb->vendor)) &&
	       get_text(info->model, tcb->model, sizeof(tcb->model)) &&
	       get_text(info->version, tcb->version, sizeof(tcb->version)) &&
	       get_number(info->svn, &tcb->security_version) &&
	       get_number(info->index, &tcb->function) && get_fwid(info, tcb->measurement) &&
	       get_vendor_info(info, tcb) && get_flags(info, tcb);
}

/*
 * What was understood, written again, has to be what was there: a flag that is not known here, such as one of
 * recovery, or bytes in another form could mean something that is not looked at.
 */
static bool is_whole(const struct hsm_tcb_info *tcb, const uint8_t *der, size_t length)
{
	uint8_t *again = NULL;
	int size = hsm_tcb_info_encode(tcb, &again);
	bool same = size > 0 && (size_t)size == length && !memcmp(again, der, length);

	OPENSSL_free(again);
	return same;
}

int hsm_tcb_info_decode(const uint8_t *der, size_t length, struct hsm_tcb_info *tcb)
{
	const uint8_t *at = der;
	TCB_INFO *info;
	bool good;

	memset(tcb, 0, sizeof(*tcb));
	if (length > 4096)
		return -EBADMSG;
	info = (TCB_INFO *)ASN1_item_d2i(NULL, &at, (long)length, ASN1_ITEM_rptr(TCB_INFO));
	good = info && at == der + length && get_all(info, tcb) && is_whole(tcb, der, length);
	ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(TCB_INFO));
	ERR_clear_error();
	return good ? 0 : -EBADMSG;
}

int hsm_tcb_info_find(const X509 *cert, struct hsm_tcb_info *tcb)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(HSM_TCB_INFO_OID, 1);
	const ASN1_OCTET_STRING *value;
	int at, ret = -ENOENT;

	if (!oid)
		return -EBADMSG;
	at = X509_get_ext_by_OBJ(cert, oid, -1);
	if (at >= 0 && X509_get_ext_by_OBJ(cert, oid, at) >= 0) {
		ret = -EBADMSG;
	} else if (at >= 0) {
		value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
		ret = hsm_tcb_info_decode(ASN1_STRING_get0_data(value),
					  (size_t)ASN1_STRING_length(value), tcb);
	}
	ASN1_OBJECT_free(oid);
	return ret;
}
