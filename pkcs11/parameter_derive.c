/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of derivations and of passwords to fields, as parameter.c does the others; and what a
 * derivation gives beside its key back into the structures that its parameter points to.
 */
#include <string.h>
#include "internal.h"

#define RECORDS_MAX   64 /* parts of an input, further keys */
#define OTP_VALUE_MAX 256

/* Room for the largest structure */
union parameter {
	CK_OBJECT_HANDLE key;
	CK_EXTRACT_PARAMS first_bit;
	CK_DES_CBC_ENCRYPT_DATA_PARAMS des_cbc;
	CK_SP800_108_KDF_PARAMS sp800;
	CK_SP800_108_FEEDBACK_KDF_PARAMS feedback;
	CK_PKCS5_PBKD2_PARAMS2 pbkd2;
	CK_TLS12_MASTER_KEY_DERIVE_PARAMS master;
	CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS extended;
	CK_TLS12_KEY_MAT_PARAMS keys;
	CK_TLS_KDF_PARAMS tls_kdf;
	CK_TLS_MAC_PARAMS tls_mac;
	CK_IKE_PRF_DERIVE_PARAMS ike;
	CK_IKE1_PRF_DERIVE_PARAMS ike1;
	CK_IKE1_EXTENDED_DERIVE_PARAMS ike1_extended;
	CK_IKE2_PRF_PLUS_DERIVE_PARAMS ike2;
	CK_OTP_PARAMS otp;
};

static bool put(struct hsm_writer *w, enum hsm_field_tag tag, const void *data, CK_ULONG length)
{
	if (!is_input(data, length) || length > HSM_DATA_MAX)
		return false;
	hsm_put_bytes(w, tag, length ? data : "", length);
	return true;
}

static bool put_key(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_SECOND_KEY, p->key);
	return true;
}

static bool put_first_bit(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_FIRST_BIT, p->first_bit);
	return true;
}

static bool put_des_cbc(struct hsm_writer *w, const union parameter *p)
{
	return put(w, HSM_FIELD_IV, p->des_cbc.iv, sizeof(p->des_cbc.iv)) &&
	       put(w, HSM_FIELD_SHARED, p->des_cbc.pData, p->des_cbc.length);
}

/* ---- SP 800-108 ---- */

static void put_record(struct hsm_writer *w, CK_ULONG type, const void *data, size_t length)
{
	struct hsm_record record = { htole32((uint32_t)type), htole32((uint32_t)length) };

	hsm_put_raw(w, &record, sizeof(record));
	if (length)
		hsm_put_raw(w, data, length);
}

/* @value: a structure of the caller's, @size: what it must have */
static bool copy_in(void *to, size_t size, const CK_PRF_DATA_PARAM *data)
{
	if (!data->pValue || data->ulValueLen != size)
		return false;
	memcpy(to, data->pValue, size);
	return true;
}

static bool put_counter(struct hsm_writer *w, const CK_PRF_DATA_PARAM *data)
{
	CK_SP800_108_COUNTER_FORMAT format;
	struct hsm_number_form form = { 0 };

	if (!copy_in(&format, sizeof(format), data) || format.ulWidthInBits > UINT32_MAX)
		return false;
	form.little_endian = htole32(format.bLittleEndian ? 1 : 0);
	form.bits = htole32((uint32_t)format.ulWidthInBits);
	put_record(w, data->type, &form, sizeof(form));
	return true;
}

static bool put_length(struct hsm_writer *w, const CK_PRF_DATA_PARAM *data)
{
	CK_SP800_108_DKM_LENGTH_FORMAT format;
	struct hsm_number_form form;

	if (!copy_in(&format, sizeof(format), data) || format.ulWidthInBits > UINT32_MAX ||
	    format.dkmLengthMethod > UINT32_MAX)
		return false;
	form.method = htole32((uint32_t)format.dkmLengthMethod);
	form.little_endian = htole32(format.bLittleEndian ? 1 : 0);
	form.bits = htole32((uint32_t)format.ulWidthInBits);
	put_record(w, data->type, &form, sizeof(form));
	return true;
}

static bool put_handle(struct hsm_writer *w, const CK_PRF_DATA_PARAM *data)
{
	CK_OBJECT_HANDLE handle;
	uint64_t value;

	if (!copy_in(&handle, sizeof(handle), data))
		return false;
	value = htole64(handle);
	put_record(w, data->type, &value, sizeof(value));
	return true;
}

static bool put_part(struct hsm_writer *w, const CK_PRF_DATA_PARAM *data)
{
	switch (data->type) {
	case CK_SP800_108_ITERATION_VARIABLE:
		/* A counter in one of the three mechanisms, nothing in the others */
		if (data->ulValueLen)
			return put_counter(w, data);
		put_record(w, data->type, NULL, 0);
		return true;
	case CK_SP800_108_COUNTER:
		return put_counter(w, data);
	case CK_SP800_108_DKM_LENGTH:
		return put_length(w, data);
	case CK_SP800_108_KEY_HANDLE:
		return put_handle(w, data);
	case CK_SP800_108_BYTE_ARRAY:
		if (!data->pValue || data->ulValueLen > HSM_DATA_MAX)
			return false;
		put_record(w, data->type, data->pValue, data->ulValueLen);
		return true;
	default:
		return false;
	}
}

static bool put_parts(struct hsm_writer *w, const CK_PRF_DATA_PARAM *data, CK_ULONG count)
{
	size_t mark = hsm_put_begin(w, HSM_FIELD_PRF_DATA);
	CK_PRF_DATA_PARAM one;

	if ((!data && count) || count > RECORDS_MAX)
		return false;
	for (CK_ULONG i = 0; i < count; i++) {
		memcpy(&one, &data[i], sizeof(one));
		if (!put_part(w, &one))
			return false;
	}
	hsm_put_end(w, mark);
	return true;
}

static bool put_more_keys(struct hsm_writer *w, const CK_DERIVED_KEY *keys, CK_ULONG count)
{
	size_t mark, record;
	uint32_t length;

	if (!count)
		return true;
	if (!keys || count > RECORDS_MAX)
		return false;
	mark = hsm_put_begin(w, HSM_FIELD_MORE_KEYS);
	for (CK_ULONG i = 0; i < count; i++) {
		if (!keys[i].phKey || (!keys[i].pTemplate && keys[i].ulAttributeCount))
			return false;
		record = w->length;
		put_record(w, 0, NULL, 0);
		if (template_put_attributes(w, keys[i].pTemplate, keys[i].ulAttributeCount) !=
		    CKR_OK)
			return false;
		if (w->error)
			return true;
		length = htole32((uint32_t)(w->length - record - sizeof(struct hsm_record)));
		memcpy(w->data + record + offsetof(struct hsm_record, length), &length,
		       sizeof(length));
	}
	hsm_put_end(w, mark);
	return true;
}

static bool put_sp800(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->sp800.prfType);
	return put_parts(w, p->sp800.pDataParams, p->sp800.ulNumberOfDataParams) &&
	       put_more_keys(w, p->sp800.pAdditionalDerivedKeys, p->sp800.ulAdditionalDerivedKeys);
}

static bool put_feedback(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->feedback.prfType);
	return put_parts(w, p->feedback.pDataParams, p->feedback.ulNumberOfDataParams) &&
	       put(w, HSM_FIELD_SEED, p->feedback.pIV, p->feedback.ulIVLen) &&
	       put_more_keys(w, p->feedback.pAdditionalDerivedKeys,
			     p->feedback.ulAdditionalDerivedKeys);
}

/* ---- passwords ---- */

/*
 * Versions before 2.40 had CK_PKCS5_PBKD2_PARAMS, of the same size, where the length is behind a
 * pointer; NSS gives that form. No password of so many bytes fits in a command, and no address is
 * as small as one that does (vm.mmap_min_addr).
 */
#define LEAST_ADDRESS 65536

static CK_ULONG password_length(const CK_PKCS5_PBKD2_PARAMS2 *q)
{
	CK_ULONG length;

	if (q->ulPasswordLen < LEAST_ADDRESS)
		return q->ulPasswordLen;
	memcpy(&length, (const void *)q->ulPasswordLen, sizeof(length));
	return length;
}

static bool put_pbkd2(struct hsm_writer *w, const union parameter *p)
{
	const CK_PKCS5_PBKD2_PARAMS2 *q = &p->pbkd2;

	/* Without a salt its source may be left out; whether there must be one is the device's to say. */
	if ((q->saltSource != CKZ_SALT_SPECIFIED && (q->saltSource || q->ulSaltSourceDataLen)) ||
	    q->pPrfData || q->ulPrfDataLen)
		return false;
	hsm_put_u64(w, HSM_FIELD_ITERATIONS, q->iterations);
	hsm_put_u64(w, HSM_FIELD_PRF, q->prf);
	return put(w, HSM_FIELD_SALT, q->pSaltSourceData, q->ulSaltSourceDataLen) &&
	       put(w, HSM_FIELD_PASSWORD, q->pPassword, password_length(q));
}

/* ---- TLS 1.2 ---- */

static bool put_randoms(struct hsm_writer *w, const CK_SSL3_RANDOM_DATA *random)
{
	return put(w, HSM_FIELD_SEED, random->pClientRandom, random->ulClientRandomLen) &&
	       put(w, HSM_FIELD_OTHER_SEED, random->pServerRandom, random->ulServerRandomLen);
}

static bool put_master(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->master.prfHashMechanism);
	return put_randoms(w, &p->master.RandomInfo);
}

static bool put_extended(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->extended.prfHashMechanism);
	return put(w, HSM_FIELD_SEED, p->extended.pSessionHash, p->extended.ulSessionHashLen);
}

static bool put_keys(struct hsm_writer *w, const union parameter *p)
{
	const CK_TLS12_KEY_MAT_PARAMS *q = &p->keys;

	if (q->bIsExport)
		return false;
	hsm_put_u64(w, HSM_FIELD_PRF, q->prfHashMechanism);
	hsm_put_u64(w, HSM_FIELD_MAC_BITS, q->ulMacSizeInBits);
	hsm_put_u64(w, HSM_FIELD_KEY_BITS, q->ulKeySizeInBits);
	hsm_put_u64(w, HSM_FIELD_IV_BITS, q->ulIVSizeInBits);
	return put_randoms(w, &q->RandomInfo);
}

static bool put_tls_kdf(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->tls_kdf.prfMechanism);
	if (!put(w, HSM_FIELD_PRF_LABEL, p->tls_kdf.pLabel, p->tls_kdf.ulLabelLength) ||
	    !put_randoms(w, &p->tls_kdf.RandomInfo))
		return false;
	/* An empty context is not the same as none (RFC 5705, 4). */
	return !p->tls_kdf.pContextData ? !p->tls_kdf.ulContextDataLength
					: put(w, HSM_FIELD_INFO, p->tls_kdf.pContextData,
					      p->tls_kdf.ulContextDataLength);
}

static bool put_tls_mac(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->tls_mac.prfHashMechanism);
	hsm_put_u64(w, HSM_FIELD_LENGTH, p->tls_mac.ulMacLength);
	hsm_put_u64(w, HSM_FIELD_NUMBER, p->tls_mac.ulServerOrClient);
	return true;
}

/* ---- IKE ---- */

static bool put_ike(struct hsm_writer *w, const union parameter *p)
{
	uint64_t flags = (p->ike.bDataAsKey ? HSM_IKE_DATA_AS_KEY : 0) |
			 (p->ike.bRekey ? HSM_IKE_REKEY : 0);

	hsm_put_u64(w, HSM_FIELD_PRF, p->ike.prfMechanism);
	hsm_put_u64(w, HSM_FIELD_NUMBER, flags);
	if (p->ike.bRekey)
		hsm_put_u64(w, HSM_FIELD_SECOND_KEY, p->ike.hNewKey);
	return put(w, HSM_FIELD_SEED, p->ike.pNi, p->ike.ulNiLen) &&
	       put(w, HSM_FIELD_OTHER_SEED, p->ike.pNr, p->ike.ulNrLen);
}

static bool put_ike1(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->ike1.prfMechanism);
	hsm_put_u64(w, HSM_FIELD_NUMBER, p->ike1.keyNumber);
	hsm_put_u64(w, HSM_FIELD_SECOND_KEY, p->ike1.hKeygxy);
	if (p->ike1.bHasPrevKey)
		hsm_put_u64(w, HSM_FIELD_THIRD_KEY, p->ike1.hPrevKey);
	return put(w, HSM_FIELD_SEED, p->ike1.pCKYi, p->ike1.ulCKYiLen) &&
	       put(w, HSM_FIELD_OTHER_SEED, p->ike1.pCKYr, p->ike1.ulCKYrLen);
}

static bool put_ike1_extended(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->ike1_extended.prfMechanism);
	if (p->ike1_extended.bHasKeygxy)
		hsm_put_u64(w, HSM_FIELD_SECOND_KEY, p->ike1_extended.hKeygxy);
	return put(w, HSM_FIELD_SHARED, p->ike1_extended.pExtraData,
		   p->ike1_extended.ulExtraDataLen);
}

static bool put_ike2(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PRF, p->ike2.prfMechanism);
	if (p->ike2.bHasSeedKey)
		hsm_put_u64(w, HSM_FIELD_SECOND_KEY, p->ike2.hSeedKey);
	return put(w, HSM_FIELD_SHARED, p->ike2.pSeedData, p->ike2.ulSeedDataLen);
}

/* ---- one-time passwords ---- */

static bool put_otp_one(struct hsm_writer *w, const CK_OTP_PARAM *param)
{
	uint64_t number;
	CK_ULONG given;

	switch (param->type) {
	case CK_OTP_FLAGS:
	case CK_OTP_OUTPUT_LENGTH:
	case CK_OTP_OUTPUT_FORMAT:
		if (!param->pValue || param->ulValueLen != sizeof(given))
			return false;
		memcpy(&given, param->pValue, sizeof(given));
		number = htole64(given);
		put_record(w, param->type, &number, sizeof(number));
		return true;
	default:
		if ((!param->pValue && param->ulValueLen) || param->ulValueLen > OTP_VALUE_MAX ||
		    param->type > UINT32_MAX)
			return false;
		put_record(w, param->type, param->pValue, param->ulValueLen);
		return true;
	}
}

static bool put_otp(struct hsm_writer *w, const union parameter *p)
{
	size_t mark = hsm_put_begin(w, HSM_FIELD_OTP_DATA);
	CK_OTP_PARAM one;

	if ((!p->otp.pParams && p->otp.ulCount) || p->otp.ulCount > RECORDS_MAX)
		return false;
	for (CK_ULONG i = 0; i < p->otp.ulCount; i++) {
		memcpy(&one, &p->otp.pParams[i], sizeof(one));
		if (!put_otp_one(w, &one))
			return false;
	}
	hsm_put_end(w, mark);
	return true;
}

static const struct form {
	size_t size;
	bool (*put)(struct hsm_writer *w, const union parameter *p);
} forms[] = {
	[HSM_PARAM_OTP] = { sizeof(CK_OTP_PARAMS), put_otp },
	[HSM_PARAM_KEY] = { sizeof(CK_OBJECT_HANDLE), put_key },
	[HSM_PARAM_FIRST_BIT] = { sizeof(CK_EXTRACT_PARAMS), put_first_bit },
	[HSM_PARAM_DES_CBC_DATA] = { sizeof(CK_DES_CBC_ENCRYPT_DATA_PARAMS), put_des_cbc },
	[HSM_PARAM_SP800_108] = { sizeof(CK_SP800_108_KDF_PARAMS), put_sp800 },
	[HSM_PARAM_SP800_108_FEEDBACK] = { sizeof(CK_SP800_108_FEEDBACK_KDF_PARAMS), put_feedback },
	[HSM_PARAM_PBKD2] = { sizeof(CK_PKCS5_PBKD2_PARAMS2), put_pbkd2 },
	[HSM_PARAM_TLS12_MASTER] = { sizeof(CK_TLS12_MASTER_KEY_DERIVE_PARAMS), put_master },
	[HSM_PARAM_TLS12_EXTENDED] = { sizeof(CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS),
				       put_extended },
	[HSM_PARAM_TLS12_KEYS] = { sizeof(CK_TLS12_KEY_MAT_PARAMS), put_keys },
	[HSM_PARAM_TLS_KDF] = { sizeof(CK_TLS_KDF_PARAMS), put_tls_kdf },
	[HSM_PARAM_TLS_MAC] = { sizeof(CK_TLS_MAC_PARAMS), put_tls_mac },
	[HSM_PARAM_IKE_PRF] = { sizeof(CK_IKE_PRF_DERIVE_PARAMS), put_ike },
	[HSM_PARAM_IKE1_PRF] = { sizeof(CK_IKE1_PRF_DERIVE_PARAMS), put_ike1 },
	[HSM_PARAM_IKE1_EXTENDED] = { sizeof(CK_IKE1_EXTENDED_DERIVE_PARAMS), put_ike1_extended },
	[HSM_PARAM_IKE2_PRF_PLUS] = { sizeof(CK_IKE2_PRF_PLUS_DERIVE_PARAMS), put_ike2 },
};

bool parameter_derive_put(struct hsm_writer *writer, unsigned int parameter,
			  const CK_MECHANISM *mechanism)
{
	const struct form *form;
	union parameter copy;

	if (parameter >= sizeof(forms) / sizeof(forms[0]) || !forms[parameter].put)
		return false;
	form = &forms[parameter];
	if (!mechanism->pParameter && !mechanism->ulParameterLen)
		return parameter == HSM_PARAM_OTP;
	if (!mechanism->pParameter || mechanism->ulParameterLen != form->size)
		return false;
	memcpy(&copy, mechanism->pParameter, form->size);
	return form->put(writer, &copy);
}

/* ---- results ---- */

static void give_more_keys(const struct hsm_fields *fields, const CK_DERIVED_KEY *keys,
			   CK_ULONG count)
{
	const uint8_t *handles;
	size_t length;

	handles = hsm_fields_bytes(fields, HSM_FIELD_HANDLES, &length);
	for (CK_ULONG i = 0; i < count && (i + 1) * 8 <= length; i++)
		*keys[i].phKey = hsm_get_le64(handles + 8 * i);
}

static void give_version(const struct hsm_fields *fields, CK_VERSION *version)
{
	const uint8_t *bytes;
	size_t length;

	bytes = hsm_fields_bytes(fields, HSM_FIELD_VERSION, &length);
	if (!version)
		return;
	version->major = length == 2 ? bytes[0] : 0;
	version->minor = length == 2 ? bytes[1] : 0;
}

static CK_RV give_tls_keys(const struct hsm_fields *fields, const CK_TLS12_KEY_MAT_PARAMS *keys,
			   bool ivs)
{
	CK_SSL3_KEY_MAT_OUT *out = keys->pReturnedKeyMaterial;
	const uint8_t *handles, *iv;
	size_t length, iv_length, half = keys->ulIVSizeInBits / 8;

	handles = hsm_fields_bytes(fields, HSM_FIELD_HANDLES, &length);
	iv = hsm_fields_bytes(fields, HSM_FIELD_IV, &iv_length);
	if (length != 4 * 8 || iv_length != (ivs ? 2 * half : 0))
		return CKR_DEVICE_ERROR;
	out->hClientMacSecret = hsm_get_le64(handles);
	out->hServerMacSecret = hsm_get_le64(handles + 8);
	out->hClientKey = hsm_get_le64(handles + 16);
	out->hServerKey = hsm_get_le64(handles + 24);
	if (iv_length) {
		memcpy(out->pIVClient, iv, half);
		memcpy(out->pIVServer, iv + half, half);
	}
	return CKR_OK;
}

bool derive_gives_no_key(const CK_MECHANISM *mechanism)
{
	const struct hsm_mechanism_info *info = mechanism ? hsm_mechanism_find(mechanism->mechanism)
							  : NULL;

	return info && info->parameter == HSM_PARAM_TLS12_KEYS;
}

static bool gives_ivs(const CK_MECHANISM *mechanism, const CK_TLS12_KEY_MAT_PARAMS *keys)
{
	return mechanism->mechanism == CKM_TLS12_KEY_AND_MAC_DERIVE && keys->ulIVSizeInBits;
}

/* Keys and IVs need a place. */
CK_RV derive_check(const CK_MECHANISM *mechanism)
{
	CK_TLS12_KEY_MAT_PARAMS keys;
	bool placed;

	if (!derive_gives_no_key(mechanism))
		return CKR_OK;
	memcpy(&keys, mechanism->pParameter, sizeof(keys));
	placed = keys.pReturnedKeyMaterial &&
		 (!gives_ivs(mechanism, &keys) ||
		  (keys.pReturnedKeyMaterial->pIVClient && keys.pReturnedKeyMaterial->pIVServer));
	return placed ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

CK_RV derive_give(const struct hsm_fields *fields, const CK_MECHANISM *mechanism)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(mechanism->mechanism);
	union parameter p;

	switch (info->parameter) {
	case HSM_PARAM_SP800_108:
		memcpy(&p, mechanism->pParameter, sizeof(p.sp800));
		give_more_keys(fields, p.sp800.pAdditionalDerivedKeys,
			       p.sp800.ulAdditionalDerivedKeys);
		return CKR_OK;
	case HSM_PARAM_SP800_108_FEEDBACK:
		memcpy(&p, mechanism->pParameter, sizeof(p.feedback));
		give_more_keys(fields, p.feedback.pAdditionalDerivedKeys,
			       p.feedback.ulAdditionalDerivedKeys);
		return CKR_OK;
	case HSM_PARAM_TLS12_MASTER:
		memcpy(&p, mechanism->pParameter, sizeof(p.master));
		give_version(fields, p.master.pVersion);
		return CKR_OK;
	case HSM_PARAM_TLS12_EXTENDED:
		memcpy(&p, mechanism->pParameter, sizeof(p.extended));
		give_version(fields, p.extended.pVersion);
		return CKR_OK;
	case HSM_PARAM_TLS12_KEYS:
		memcpy(&p, mechanism->pParameter, sizeof(p.keys));
		return give_tls_keys(fields, &p.keys, gives_ivs(mechanism, &p.keys));
	default:
		return CKR_OK;
	}
}
