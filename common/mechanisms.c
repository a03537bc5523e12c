// SPDX-License-Identifier: Apache-2.0
/*
 * The rows of include/hsm/mechanisms.h as a table, for whoever needs names, sizes, flags or the
 * form of a parameter.
 */
#include <hsm/mechanisms.h>

/* The words of the last columns */
enum {
	ENCRYPT = CKF_ENCRYPT,
	DECRYPT = CKF_DECRYPT,
	DIGEST = CKF_DIGEST,
	SIGN = CKF_SIGN,
	VERIFY = CKF_VERIFY,
	GENERATE = CKF_GENERATE,
	GENERATE_KEY_PAIR = CKF_GENERATE_KEY_PAIR,
	WRAP = CKF_WRAP,
	UNWRAP = CKF_UNWRAP,
	DERIVE = CKF_DERIVE,
	ENCAPSULATE = CKF_ENCAPSULATE,
	DECAPSULATE = CKF_DECAPSULATE,
	RECOVER = CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER,
	EC_NAMED = CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS,
	ALL = 0x7fffffff,
	NO = 0,
};

#define ROW(m, row_family, row_algorithm, row_parameter, row_key_type, least, largest, row_flags, \
	    row_approved, row_legacy)                                                             \
	{ .mechanism = m,                                                                         \
	  .name = #m,                                                                             \
	  .algorithm = row_algorithm,                                                             \
	  .key_type = row_key_type,                                                               \
	  .flags = row_flags,                                                                     \
	  .approved = (row_flags) & (row_approved),                                               \
	  .legacy = (row_flags) & (row_legacy),                                                   \
	  .min = least,                                                                           \
	  .max = largest,                                                                         \
	  .family = MECH_FAMILY_##row_family,                                                     \
	  .parameter = HSM_PARAM_##row_parameter },

static const struct hsm_mechanism_info table[HSM_MECHANISM_ROWS] = { HSM_MECHANISM_TABLE(ROW) };

/* A switch: the compiler searches, and refuses a mechanism that has two rows. */
#define CASE(m, ...) \
	case m:      \
		return &table[HSM_ROW_##m];

const struct hsm_mechanism_info *hsm_mechanism_find(uint64_t mechanism)
{
	switch (mechanism) {
		HSM_MECHANISM_TABLE(CASE)
	default:
		return NULL;
	}
}

const struct hsm_mechanism_info *hsm_mechanism_at(size_t index)
{
	return index < HSM_MECHANISM_ROWS ? &table[index] : NULL;
}
