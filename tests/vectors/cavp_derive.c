// SPDX-License-Identifier: Apache-2.0
/*
 * Records of vectors for derivations of keys.
 */
#include "cavp.h"

#include <hsm/pkcs11_derive.h>

#define TOO_LONG  "longer than the longest secret of the token"
#define TOO_SHORT "an output below the token's least secret"

static struct buffer out;

/* Does a derived key have a length that the token gives? */
static bool length_fits(struct report *r, size_t length)
{
	if (length > token_max_key(CKM_GENERIC_SECRET_KEY_GEN))
		report_left_out(r, TOO_LONG);
	else if (length < token_min_key(CKM_GENERIC_SECRET_KEY_GEN))
		report_left_out(r, TOO_SHORT);
	else
		return true;
	return false;
}

void record_hkdf(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const struct hash *hash = hash_named(record_text(record, "Hash"));

	if (!record_fresh(record, "OKM") || !hash ||
	    !length_fits(c->report, record_number(record, "L")))
		return;
	check_hkdf(c->report, hash, record_hex(record, "IKM"), record_hex(record, "salt"),
		   record_hex(record, "info"), record_hex(record, "OKM"),
		   record_number(record, "L"), EXACT);
}

/* The mechanism takes a key's value for the message. */
void record_shake(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };
	struct bytes text = record_hex(record, "Msg"), want = record_hex(record, "Output");
	CK_OBJECT_HANDLE key;
	CK_RV rv;

	if (!record_fresh(record, "Output") || !length_fits(c->report, want.length))
		return;
	if (want.length > (c->row->type == CKM_SHAKE_128_KEY_DERIVATION ? 32 : 64)) {
		report_left_out(c->report, "the mechanism gives at most 32 or 64 bytes of output");
		return;
	}
	if (record_text(record, "Len") && !record_number(record, "Len"))
		text.length = 0;
	if (!text.length || text.length > token_max_key(CKM_GENERIC_SECRET_KEY_GEN)) {
		report_left_out(c->report, "the message is no length of a key of the token");
		return;
	}
	rv = token_secret(CKK_GENERIC_SECRET, text, &key);
	if (rv == CKR_OK)
		rv = token_derive(&m, key, want.length, &out);
	report_vector(c->report, rv == CKR_OK && same(of(&out), want), "derive", rv);
	token_destroy(key);
}

/* Text in which \0 stands for a zero byte */
static struct bytes with_zeros(const char *text, uint8_t *to)
{
	size_t length = 0;

	for (; *text; text++) {
		to[length++] = (uint8_t)*text;
		if (text[0] == '\\' && text[1] == '0') {
			to[length - 1] = 0;
			text++;
		}
	}
	return (struct bytes){ to, length };
}

void record_pbkdf2(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	uint8_t secret[64], salt_bytes[64];
	struct bytes want = record_hex(record, "DERIVED_KEY"), password, salt;
	CK_PKCS5_PBKD2_PARAMS2 params = { .saltSource = CKZ_SALT_SPECIFIED,
					  .iterations = record_number(record, "ITERATIONS"),
					  .prf = CKP_PKCS5_PBKD2_HMAC_SHA1 };
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_RV rv;

	if (!record_fresh(record, "DERIVED_KEY") || !length_fits(c->report, want.length))
		return;
	password = with_zeros(record_text(record, "PASSWORD"), secret);
	salt = with_zeros(record_text(record, "SALT"), salt_bytes);
	params.pSaltSourceData = (CK_BYTE *)salt.data;
	params.ulSaltSourceDataLen = salt.length;
	params.pPassword = (CK_BYTE *)password.data;
	params.ulPasswordLen = password.length;
	rv = token_generate(&m, want.length, &out);
	if (rv == CKR_MECHANISM_PARAM_INVALID && params.iterations > 10000000) {
		report_left_out(c->report, "more iterations than the token does in one command");
		return;
	}
	report_vector(c->report, rv == CKR_OK && same(of(&out), want), "generate", rv);
}

/* [PRF=CMAC_AES128] and [PRF=HMAC_SHA1]; 0 for what the token has not */
static CK_MECHANISM_TYPE kbkdf_prf(const char *name, CK_KEY_TYPE *type)
{
	static const struct {
		const char *name;
		CK_MECHANISM_TYPE prf;
	} hmacs[] = {
		{ "HMAC_SHA1", CKM_SHA_1_HMAC },    { "HMAC_SHA224", CKM_SHA224_HMAC },
		{ "HMAC_SHA256", CKM_SHA256_HMAC }, { "HMAC_SHA384", CKM_SHA384_HMAC },
		{ "HMAC_SHA512", CKM_SHA512_HMAC },
	};
	size_t i;

	*type = CKK_AES;
	if (in(name, "CMAC_AES"))
		return CKM_AES_CMAC;
	*type = CKK_GENERIC_SECRET;
	for (i = 0; i < COUNT(hmacs); i++) {
		if (name && !strcmp(hmacs[i].name, name))
			return hmacs[i].prf;
	}
	return 0;
}

/* The counter stands before the fixed data, after it or in its middle. */
static CK_ULONG kbkdf_data(struct record *record, CK_SP800_108_COUNTER_FORMAT *counter,
			   CK_PRF_DATA_PARAM data[3])
{
	const char *place = record_text(record, "CTRLOCATION");
	bool middle = in(place, "MIDDLE");
	struct bytes fixed = record_hex(record, "FixedInputData"), before, after;
	CK_PRF_DATA_PARAM number = { CK_SP800_108_ITERATION_VARIABLE, counter, sizeof(*counter) };
	CK_ULONG count = 0;

	before = middle ? record_hex(record, "DataBeforeCtrData") : fixed;
	after = middle ? record_hex(record, "DataAfterCtrData") : fixed;
	if (middle || in(place, "AFTER"))
		data[count++] = (CK_PRF_DATA_PARAM){ CK_SP800_108_BYTE_ARRAY, (void *)before.data,
						     before.length };
	data[count++] = number;
	if (middle || in(place, "BEFORE"))
		data[count++] = (CK_PRF_DATA_PARAM){ CK_SP800_108_BYTE_ARRAY, (void *)after.data,
						     after.length };
	return count;
}

void record_kbkdf(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct bytes want = record_hex(record, "KO");
	CK_SP800_108_COUNTER_FORMAT counter = { CK_FALSE, record_number(record, "RLEN") };
	CK_PRF_DATA_PARAM data[3];
	CK_SP800_108_KDF_PARAMS params = { .pDataParams = data };
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_OBJECT_HANDLE key;
	CK_KEY_TYPE type;
	CK_RV rv;

	if (!record_fresh(record, "KO") || !length_fits(c->report, want.length))
		return;
	params.prfType = kbkdf_prf(record_text(record, "PRF"), &type);
	if (!params.prfType) {
		report_left_out(c->report, "CMAC with triple DES is not offered");
		return;
	}
	params.ulNumberOfDataParams = kbkdf_data(record, &counter, data);
	rv = token_secret(type, record_hex(record, "KI"), &key);
	if (rv == CKR_OK)
		rv = token_derive(&m, key, want.length, &out);
	report_vector(c->report, rv == CKR_OK && same(of(&out), want), "derive", rv);
	token_destroy(key);
}

/* RFC 4226, appendix D: signed and verified at the counter of the vector */
void record_hotp(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const char *secret = record_text(record, "SECRET"), *digits = record_text(record, "HOTP");
	CK_BYTE counter[8] = { 0 };
	CK_OTP_PARAM at = { CK_OTP_COUNTER, counter, sizeof(counter) };
	CK_OTP_PARAMS params = { &at, 1 };
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_OTP_SIGNATURE_INFO info = { NULL, 0 };
	CK_OBJECT_HANDLE key;
	struct bytes want;
	bool good = false;
	CK_RV rv;

	if (!record_fresh(record, "SECRET") || !digits)
		return;
	want = (struct bytes){ (const uint8_t *)digits, strlen(digits) };
	counter[7] = (CK_BYTE)record_number(record, "COUNTER");
	rv = token_otp(c->row->key_type, (struct bytes){ (const uint8_t *)secret, strlen(secret) },
		       &key);
	if (rv == CKR_OK)
		rv = token_sign(&m, key, (struct bytes){ NULL, 0 }, &out);
	if (rv == CKR_OK) {
		memcpy(&info, out.data, sizeof(info));
		good = info.ulCount == 1 &&
		       same((struct bytes){ info.pParams->pValue, info.pParams->ulValueLen }, want);
	}
	if (good)
		rv = token_verify(&m, key, (struct bytes){ NULL, 0 }, want);
	report_vector(c->report, good && rv == CKR_OK, "sign or verify", rv);
	token_destroy(key);
}
