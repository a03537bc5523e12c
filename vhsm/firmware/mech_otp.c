// SPDX-License-Identifier: Apache-2.0
/*
 * One-time passwords: HOTP (RFC 4226), and by a counter that is a time TOTP (RFC 6238). The counter of a signature is the
 * key's own, which otp_counter.c has moved on before, or the caller's where the key allows that.
 */
#include <string.h>
#include "mech_private.h"

#define DIGITS_DEFAULT 6
#define DIGITS_MOST    9
#define KNOWN_FLAGS    (CKF_EXCLUDE_TIME | CKF_EXCLUDE_CHALLENGE | CKF_EXCLUDE_PIN)

/**
 * struct otp - what the caller asks for
 * @given: a counter is among it
 */
struct otp {
	uint64_t counter;
	uint64_t digits;
	bool given;
};

static uint64_t big_endian(const uint8_t bytes[8])
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static CK_RV take_record(struct otp *otp, const struct hsm_record *record, const uint8_t *data)
{
	uint64_t value;

	switch (record->type) {
	case CK_OTP_PIN:
	case CK_OTP_CHALLENGE:
	case CK_OTP_TIME:
		/* HOTP has no use for them. */
		return CKR_OK;
	case CK_OTP_COUNTER:
		if (record->length != 8)
			return CKR_MECHANISM_PARAM_INVALID;
		otp->counter = big_endian(data);
		otp->given = true;
		return CKR_OK;
	default:
		break;
	}
	if (record->length != 8)
		return CKR_MECHANISM_PARAM_INVALID;
	value = hsm_get_le64(data);
	switch (record->type) {
	case CK_OTP_FLAGS:
		return value & ~(uint64_t)KNOWN_FLAGS ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
	case CK_OTP_OUTPUT_LENGTH:
		otp->digits = value;
		return CKR_OK;
	case CK_OTP_OUTPUT_FORMAT:
		return value == CK_OTP_FORMAT_DECIMAL ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
	default:
		return CKR_MECHANISM_PARAM_INVALID;
	}
}

static CK_RV read_otp(const struct hsm_fields *fields, struct otp *otp)
{
	const uint8_t *cursor, *end, *data;
	struct hsm_record record;
	CK_RV rv = CKR_OK;
	size_t length;
	int more = 1;

	cursor = hsm_fields_bytes(fields, HSM_FIELD_OTP_DATA, &length);
	end = cursor ? cursor + length : NULL;
	while (cursor && more > 0 && rv == CKR_OK) {
		more = hsm_records_next(&cursor, end, &record, &data);
		if (more < 0)
			return CKR_MECHANISM_PARAM_INVALID;
		if (more)
			rv = take_record(otp, &record, data);
	}
	return rv;
}

CK_RV mech_otp_given(const struct hsm_fields *fields, bool *given)
{
	struct otp otp = { 0 };
	CK_RV rv = read_otp(fields, &otp);

	*given = otp.given;
	return rv;
}

static CK_RV otp_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct attributes *key = &operation->key->attributes;
	struct otp otp = { .digits = attributes_ulong(key, CKA_OTP_LENGTH, DIGITS_DEFAULT) };
	CK_RV rv = read_otp(mechanism->fields, &otp);

	if (rv != CKR_OK)
		return rv;
	if (otp.digits < DIGITS_DEFAULT || otp.digits > DIGITS_MOST ||
	    attributes_ulong(key, CKA_OTP_FORMAT, CK_OTP_FORMAT_DECIMAL) != CK_OTP_FORMAT_DECIMAL ||
	    (!otp.given && !mechanism->counted))
		return CKR_MECHANISM_PARAM_INVALID;
	operation->limit = mechanism->counted ? mechanism->counter : otp.counter;
	operation->params.length = (uint32_t)otp.digits;
	return CKR_OK;
}

/* RFC 4226, 5.3 */
static CK_RV compute(const struct mech_operation *operation, uint8_t digits[DIGITS_MOST])
{
	const struct attribute *value = operation->key->value;
	uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
	const struct mech_part part = { counter, sizeof(counter) };
	struct mech_prf prf;
	uint32_t number, at;
	CK_RV rv;

	for (int i = 0; i < 8; i++)
		counter[i] = (uint8_t)(operation->limit >> (56 - 8 * i));
	rv = mech_prf_begin(&prf, CKM_SHA_1_HMAC, value->value, value->length);
	if (rv == CKR_OK)
		rv = mech_prf_run(&prf, &part, 1, mac);
	mech_prf_end(&prf);
	if (rv != CKR_OK)
		return rv;
	at = mac[19] & 15;
	number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
		 (uint32_t)mac[at + 2] << 8 | mac[at + 3];
	for (uint32_t i = operation->params.length; i; i--, number /= 10)
		digits[i - 1] = (uint8_t)('0' + number % 10);
	OPENSSL_cleanse(mac, sizeof(mac));
	return CKR_OK;
}

/* There is no data to sign. */
static CK_RV otp_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	(void)in;
	if (in_length)
		return CKR_DATA_LEN_RANGE;
	*out_length = operation->params.length;
	return compute(operation, out);
}

static CK_RV otp_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			const uint8_t *signature, size_t length)
{
	uint8_t digits[DIGITS_MOST];
	CK_RV rv;

	(void)in;
	if (in_length)
		return CKR_DATA_LEN_RANGE;
	if (length != operation->params.length)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = compute(operation, digits);
	if (rv == CKR_OK && CRYPTO_memcmp(digits, signature, length))
		rv = CKR_SIGNATURE_INVALID;
	OPENSSL_cleanse(digits, sizeof(digits));
	return rv;
}

static size_t otp_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_SIGN ? operation->params.length : 0;
}

const struct mech_ops mech_otp_ops = {
	.begin = otp_begin,
	.finish = otp_finish,
	.verify = otp_verify,
	.size = otp_size,
	.hold_max = 16,
	.exact = true,
};
