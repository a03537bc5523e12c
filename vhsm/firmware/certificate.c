// SPDX-License-Identifier: Apache-2.0
/*
 * Certificates and trust objects: what holds between their attributes. PKCS#11 3.2, 4.7 and 4.16.
 */
#include "certificate.h"
#include "mech.h"

#define CHECK_LENGTH 3

static bool is_empty(const struct attributes *object, uint64_t type)
{
	const struct attribute *item = attributes_find(object, type);

	return !item || !item->length;
}

/* Somewhere there must be a certificate: here, or at a URL together with the hashes that name its keys */
static CK_RV check_place(const struct attributes *object)
{
	if (is_empty(object, CKA_URL))
		return is_empty(object, CKA_VALUE) ? CKR_TEMPLATE_INCOMPLETE : CKR_OK;
	if (is_empty(object, CKA_HASH_OF_SUBJECT_PUBLIC_KEY) ||
	    is_empty(object, CKA_HASH_OF_ISSUER_PUBLIC_KEY))
		return CKR_TEMPLATE_INCOMPLETE;
	return CKR_OK;
}

CK_RV certificate_settle(struct attributes *object)
{
	const struct attribute *value = attributes_find(object, CKA_VALUE);
	uint8_t digest[EVP_MAX_MD_SIZE];
	CK_RV rv = check_place(object);

	if (rv != CKR_OK)
		return rv;
	if (attributes_ulong(object, CKA_CERTIFICATE_CATEGORY, 0) >
		    CK_CERTIFICATE_CATEGORY_OTHER_ENTITY ||
	    attributes_ulong(object, CKA_JAVA_MIDP_SECURITY_DOMAIN, 0) >
		    CK_SECURITY_DOMAIN_THIRD_PARTY)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* The first bytes of the value's SHA-1; without SHA-1 there is no check value. */
	if (is_empty(object, CKA_VALUE) ||
	    !mech_digest(CKM_SHA_1, value->value, value->length, digest))
		return CKR_OK;
	return attributes_set(object, CKA_CHECK_VALUE, digest, CHECK_LENGTH);
}

static const uint64_t trusts[] = {
	CKA_TRUST_SERVER_AUTH,	    CKA_TRUST_CLIENT_AUTH, CKA_TRUST_CODE_SIGNING,
	CKA_TRUST_EMAIL_PROTECTION, CKA_TRUST_IPSEC_IKE,   CKA_TRUST_TIME_STAMPING,
	CKA_TRUST_OCSP_SIGNING,
};

/* Whoever is trusted must be named by a hash as well. */
CK_RV trust_settle(struct attributes *object)
{
	uint64_t hash = attributes_ulong(object, CKA_NAME_HASH_ALGORITHM, CKM_SHA_1);
	const struct attribute *digest = attributes_find(object, CKA_HASH_OF_CERTIFICATE);
	size_t size = mech_digest_size(hash), i;
	bool trusted = false;
	uint64_t trust;

	for (i = 0; i < sizeof(trusts) / sizeof(trusts[0]); i++) {
		trust = attributes_ulong(object, trusts[i], CKT_TRUST_UNKNOWN);
		if (trust > CKT_TRUST_MUST_VERIFY_TRUST)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		trusted = trusted || (trust != CKT_TRUST_UNKNOWN && trust != CKT_NOT_TRUSTED);
	}
	if (trusted && (is_empty(object, CKA_HASH_OF_CERTIFICATE) ||
			!attributes_find(object, CKA_NAME_HASH_ALGORITHM)))
		return CKR_TEMPLATE_INCOMPLETE;
	if (digest && digest->length && digest->length != size)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}
