// SPDX-License-Identifier: Apache-2.0
/*
 * Mechanism parameters: structures to fields, and what is refused before the device hears of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "internal.h"

static uint8_t buffer[HSM_MESSAGE_MAX];
static struct hsm_fields fields;

static CK_RV put(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG length)
{
	CK_MECHANISM mechanism = { type, parameter, length };
	struct hsm_writer writer;
	CK_RV rv;

	hsm_writer_init(&writer, buffer, sizeof(buffer));
	rv = mechanism_put(&writer, &mechanism);
	assert_int_equal(writer.error, 0);
	assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), 0);
	return rv;
}

static void bytes_are(enum hsm_field_tag tag, const char *expected)
{
	size_t length;
	const uint8_t *bytes = hsm_fields_bytes(&fields, tag, &length);

	assert_non_null(hsm_fields_find(&fields, tag));
	assert_int_equal(length, strlen(expected));
	if (length)
		assert_memory_equal(bytes, expected, length);
}

static uint64_t number(enum hsm_field_tag tag)
{
	assert_non_null(hsm_fields_find(&fields, tag));
	return hsm_fields_u64(&fields, tag, 0);
}

static void none(void **state)
{
	char byte = 0;

	(void)state;
	assert_int_equal(put(CKM_ECDSA, NULL, 0), CKR_OK);
	assert_int_equal(number(HSM_FIELD_MECHANISM), CKM_ECDSA);
	assert_int_equal(fields.count, 1);
	assert_int_equal(put(CKM_ECDSA, &byte, 0), CKR_OK);
	assert_int_equal(put(CKM_ECDSA, &byte, 1), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(put(0x7ffffff0UL, NULL, 0), CKR_MECHANISM_INVALID);
}

static void gcm(void **state)
{
	CK_GCM_PARAMS params = { (CK_BYTE *)"twelve bytes", 12, 96, (CK_BYTE *)"aad", 3, 128 };

	(void)state;
	assert_int_equal(put(CKM_AES_GCM, &params, sizeof(params)), CKR_OK);
	bytes_are(HSM_FIELD_IV, "twelve bytes");
	bytes_are(HSM_FIELD_AAD, "aad");
	assert_int_equal(number(HSM_FIELD_TAG_BITS), 128);
	assert_int_equal(put(CKM_AES_GCM, &params, sizeof(params) - 1),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(put(CKM_AES_GCM, NULL, sizeof(params)), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(put(CKM_AES_GCM, NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	params.pAAD = NULL;
	assert_int_equal(put(CKM_AES_GCM, &params, sizeof(params)), CKR_MECHANISM_PARAM_INVALID);
	params.ulAADLen = 0;
	assert_int_equal(put(CKM_AES_GCM, &params, sizeof(params)), CKR_OK);
	params.ulIvLen = (CK_ULONG)-1;
	assert_int_equal(put(CKM_AES_GCM, &params, sizeof(params)), CKR_MECHANISM_PARAM_INVALID);
}

/* A structure may lie anywhere. */
static void not_aligned(void **state)
{
	CK_AES_CTR_PARAMS params = { 64, "a counter block." };
	unsigned char raw[sizeof(params) + 1];

	(void)state;
	memcpy(raw + 1, &params, sizeof(params));
	assert_int_equal(put(CKM_AES_CTR, raw + 1, sizeof(params)), CKR_OK);
	bytes_are(HSM_FIELD_IV, "a counter block.");
	assert_int_equal(number(HSM_FIELD_COUNTER_BITS), 64);
}

static void rsa(void **state)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA384, CKG_MGF1_SHA384, 48 };
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
					 (void *)"label", 5 };

	(void)state;
	assert_int_equal(put(CKM_RSA_PKCS_PSS, &pss, sizeof(pss)), CKR_OK);
	assert_int_equal(number(HSM_FIELD_HASH), CKM_SHA384);
	assert_int_equal(number(HSM_FIELD_MGF), CKG_MGF1_SHA384);
	assert_int_equal(number(HSM_FIELD_SALT_LENGTH), 48);
	assert_int_equal(put(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)), CKR_OK);
	bytes_are(HSM_FIELD_SOURCE, "label");
	oaep.source = 0;
	assert_int_equal(put(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)), CKR_MECHANISM_PARAM_INVALID);
	oaep.ulSourceDataLen = 0;
	assert_int_equal(put(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)), CKR_OK);
	bytes_are(HSM_FIELD_SOURCE, "");
}

static void ecdh(void **state)
{
	CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, 5, (CK_BYTE *)"point" };

	(void)state;
	assert_int_equal(put(CKM_ECDH1_DERIVE, &params, sizeof(params)), CKR_OK);
	bytes_are(HSM_FIELD_PUBLIC, "point");
	bytes_are(HSM_FIELD_SHARED, "");
	assert_int_equal(number(HSM_FIELD_KDF), CKD_NULL);
	params.pPublicData = NULL;
	assert_int_equal(put(CKM_ECDH1_DERIVE, &params, sizeof(params)),
			 CKR_MECHANISM_PARAM_INVALID);
}

static void hybrid_wraps(void **state)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
					 (void *)"label", 5 };
	CK_RSA_AES_KEY_WRAP_PARAMS rsa_aes = { 192, &oaep };
	CK_ECDH_AES_KEY_WRAP_PARAMS ecdh_aes = { 256, CKD_SHA256_KDF, 4, (CK_BYTE *)"info" };

	(void)state;
	assert_int_equal(put(CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof(rsa_aes)), CKR_OK);
	assert_int_equal(number(HSM_FIELD_AES_BITS), 192);
	assert_int_equal(number(HSM_FIELD_HASH), CKM_SHA256);
	bytes_are(HSM_FIELD_SOURCE, "label");
	oaep.pSourceData = NULL;
	assert_int_equal(put(CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof(rsa_aes)),
			 CKR_MECHANISM_PARAM_INVALID);
	rsa_aes.pOAEPParams = NULL;
	assert_int_equal(put(CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof(rsa_aes)),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(put(CKM_ECDH_COF_AES_KEY_WRAP, &ecdh_aes, sizeof(ecdh_aes)), CKR_OK);
	assert_int_equal(number(HSM_FIELD_AES_BITS), 256);
	assert_int_equal(number(HSM_FIELD_KDF), CKD_SHA256_KDF);
	bytes_are(HSM_FIELD_SHARED, "info");
	ecdh_aes.pSharedData = NULL;
	assert_int_equal(put(CKM_ECDH_X_AES_KEY_WRAP, &ecdh_aes, sizeof(ecdh_aes)),
			 CKR_MECHANISM_PARAM_INVALID);
}

static void diffie_hellman(void **state)
{
	CK_X9_42_DH1_DERIVE_PARAMS params = { CKD_SHA1_KDF_CONCATENATE, 4, (CK_BYTE *)"info", 5,
					      (CK_BYTE *)"value" };

	(void)state;
	assert_int_equal(put(CKM_DH_PKCS_DERIVE, (void *)"value", 5), CKR_OK);
	bytes_are(HSM_FIELD_PUBLIC, "value");
	/* For C_EncapsulateKey */
	assert_int_equal(put(CKM_DH_PKCS_DERIVE, NULL, 0), CKR_OK);
	assert_null(hsm_fields_find(&fields, HSM_FIELD_PUBLIC));
	assert_int_equal(put(CKM_DH_PKCS_DERIVE, NULL, 5), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(put(CKM_X9_42_DH_DERIVE, &params, sizeof(params)), CKR_OK);
	assert_int_equal(number(HSM_FIELD_KDF), CKD_SHA1_KDF_CONCATENATE);
	bytes_are(HSM_FIELD_SHARED, "info");
	bytes_are(HSM_FIELD_PUBLIC, "value");
	params.pOtherInfo = NULL;
	assert_int_equal(put(CKM_X9_42_DH_DERIVE, &params, sizeof(params)),
			 CKR_MECHANISM_PARAM_INVALID);
}

/* Left out and empty are not the same. */
static void optional(void **state)
{
	CK_EDDSA_PARAMS params = { CK_TRUE, 3, (CK_BYTE *)"ctx" };

	(void)state;
	assert_int_equal(put(CKM_EDDSA, NULL, 0), CKR_OK);
	assert_null(hsm_fields_find(&fields, HSM_FIELD_CONTEXT));
	assert_null(hsm_fields_find(&fields, HSM_FIELD_PREHASH));
	assert_int_equal(put(CKM_EDDSA, &params, sizeof(params)), CKR_OK);
	assert_int_equal(number(HSM_FIELD_PREHASH), 1);
	bytes_are(HSM_FIELD_CONTEXT, "ctx");
	assert_int_equal(put(CKM_AES_KEY_WRAP, NULL, 0), CKR_OK);
	assert_null(hsm_fields_find(&fields, HSM_FIELD_IV));
	assert_int_equal(put(CKM_AES_KEY_WRAP, (void *)"8 bytes.", 8), CKR_OK);
	bytes_are(HSM_FIELD_IV, "8 bytes.");
	assert_int_equal(put(CKM_AES_CBC, NULL, 0), CKR_MECHANISM_PARAM_INVALID);
}

/* Every row of the table of mechanisms has a form that is known here. */
static void every_form(void **state)
{
	const struct hsm_mechanism_info *info;
	CK_BYTE zeros[256] = { 0 };
	CK_RV rv = CKR_OK;
	size_t i;
	CK_ULONG n;

	(void)state;
	for (i = 0; (info = hsm_mechanism_at(i)); i++) {
		/* Pointers in them must not be NULL, see hybrid_wraps(). */
		if (info->parameter == HSM_PARAM_RSA_AES || info->parameter == HSM_PARAM_CHACHA20)
			continue;
		for (n = 0; n < sizeof(zeros); n++) {
			rv = put(info->mechanism, zeros, n);
			if (rv == CKR_OK)
				break;
		}
		if (rv != CKR_OK)
			print_error("%s\n", info->name);
		assert_int_equal(rv, CKR_OK);
	}
	assert_true(i > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),		  cmocka_unit_test(gcm),
		cmocka_unit_test(not_aligned),	  cmocka_unit_test(rsa),
		cmocka_unit_test(ecdh),		  cmocka_unit_test(optional),
		cmocka_unit_test(every_form),	  cmocka_unit_test(hybrid_wraps),
		cmocka_unit_test(diffie_hellman),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
