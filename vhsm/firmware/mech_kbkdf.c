// SPDX-License-Identifier: Apache-2.0
/*
 * Key derivation by SP 800-108 in counter, feedback and double pipeline mode, with the input of the pseudo-random function
 * put together as the caller says (PKCS#11 3.2, 6.42). libcrypto's KBKDF knows one order of the input and no double pipeline,
 * so the iterations are here and its MACs do the rest.
 */
#include <stdlib.h>
#include <string.h>
#include "mech_private.h"

#define PARTS_MAX 32

/* A number in the input of the function */
struct number {
	struct hsm_number_form form;
	uint8_t bytes[8];
};

/**
 * struct input - what the function is applied to in each iteration
 * @part: in order; those of the iteration variable and the counter are set anew each time
 * @variable, @counter: index of that part, -1: none
 */
struct input {
	struct mech_part part[PARTS_MAX];
	unsigned int parts;
	int variable;
	int counter;
	int length;
	struct number number[3]; /* iteration variable that is a counter, counter, length */
	unsigned int keys;  /* key handles met so far */
};

static bool is_counter_mode(const struct mechanism *mechanism)
{
	return mechanism->info->mechanism == CKM_SP800_108_COUNTER_KDF;
}

static CK_RV number_form(struct number *number, const struct hsm_record *record,
			 const uint8_t *data)
{
	if (record->length != sizeof(number->form))
		return CKR_MECHANISM_PARAM_INVALID;
	number->form.method = hsm_get_le32(data);
	number->form.little_endian = hsm_get_le32(data + 4);
	number->form.bits = hsm_get_le32(data + 8);
	if (!number->form.bits || number->form.bits % 8 || number->form.bits > 64)
		return CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

static void number_set(struct number *number, uint64_t value)
{
	size_t size = number->form.bits / 8;

	for (size_t i = 0; i < size; i++)
		number->bytes[number->form.little_endian ? i : size - 1 - i] =
			(uint8_t)(value >> (8 * i));
}

static bool number_fits(const struct number *number, uint64_t value)
{
	return number->form.bits == 64 || value < 1ULL << number->form.bits;
}

/* ---- reading the caller's order ---- */

static struct mech_part number_part(const struct number *number)
{
	return (struct mech_part){ number->bytes, number->form.bits / 8 };
}

/* One of the three kinds of part that may come once: in which of @which it is noted */
static CK_RV take_number(struct input *input, int *which, unsigned int place, bool has_form,
			 const struct hsm_record *record, const uint8_t *data)
{
	CK_RV rv;

	if (*which >= 0)
		return CKR_MECHANISM_PARAM_INVALID;
	*which = (int)input->parts;
	if (!has_form)
		return record->length ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
	rv = number_form(&input->number[place], record, data);
	input->part[input->parts] = number_part(&input->number[place]);
	return rv;
}

static CK_RV take_record(struct input *input, const struct mechanism *mechanism,
			 const struct hsm_record *record, const uint8_t *data)
{
	bool counted = is_counter_mode(mechanism);
	struct mech_part *part = &input->part[input->parts];
	CK_RV rv = CKR_OK;

	switch (record->type) {
	case CK_SP800_108_ITERATION_VARIABLE:
		rv = take_number(input, &input->variable, 0, counted, record, data);
		break;
	case CK_SP800_108_COUNTER:
		if (counted)
			return CKR_MECHANISM_PARAM_INVALID;
		rv = take_number(input, &input->counter, 1, true, record, data);
		break;
	case CK_SP800_108_DKM_LENGTH:
		rv = take_number(input, &input->length, 2, true, record, data);
		break;
	case CK_SP800_108_BYTE_ARRAY:
		*part = (struct mech_part){ data, record->length };
		rv = record->length ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
		break;
	case CK_SP800_108_KEY_HANDLE:
		*part = mech_other(mechanism, input->keys++);
		rv = part->length ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
		break;
	default:
		return CKR_MECHANISM_PARAM_INVALID;
	}
	input->parts++;
	return rv;
}

static CK_RV read_input(struct input *input, const struct mechanism *mechanism)
{
	struct mech_part field = mech_field(mechanism, HSM_FIELD_PRF_DATA);
	const uint8_t *cursor = field.data, *end = cursor + field.length, *data;
	struct hsm_record record;
	CK_RV rv = CKR_OK;
	int more = 1;

	input->variable = input->counter = input->length = -1;
	while (cursor && more > 0 && rv == CKR_OK) {
		more = hsm_records_next(&cursor, end, &record, &data);
		if (more < 0 || (more && input->parts == PARTS_MAX))
			return CKR_MECHANISM_PARAM_INVALID;
		if (more)
			rv = take_record(input, mechanism, &record, data);
	}
	/* The iteration variable must be there. */
	return rv == CKR_OK && input->variable < 0 ? CKR_MECHANISM_PARAM_INVALID : rv;
}

/* ---- how much is needed ---- */

/**
 * struct plan - lengths
 * @key: bytes of each key; each begins with a segment of the output that is its own
 * @segments: of all
 * @bits: of all keys together
 */
struct plan {
	size_t key[MECH_MORE_KEYS + 1];
	uint64_t segments;
	uint64_t bits;
};

static CK_RV plan_keys(struct plan *plan, const struct mech_derived *derived, size_t size)
{
	CK_RV rv = CKR_OK;

	for (unsigned int i = 0; i < derived->count && rv == CKR_OK; i++) {
		rv = mech_derived_length(&derived->keys[i], 0, &plan->key[i]);
		plan->segments += (plan->key[i] + size - 1) / size;
		plan->bits += 8 * plan->key[i];
	}
	return rv;
}

/* The length that is part of the input, and whether the counters will do */
static CK_RV fit(struct input *input, const struct plan *plan, size_t size)
{
	struct number *length = &input->number[2];
	uint64_t bits = plan->bits;

	for (unsigned int i = 0; i < 2; i++) {
		if (input->number[i].form.bits && !number_fits(&input->number[i], plan->segments))
			return CKR_KEY_SIZE_RANGE;
	}
	if (input->length < 0)
		return CKR_OK;
	if (length->form.method == CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS)
		bits = 8 * size * plan->segments;
	else if (length->form.method != CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS)
		return CKR_MECHANISM_PARAM_INVALID;
	if (!number_fits(length, bits))
		return CKR_MECHANISM_PARAM_INVALID;
	number_set(length, bits);
	return CKR_OK;
}

/* ---- iterations ---- */

/* The input without iteration variable and counter starts the first pipeline. */
static CK_RV first_pipeline(struct input *input, struct mech_prf *prf, uint64_t i,
			    uint8_t a[EVP_MAX_MD_SIZE])
{
	struct mech_part fixed[PARTS_MAX], last = { a, prf->size };
	unsigned int n = 0, k;

	if (i > 1)
		return mech_prf_run(prf, &last, 1, a);
	for (k = 0; k < input->parts; k++) {
		if ((int)k != input->variable && (int)k != input->counter)
			fixed[n++] = input->part[k];
	}
	return mech_prf_run(prf, fixed, n, a);
}

/* Set what changes, and run. @state: the last output, or the first pipeline's. */
static CK_RV iterate(struct input *input, const struct mechanism *mechanism, struct mech_prf *prf,
		     uint64_t i, uint8_t state[EVP_MAX_MD_SIZE], uint8_t out[EVP_MAX_MD_SIZE])
{
	struct mech_part *variable = &input->part[input->variable];
	CK_RV rv = CKR_OK;

	if (input->counter >= 0)
		number_set(&input->number[1], i);
	switch (mechanism->info->mechanism) {
	case CKM_SP800_108_COUNTER_KDF:
		number_set(&input->number[0], i);
		break;
	case CKM_SP800_108_FEEDBACK_KDF:
		*variable = i == 1 ? mech_field(mechanism, HSM_FIELD_SEED)
				   : (struct mech_part){ state, prf->size };
		break;
	default:
		rv = first_pipeline(input, prf, i, state);
		*variable = (struct mech_part){ state, prf->size };
	}
	if (rv == CKR_OK)
		rv = mech_prf_run(prf, input->part, input->parts, out);
	if (rv == CKR_OK && mechanism->info->mechanism == CKM_SP800_108_FEEDBACK_KDF)
		memcpy(state, out, prf->size);
	return rv;
}

static CK_RV produce(struct input *input, const struct mechanism *mechanism, struct mech_prf *prf,
		     uint64_t segments, uint8_t *dkm)
{
	uint8_t state[EVP_MAX_MD_SIZE] = { 0 }, out[EVP_MAX_MD_SIZE];
	CK_RV rv = CKR_OK;

	for (uint64_t i = 1; i <= segments && rv == CKR_OK; i++) {
		rv = iterate(input, mechanism, prf, i, state, out);
		if (rv == CKR_OK)
			memcpy(dkm + (i - 1) * prf->size, out, prf->size);
	}
	OPENSSL_cleanse(state, sizeof(state));
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

static CK_RV deal_out(const struct plan *plan, struct mech_derived *derived, const uint8_t *dkm,
		      size_t size)
{
	CK_RV rv = CKR_OK;

	for (unsigned int i = 0; i < derived->count && rv == CKR_OK; i++) {
		rv = mech_secret_leading(&derived->keys[i], dkm, plan->key[i]);
		dkm += (plan->key[i] + size - 1) / size * size;
	}
	return rv;
}

CK_RV mech_derive_kbkdf(const struct mechanism *mechanism, struct key *base,
			struct mech_derived *derived)
{
	struct input input = { 0 };
	struct plan plan = { 0 };
	struct mech_prf prf;
	uint8_t *dkm = NULL;
	size_t room = 0;
	CK_RV rv;

	rv = mech_prf_begin_key(&prf, hsm_fields_u64(mechanism->fields, HSM_FIELD_PRF, 0), base);
	if (rv == CKR_OK)
		rv = read_input(&input, mechanism);
	if (rv == CKR_OK)
		rv = plan_keys(&plan, derived, prf.size);
	if (rv == CKR_OK)
		rv = fit(&input, &plan, prf.size);
	if (rv == CKR_OK) {
		room = plan.segments * prf.size;
		dkm = malloc(room);
		rv = dkm ? produce(&input, mechanism, &prf, plan.segments, dkm) : CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK)
		rv = deal_out(&plan, derived, dkm, prf.size);
	mech_prf_end(&prf);
	if (dkm)
		OPENSSL_cleanse(dkm, room);
	free(dkm);
	return rv;
}
