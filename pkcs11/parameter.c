/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mechanism parameters to fields: one row for each form that the table of mechanisms knows
 * (hsm/mechanisms.h). The structures are copied first, as a caller's memory need not be aligned
 * for them. Values are not judged here; pointers and lengths are.
 */
#include <string.h>
#include "internal.h"

/* Room for the largest structure */
union parameter {
	CK_AES_CTR_PARAMS ctr;
	CK_GCM_PARAMS gcm;
	struct {
		CK_BYTE *nonce;
		CK_ULONG nonce_bits;
		CK_BYTE *aad;
		CK_ULONG aad_length;
	} poly1305;
	CK_CCM_PARAMS ccm;
	CK_CHACHA20_PARAMS chacha20;
	CK_RSA_PKCS_PSS_PARAMS pss;
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	CK_ECDH1_DERIVE_PARAMS ecdh;
	CK_X9_42_DH1_DERIVE_PARAMS x9_42;
	CK_RSA_AES_KEY_WRAP_PARAMS rsa_aes;
	CK_ECDH_AES_KEY_WRAP_PARAMS ecdh_aes;
	CK_EDDSA_PARAMS eddsa;
	CK_SIGN_ADDITIONAL_CONTEXT context;
	CK_HASH_SIGN_ADDITIONAL_CONTEXT hash_context;
	CK_MAC_GENERAL_PARAMS mac_length;
	CK_HKDF_PARAMS hkdf;
	CK_KEY_DERIVATION_STRING_DATA data;
	CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc_data;
};

/*
 * Bytes at a pointer of the caller's. Return: false when there is a length and no pointer, or the
 * length is absurd.
 */
static bool put(struct hsm_writer *w, enum hsm_field_tag tag, const void *data, CK_ULONG length)
{
	if (!is_input(data, length) || length > HSM_DATA_MAX)
		return false;
	hsm_put_bytes(w, tag, length ? data : "", length);
	return true;
}

static bool put_ctr(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_COUNTER_BITS, p->ctr.ulCounterBits);
	return put(w, HSM_FIELD_IV, p->ctr.cb, sizeof(p->ctr.cb));
}

static bool put_gcm(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_TAG_BITS, p->gcm.ulTagBits);
	return put(w, HSM_FIELD_IV, p->gcm.pIv, p->gcm.ulIvLen) &&
	       put(w, HSM_FIELD_AAD, p->gcm.pAAD, p->gcm.ulAADLen);
}

static bool put_ccm(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_LENGTH, p->ccm.ulDataLen);
	hsm_put_u64(w, HSM_FIELD_TAG_BITS, (uint64_t)p->ccm.ulMACLen * 8);
	return put(w, HSM_FIELD_IV, p->ccm.pNonce, p->ccm.ulNonceLen) &&
	       put(w, HSM_FIELD_AAD, p->ccm.pAAD, p->ccm.ulAADLen);
}

/* Counter and nonce, 4 and 12 bytes or 8 and 8, one after the other: XChaCha20 has no mechanism here. */
static bool put_chacha20(struct hsm_writer *w, const union parameter *p)
{
	size_t counter = p->chacha20.blockCounterBits / 8, nonce = p->chacha20.ulNonceBits / 8;
	uint8_t iv[16];

	if (counter > sizeof(iv) || nonce > sizeof(iv) - counter ||
	    (counter && !p->chacha20.pBlockCounter) || (nonce && !p->chacha20.pNonce))
		return false;
	if (counter)
		memcpy(iv, p->chacha20.pBlockCounter, counter);
	if (nonce)
		memcpy(iv + counter, p->chacha20.pNonce, nonce);
	hsm_put_u64(w, HSM_FIELD_COUNTER_BITS, p->chacha20.blockCounterBits);
	return put(w, HSM_FIELD_IV, iv, counter + nonce);
}

/* CK_SALSA20_CHACHA20_POLY1305_PARAMS, whose members p11-kit names otherwise than the standard */
static bool put_nonce_aad(struct hsm_writer *w, const union parameter *p)
{
	return p->poly1305.nonce_bits % 8 == 0 &&
	       put(w, HSM_FIELD_IV, p->poly1305.nonce, p->poly1305.nonce_bits / 8) &&
	       put(w, HSM_FIELD_AAD, p->poly1305.aad, p->poly1305.aad_length);
}

static bool put_pss(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_HASH, p->pss.hashAlg);
	hsm_put_u64(w, HSM_FIELD_MGF, p->pss.mgf);
	hsm_put_u64(w, HSM_FIELD_SALT_LENGTH, p->pss.sLen);
	return true;
}

static bool put_oaep(struct hsm_writer *w, const union parameter *p)
{
	/* Some callers leave the source out when there is no label. */
	if (p->oaep.source != CKZ_DATA_SPECIFIED && (p->oaep.source || p->oaep.ulSourceDataLen))
		return false;
	hsm_put_u64(w, HSM_FIELD_HASH, p->oaep.hashAlg);
	hsm_put_u64(w, HSM_FIELD_MGF, p->oaep.mgf);
	return put(w, HSM_FIELD_SOURCE, p->oaep.pSourceData, p->oaep.ulSourceDataLen);
}

static bool put_ecdh(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_KDF, p->ecdh.kdf);
	return put(w, HSM_FIELD_SHARED, p->ecdh.pSharedData, p->ecdh.ulSharedDataLen) &&
	       put(w, HSM_FIELD_PUBLIC, p->ecdh.pPublicData, p->ecdh.ulPublicDataLen);
}

static bool put_rsa_aes(struct hsm_writer *w, const union parameter *p)
{
	union parameter inner;

	if (!p->rsa_aes.pOAEPParams)
		return false;
	memcpy(&inner.oaep, p->rsa_aes.pOAEPParams, sizeof(inner.oaep));
	hsm_put_u64(w, HSM_FIELD_AES_BITS, p->rsa_aes.ulAESKeyBits);
	return put_oaep(w, &inner);
}

static bool put_ecdh_aes(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_AES_BITS, p->ecdh_aes.ulAESKeyBits);
	hsm_put_u64(w, HSM_FIELD_KDF, p->ecdh_aes.kdf);
	return put(w, HSM_FIELD_SHARED, p->ecdh_aes.pSharedData, p->ecdh_aes.ulSharedDataLen);
}

static bool put_x9_42(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_KDF, p->x9_42.kdf);
	return put(w, HSM_FIELD_SHARED, p->x9_42.pOtherInfo, p->x9_42.ulOtherInfoLen) &&
	       put(w, HSM_FIELD_PUBLIC, p->x9_42.pPublicData, p->x9_42.ulPublicDataLen);
}

static bool put_eddsa(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_PREHASH, p->eddsa.phFlag ? 1 : 0);
	return put(w, HSM_FIELD_CONTEXT, p->eddsa.pContextData, p->eddsa.ulContextDataLen);
}

static bool put_context(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_HEDGE, p->context.hedgeVariant);
	return put(w, HSM_FIELD_CONTEXT, p->context.pContext, p->context.ulContextLen);
}

static bool put_hash_context(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_HEDGE, p->hash_context.hedgeVariant);
	hsm_put_u64(w, HSM_FIELD_HASH, p->hash_context.hash);
	return put(w, HSM_FIELD_CONTEXT, p->hash_context.pContext, p->hash_context.ulContextLen);
}

static bool put_mac_length(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_LENGTH, p->mac_length);
	return true;
}

static bool put_hkdf(struct hsm_writer *w, const union parameter *p)
{
	hsm_put_u64(w, HSM_FIELD_EXTRACT, p->hkdf.bExtract ? 1 : 0);
	hsm_put_u64(w, HSM_FIELD_EXPAND, p->hkdf.bExpand ? 1 : 0);
	hsm_put_u64(w, HSM_FIELD_HASH, p->hkdf.prfHashMechanism);
	if (p->hkdf.bExtract && p->hkdf.ulSaltType == CKF_HKDF_SALT_KEY)
		hsm_put_u64(w, HSM_FIELD_SALT_KEY, p->hkdf.hSaltKey);
	else if (p->hkdf.bExtract && p->hkdf.ulSaltType == CKF_HKDF_SALT_DATA &&
		 !put(w, HSM_FIELD_SALT, p->hkdf.pSalt, p->hkdf.ulSaltLen))
		return false;
	return put(w, HSM_FIELD_INFO, p->hkdf.pInfo, p->hkdf.ulInfoLen);
}

static bool put_data(struct hsm_writer *w, const union parameter *p)
{
	return put(w, HSM_FIELD_SHARED, p->data.pData, p->data.ulLen);
}

static bool put_cbc_data(struct hsm_writer *w, const union parameter *p)
{
	return put(w, HSM_FIELD_IV, p->cbc_data.iv, sizeof(p->cbc_data.iv)) &&
	       put(w, HSM_FIELD_SHARED, p->cbc_data.pData, p->cbc_data.length);
}

/* Forms that are a structure; @optional: may be left out */
static const struct form {
	size_t size;
	bool optional;
	bool (*put)(struct hsm_writer *w, const union parameter *p);
} forms[] = {
	[HSM_PARAM_CTR] = { sizeof(CK_AES_CTR_PARAMS), false, put_ctr },
	[HSM_PARAM_GCM] = { sizeof(CK_GCM_PARAMS), false, put_gcm },
	[HSM_PARAM_NONCE_AAD] = { 4 * sizeof(CK_ULONG), false, put_nonce_aad },
	[HSM_PARAM_CCM] = { sizeof(CK_CCM_PARAMS), false, put_ccm },
	[HSM_PARAM_CHACHA20] = { sizeof(CK_CHACHA20_PARAMS), false, put_chacha20 },
	[HSM_PARAM_PSS] = { sizeof(CK_RSA_PKCS_PSS_PARAMS), false, put_pss },
	[HSM_PARAM_OAEP] = { sizeof(CK_RSA_PKCS_OAEP_PARAMS), false, put_oaep },
	[HSM_PARAM_ECDH] = { sizeof(CK_ECDH1_DERIVE_PARAMS), false, put_ecdh },
	[HSM_PARAM_RSA_AES] = { sizeof(CK_RSA_AES_KEY_WRAP_PARAMS), false, put_rsa_aes },
	[HSM_PARAM_ECDH_AES] = { sizeof(CK_ECDH_AES_KEY_WRAP_PARAMS), false, put_ecdh_aes },
	[HSM_PARAM_X9_42_DH] = { sizeof(CK_X9_42_DH1_DERIVE_PARAMS), false, put_x9_42 },
	[HSM_PARAM_EDDSA] = { sizeof(CK_EDDSA_PARAMS), true, put_eddsa },
	[HSM_PARAM_SIGN_CONTEXT] = { sizeof(CK_SIGN_ADDITIONAL_CONTEXT), true, put_context },
	[HSM_PARAM_HASH_SIGN_CONTEXT] = { sizeof(CK_HASH_SIGN_ADDITIONAL_CONTEXT), false,
					  put_hash_context },
	[HSM_PARAM_MAC_LENGTH] = { sizeof(CK_MAC_GENERAL_PARAMS), false, put_mac_length },
	[HSM_PARAM_HKDF] = { sizeof(CK_HKDF_PARAMS), false, put_hkdf },
	[HSM_PARAM_DATA] = { sizeof(CK_KEY_DERIVATION_STRING_DATA), false, put_data },
	[HSM_PARAM_CBC_DATA] = { sizeof(CK_AES_CBC_ENCRYPT_DATA_PARAMS), false, put_cbc_data },
};

static bool put_structure(struct hsm_writer *writer, const struct form *form,
			  const CK_MECHANISM *mechanism)
{
	union parameter parameter;

	if (!mechanism->pParameter && !mechanism->ulParameterLen)
		return form->optional;
	if (!mechanism->pParameter || mechanism->ulParameterLen != form->size)
		return false;
	memcpy(&parameter, mechanism->pParameter, form->size);
	return form->put(writer, &parameter);
}

static bool put_parameter(struct hsm_writer *writer, unsigned int parameter,
			  const CK_MECHANISM *mechanism)
{
	bool none = !mechanism->ulParameterLen;

	switch (parameter) {
	case HSM_PARAM_NONE:
		/* Some callers leave a pointer with the length 0. */
		return none;
	case HSM_PARAM_IV:
		return !none &&
		       put(writer, HSM_FIELD_IV, mechanism->pParameter, mechanism->ulParameterLen);
	case HSM_PARAM_OPTIONAL_IV:
		return none ||
		       put(writer, HSM_FIELD_IV, mechanism->pParameter, mechanism->ulParameterLen);
	case HSM_PARAM_PUBLIC:
		return none || put(writer, HSM_FIELD_PUBLIC, mechanism->pParameter,
				   mechanism->ulParameterLen);
	default:
		break;
	}
	if (parameter >= sizeof(forms) / sizeof(forms[0]) || !forms[parameter].put)
		return parameter_derive_put(writer, parameter, mechanism);
	return put_structure(writer, &forms[parameter], mechanism);
}

CK_RV mechanism_put(struct hsm_writer *writer, const CK_MECHANISM *mechanism)
{
	if (!mechanism)
		return CKR_ARGUMENTS_BAD;
	hsm_put_u64(writer, HSM_FIELD_MECHANISM, mechanism->mechanism);
	return mechanism_parameters_put(writer, mechanism);
}

CK_RV mechanism_parameters_put(struct hsm_writer *writer, const CK_MECHANISM *mechanism)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(mechanism->mechanism);

	if (!info)
		return CKR_MECHANISM_INVALID;
	return put_parameter(writer, info->parameter, mechanism) ? CKR_OK
								 : CKR_MECHANISM_PARAM_INVALID;
}
