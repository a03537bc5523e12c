// SPDX-License-Identifier: Apache-2.0
/*
 * The derivations of IKE (PKCS#11 3.2, 6.64): SKEYSEED and SKEYID, IKEv1's further keys (RFC 2409), IKEv2's prf+ (RFC 7296).
 * libcrypto has the MACs; the order of their input is here.
 */
#include <string.h>
#include "mech_private.h"

#define ROUNDS_MAX 255 /* how often prf+ may go round: its counter is one byte */

static uint64_t prf_of(const struct mechanism *mechanism)
{
	return hsm_fields_u64(mechanism->fields, HSM_FIELD_PRF, 0);
}

/* Length of the key from the template; without one that of the function's output */
static CK_RV ike_length(const struct attributes *attributes, size_t largest, size_t fallback,
			size_t *length)
{
	CK_RV rv = mech_secret_length(attributes, length);

	if (rv != CKR_OK)
		return rv;
	if (!*length)
		*length = fallback;
	if (!*length)
		return CKR_TEMPLATE_INCOMPLETE;
	return *length > largest || *length > MECH_DERIVED_MAX ? CKR_KEY_SIZE_RANGE : CKR_OK;
}

/* The first key: SKEYSEED, or SKEYID */
static CK_RV ike_prf(const struct mechanism *mechanism, struct key *base,
		     struct attributes *attributes)
{
	uint64_t flags = hsm_fields_u64(mechanism->fields, HSM_FIELD_NUMBER, 0);
	struct mech_part ni = mech_field(mechanism, HSM_FIELD_SEED);
	struct mech_part nr = mech_field(mechanism, HSM_FIELD_OTHER_SEED);
	struct mech_part parts[] = { { NULL, 0 }, ni, nr };
	uint8_t nonces[512], out[EVP_MAX_MD_SIZE];
	struct mech_prf prf = { 0 };
	size_t length = 0;
	CK_RV rv;

	/* A rekey takes a new key into the input; nothing else does. */
	if (flags > HSM_IKE_REKEY || !(flags & HSM_IKE_REKEY) != !mechanism->others)
		return CKR_MECHANISM_PARAM_INVALID;
	if (flags & HSM_IKE_DATA_AS_KEY) {
		if (ni.length > sizeof(nonces) || nr.length > sizeof(nonces) - ni.length)
			return CKR_MECHANISM_PARAM_INVALID;
		if (ni.length)
			memcpy(nonces, ni.data, ni.length);
		if (nr.length)
			memcpy(nonces + ni.length, nr.data, nr.length);
		rv = mech_prf_begin(&prf, prf_of(mechanism), nonces, ni.length + nr.length);
		parts[0] = (struct mech_part){ base->value->value, base->value->length };
		parts[1].length = parts[2].length = 0;
	} else {
		rv = mech_prf_begin_key(&prf, prf_of(mechanism), base);
		parts[0] = mech_other(mechanism, 0);
	}
	if (rv == CKR_OK)
		rv = ike_length(attributes, prf.size, prf.size, &length);
	if (rv == CKR_OK && length != prf.size)
		rv = CKR_KEY_SIZE_RANGE;
	if (rv == CKR_OK)
		rv = mech_prf_run(&prf, parts, 3, out);
	if (rv == CKR_OK)
		rv = mech_secret_leading(attributes, out, prf.size);
	mech_prf_end(&prf);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

/* SKEYID_d, SKEYID_a, SKEYID_e. The other keys are g^xy and, for all but the first, the one before. */
static CK_RV ike1_prf(const struct mechanism *mechanism, struct key *base,
		      struct attributes *attributes)
{
	uint64_t number = hsm_fields_u64(mechanism->fields, HSM_FIELD_NUMBER, UINT64_MAX);
	bool chained = hsm_fields_find(mechanism->fields, HSM_FIELD_THIRD_KEY);
	uint8_t byte = (uint8_t)number, out[EVP_MAX_MD_SIZE];
	struct mech_part parts[] = {
		chained ? mech_other(mechanism, 1) : (struct mech_part){ NULL, 0 },
		mech_other(mechanism, 0),
		mech_field(mechanism, HSM_FIELD_SEED),
		mech_field(mechanism, HSM_FIELD_OTHER_SEED),
		{ &byte, 1 },
	};
	struct mech_prf prf;
	size_t length;
	CK_RV rv;

	if (number > UINT8_MAX || !parts[1].length || (chained && !parts[0].length))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = mech_prf_begin_key(&prf, prf_of(mechanism), base);
	if (rv == CKR_OK)
		rv = ike_length(attributes, prf.size, prf.size, &length);
	if (rv == CKR_OK)
		rv = mech_prf_run(&prf, parts, 5, out);
	if (rv == CKR_OK)
		rv = mech_secret_leading(attributes, out, length);
	mech_prf_end(&prf);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

/**
 * struct chain - rounds of a function whose output goes into the next round
 * @first: input of the first round in place of an output
 * @parts: input of each round
 * @numbered: a counter from 1 ends the input
 */
struct chain {
	struct mech_part first;
	struct mech_part parts[2];
	bool numbered;
};

static CK_RV run_chain(struct mech_prf *prf, const struct chain *chain, uint8_t *out, size_t length)
{
	uint8_t last[EVP_MAX_MD_SIZE], number = 0;
	struct mech_part input[] = {
		chain->first, chain->parts[0], chain->parts[1], { &number, chain->numbered }
	};
	size_t done, take;
	CK_RV rv = CKR_OK;

	for (done = 0; done < length && rv == CKR_OK; done += take) {
		take = length - done < prf->size ? length - done : prf->size;
		number++;
		rv = mech_prf_run(prf, input, 4, last);
		if (rv == CKR_OK)
			memcpy(out + done, last, take);
		input[0] = (struct mech_part){ last, prf->size };
	}
	OPENSSL_cleanse(last, sizeof(last));
	return rv;
}

static CK_RV derive_chain(const struct mechanism *mechanism, struct key *base,
			  const struct chain *chain, struct attributes *attributes)
{
	uint8_t out[MECH_DERIVED_MAX];
	struct mech_prf prf;
	size_t length;
	CK_RV rv = mech_prf_begin_key(&prf, prf_of(mechanism), base);

	if (rv == CKR_OK)
		rv = ike_length(attributes, ROUNDS_MAX * prf.size, 0, &length);
	if (rv == CKR_OK)
		rv = run_chain(&prf, chain, out, length);
	if (rv == CKR_OK)
		rv = mech_secret_leading(attributes, out, length);
	mech_prf_end(&prf);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

static CK_RV ike2_prf_plus(const struct mechanism *mechanism, struct key *base,
			   struct attributes *attributes)
{
	struct chain chain = {
		.parts = { mech_other(mechanism, 0), mech_field(mechanism, HSM_FIELD_SHARED) },
		.numbered = true,
	};

	return derive_chain(mechanism, base, &chain, attributes);
}

/*
 * RFC 2409, appendix B and 5.5. A key that SKEYID_e is long enough for is cut from it: that is a piece of a key, and mech_pieces.c
 * has the rules for those.
 */
static CK_RV ike1_extended(const struct mechanism *mechanism, struct key *base,
			   struct mech_derived *derived)
{
	static const uint8_t zero[1];
	struct chain chain = {
		.parts = { mech_other(mechanism, 0), mech_field(mechanism, HSM_FIELD_SHARED) },
	};
	struct mech_prf prf;
	size_t length, size;
	CK_RV rv = mech_prf_begin_key(&prf, prf_of(mechanism), base);

	size = prf.size;
	mech_prf_end(&prf);
	if (rv == CKR_OK)
		rv = ike_length(&derived->keys[0], ROUNDS_MAX * size, 0, &length);
	if (rv != CKR_OK)
		return rv;
	if (length <= size && !mechanism->others) {
		if (length > base->value->length)
			return CKR_KEY_SIZE_RANGE;
		return mech_piece_leading(base, derived, length);
	}
	if (!chain.parts[0].length && !chain.parts[1].length)
		chain.first = (struct mech_part){ zero, sizeof(zero) };
	return derive_chain(mechanism, base, &chain, &derived->keys[0]);
}

CK_RV mech_derive_ike(const struct mechanism *mechanism, struct key *base,
		      struct mech_derived *derived)
{
	switch (mechanism->info->mechanism) {
	case CKM_IKE_PRF_DERIVE:
		return ike_prf(mechanism, base, &derived->keys[0]);
	case CKM_IKE1_PRF_DERIVE:
		return ike1_prf(mechanism, base, &derived->keys[0]);
	case CKM_IKE1_EXTENDED_DERIVE:
		return ike1_extended(mechanism, base, derived);
	default:
		return ike2_prf_plus(mechanism, base, &derived->keys[0]);
	}
}
