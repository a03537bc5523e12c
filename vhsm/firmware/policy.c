// SPDX-License-Identifier: Apache-2.0
/*
 * The policy of a partition, enforced: what its profile and its officer leave of the mechanisms, which keys are too
 * small, and how many operations a second has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "clock.h"
#include "commands.h"
#include "mech_private.h"
#include "policy.h"

#define SECOND 1000000000ULL /* in clock_ticks() */

/* ---- in force ---- */

static struct policy
	fallback; /* of a partition whose policy has not been read: nothing but a device that fails has one */
static pthread_once_t fallback_once = PTHREAD_ONCE_INIT;

static void fallback_begin(void)
{
	policy_begin(&fallback, HSM_PROFILE_COMPATIBLE);
}

const struct policy *policy_of(const struct partition *partition)
{
	const struct policy *policy =
		atomic_load_explicit(&partition->policy, memory_order_acquire);

	if (policy)
		return policy;
	pthread_once(&fallback_once, fallback_begin);
	return &fallback;
}

uint32_t policy_value(const struct partition *partition, enum hsm_policy_value value)
{
	return policy_of(partition)->value[value];
}

bool policy_strict(const struct partition *partition)
{
	return policy_of(partition)->profile == HSM_PROFILE_STRICT;
}

static int read_policy(const struct partition *partition, struct policy *policy)
{
	const uint8_t *id = partition->info.id;
	struct iovec part = { .iov_base = (void *)id, .iov_len = PARTITION_ID_SIZE };
	uint8_t *bytes = OPENSSL_malloc(BOARD_POLICY_MAX);
	size_t length = 0;
	int ret;

	if (!bytes)
		return -ENOMEM;
	ret = storage_call(BOARD_POLICY, &part, 1, bytes, BOARD_POLICY_MAX, &length);
	if (!ret)
		ret = policy_from_board(policy, &partition->info, bytes, length);
	OPENSSL_free(bytes);
	return ret;
}

int policy_load(struct partition *partition)
{
	struct policy *policy = OPENSSL_zalloc(sizeof(*policy));
	int ret = policy ? read_policy(partition, policy) : -ENOMEM;

	if (ret < 0) {
		OPENSSL_free(policy);
		return ret;
	}
	policy->older = atomic_load(&partition->policy);
	atomic_store_explicit(&partition->policy, policy, memory_order_release);
	return 0;
}

void policy_unload(struct partition *partition)
{
	struct policy *policy = atomic_exchange(&partition->policy, NULL), *older;

	for (; policy; policy = older) {
		older = policy->older;
		OPENSSL_free(policy);
	}
}

/* ---- mechanisms ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

uint64_t policy_uses(const struct policy *policy, const struct hsm_mechanism_info *info)
{
	uint64_t use = info->flags;

	if (policy->mechanisms && !bsearch(&info->mechanism, policy->mechanism, policy->mechanisms,
					   sizeof(info->mechanism), by_number))
		return 0;
	if (policy->profile == HSM_PROFILE_STRICT)
		use = info->approved;
	if (policy->profile != HSM_PROFILE_LEGACY)
		use &= ~info->legacy;
	return use;
}

#define USES                                                                                 \
	(CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_SIGN_RECOVER | CKF_VERIFY | \
	 CKF_VERIFY_RECOVER | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_WRAP | CKF_UNWRAP | \
	 CKF_DERIVE | CKF_ENCAPSULATE | CKF_DECAPSULATE)

static const struct {
	uint64_t use, message;
} messages[] = {
	{ CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT },
	{ CKF_DECRYPT, CKF_MESSAGE_DECRYPT },
	{ CKF_SIGN, CKF_MESSAGE_SIGN },
	{ CKF_VERIFY, CKF_MESSAGE_VERIFY },
};

uint64_t policy_flags(const struct partition *partition, const struct hsm_mechanism_info *info)
{
	uint64_t uses = policy_uses(policy_of(partition), info) & USES;
	uint64_t flags = mech_flags(info);
	size_t i;

	/* Messages are a use as the same without them. */
	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (!(uses & messages[i].use))
			flags &= ~messages[i].message;
	/* What is no use says how the mechanism works, which is true as long as there is a use. */
	return uses & flags ? (flags & ~(uint64_t)USES) | (flags & uses) : 0;
}

CK_RV policy_mechanism(const struct partition *partition, const struct hsm_mechanism_info *info,
		       uint64_t can, const struct hsm_fields *fields)
{
	const struct policy *policy = policy_of(partition);

	if (!(policy_uses(policy, info) & can))
		return CKR_MECHANISM_INVALID;
	return fields ? policy_parameters(policy, info, can, fields) : CKR_OK;
}

/* ---- keys ---- */

/* Which of the policy's least sizes is a key type's; HSM_POLICY_VALUES: none */
static enum hsm_policy_value least_size(uint64_t class, uint64_t type)
{
	switch (type) {
	case CKK_RSA:
		return HSM_POLICY_MIN_RSA;
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		return HSM_POLICY_MIN_EC;
	case CKK_DH:
	case CKK_X9_42_DH:
	case CKK_DSA:
		return HSM_POLICY_MIN_DH;
	case CKK_AES:
		return HSM_POLICY_MIN_AES;
	default:
		return class == CKO_SECRET_KEY ? HSM_POLICY_MIN_SECRET : HSM_POLICY_VALUES;
	}
}

static uint32_t number_bits(const struct attribute *number)
{
	uint32_t skip = 0, bits;
	uint8_t top;

	while (number && skip < number->length && !number->value[skip])
		skip++;
	if (!number || skip == number->length)
		return 0;
	bits = (number->length - skip - 1) * 8;
	for (top = number->value[skip]; top; top >>= 1)
		bits++;
	return bits;
}

static uint32_t key_bits(const struct attributes *key, enum hsm_policy_value least)
{
	const struct attribute *value;
	const struct mech_curve *curve;

	switch (least) {
	case HSM_POLICY_MIN_RSA:
		return number_bits(attributes_find(key, CKA_MODULUS));
	case HSM_POLICY_MIN_EC:
		curve = mech_curve_of(key);
		return curve ? curve->bits : 0;
	case HSM_POLICY_MIN_DH:
		return number_bits(attributes_find(key, CKA_PRIME));
	default:
		value = attributes_find(key, CKA_VALUE);
		return value ? value->length * 8 : 0;
	}
}

/* Curves of FIPS 186-5 and SP 800-56A */
static bool curve_approved(const struct attributes *key)
{
	const struct mech_curve *curve = mech_curve_of(key);

	return curve && curve->approved;
}

enum verdict {
	KEY_FINE,
	KEY_SMALL,
	KEY_CURVE,
};

static enum verdict judge(const struct partition *partition, const struct attributes *key)
{
	const struct policy *policy = policy_of(partition);
	uint64_t class = attributes_ulong(key, CKA_CLASS, ~0ULL);
	enum hsm_policy_value least;

	if (class != CKO_PUBLIC_KEY && class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
		return KEY_FINE;
	least = least_size(class, attributes_ulong(key, CKA_KEY_TYPE, ~0ULL));
	if (least == HSM_POLICY_MIN_EC && policy->profile == HSM_PROFILE_STRICT &&
	    !curve_approved(key))
		return KEY_CURVE;
	if (least == HSM_POLICY_VALUES || !policy->value[least])
		return KEY_FINE;
	return key_bits(key, least) < policy->value[least] ? KEY_SMALL : KEY_FINE;
}

CK_RV policy_key(const struct partition *partition, const struct attributes *key)
{
	switch (judge(partition, key)) {
	case KEY_SMALL:
		return CKR_KEY_SIZE_RANGE;
	case KEY_CURVE:
		return CKR_KEY_TYPE_INCONSISTENT;
	default:
		return CKR_OK;
	}
}

CK_RV policy_object(const struct partition *partition, const struct attributes *object)
{
	switch (judge(partition, object)) {
	case KEY_SMALL:
		return CKR_ATTRIBUTE_VALUE_INVALID;
	case KEY_CURVE:
		return CKR_CURVE_NOT_SUPPORTED;
	default:
		return CKR_OK;
	}
}

void policy_limits(const struct partition *partition, const struct hsm_mechanism_info *info,
		   uint32_t *min, uint32_t *max)
{
	bool secret = info->key_type == CKK_AES || (info->flags & CKF_GENERATE);
	enum hsm_policy_value least =
		least_size(secret ? CKO_SECRET_KEY : CKO_PUBLIC_KEY, info->key_type);
	uint32_t bits = least == HSM_POLICY_VALUES ? 0 : policy_value(partition, least);

	*min = info->min;
	*max = info->max;
	if (info->key_type == HSM_NO_KEY || !bits)
		return;
	if (secret)
		bits = (bits + 7) / 8;
	if (bits > *min)
		*min = bits < *max ? bits : *max;
}

/* ---- rate ---- */

/* What counts: the start of an operation, and what is one in itself. Going on and ending are free. */
static bool counts(unsigned int operation)
{
	switch (operation) {
	case HSM_OP_OBJECT_CREATE:
	case HSM_OP_OBJECT_COPY:
	case HSM_OP_OBJECT_DESTROY:
	case HSM_OP_ATTRIBUTES_SET:
	case HSM_OP_OBJECT_MASK:
	case HSM_OP_OBJECT_UNMASK:
	case HSM_OP_OBJECT_REMASK:
	case HSM_OP_MASK_REVOKE:
	case HSM_OP_FIND_INIT:
	case HSM_OP_ENCRYPT_INIT:
	case HSM_OP_DECRYPT_INIT:
	case HSM_OP_DIGEST_INIT:
	case HSM_OP_SIGN_INIT:
	case HSM_OP_VERIFY_INIT:
	case HSM_OP_SIGN_RECOVER_INIT:
	case HSM_OP_VERIFY_RECOVER_INIT:
	case HSM_OP_VERIFY_SIGNATURE_INIT:
	case HSM_OP_MESSAGE_ENCRYPT_INIT:
	case HSM_OP_MESSAGE_ENCRYPT:
	case HSM_OP_MESSAGE_DECRYPT_INIT:
	case HSM_OP_MESSAGE_DECRYPT:
	case HSM_OP_MESSAGE_SIGN_INIT:
	case HSM_OP_MESSAGE_SIGN:
	case HSM_OP_MESSAGE_VERIFY_INIT:
	case HSM_OP_MESSAGE_VERIFY:
	case HSM_OP_STATE_SET:
	case HSM_OP_GENERATE_KEY:
	case HSM_OP_GENERATE_PAIR:
	case HSM_OP_WRAP:
	case HSM_OP_UNWRAP:
	case HSM_OP_DERIVE:
	case HSM_OP_ENCAPSULATE:
	case HSM_OP_DECAPSULATE:
	case HSM_OP_RANDOM:
	case HSM_OP_EVIDENCE:
	case HSM_OP_KEY_EVIDENCE:
		return true;
	default:
		return false;
	}
}

/*
 * @full is when the bucket will be full again. An operation moves it on by its share of a second, and there is room
 * while it is not more than a second ahead.
 */
CK_RV policy_rate(struct partition *partition, unsigned int operation, uint64_t *wait)
{
	uint32_t rate = policy_value(partition, HSM_POLICY_MAX_RATE);
	uint64_t now, full, next;

	if (!rate || !counts(operation))
		return CKR_OK;
	now = clock_ticks();
	full = atomic_load_explicit(&partition->bucket_full, memory_order_relaxed);
	do {
		next = (full > now ? full : now) + SECOND / rate;
		if (next > now + SECOND) {
			*wait = (next - now - SECOND + 999999) / 1000000;
			return CKR_DEVICE_MEMORY;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&partition->bucket_full, &full, next, memory_order_relaxed, memory_order_relaxed));
	return CKR_OK;
}
