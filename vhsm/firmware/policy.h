/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a partition's officer allows in it: profile, mechanisms, key sizes, rate, rules for PINs. Every place where a
 * mechanism meets a key asks here; Documentation/policy.rst says what the profiles mean.
 */
#ifndef FIRMWARE_POLICY_H
#define FIRMWARE_POLICY_H

#include <stdbool.h>
#include <hsm/board.h>
#include <hsm/mechanisms.h>
#include <hsm/policy.h>
#include "attributes.h"

#define POLICY_FINGERPRINT 48	/* SHA-384 */

struct partition;

/* struct policy_hashes - a list of hashes, ascending */
struct policy_hashes {
	size_t count;
	uint8_t hash[HSM_POLICY_HASHES][HSM_POLICY_HASH];
};

struct policy_blob {
	uint32_t length;
	uint8_t data[HSM_POLICY_BLOB_MAX];
};

/**
 * struct policy - a policy; never changed once it is a partition's
 * @older: the partition's former one, which somebody may still be reading; goes with the partition
 * @value: by enum hsm_policy_value
 * @mechanism: allowed ones, ascending; none: all that the profile has
 * @roots: whose boards the partition may move to; none: it does not move
 * @measurements: firmware that it may move to; none: any
 * @clients: what applications' certificates must lead to; none: applications need no certificate
 * @has_source: the partition waits to be filled from the document with the hash @source. No part of what is
 *	shown, compared and fingerprinted: it says where the partition comes from, not what is allowed in it
 * @blob: by enum hsm_policy_blob
 */
struct policy {
	struct policy *older;
	unsigned int profile;
	uint32_t value[HSM_POLICY_VALUES];
	size_t mechanisms;
	uint64_t mechanism[HSM_MECHANISM_ROWS];
	struct policy_hashes roots;
	struct policy_hashes measurements;
	struct policy_hashes clients;
	bool has_source;
	uint8_t source[HSM_POLICY_HASH];
	struct policy_blob blob[HSM_POLICY_BLOBS];
};

/* ---- a policy as such (policy_bytes.c) ---- */

/* policy_begin - what a profile begins with */
void policy_begin(struct policy *policy, unsigned int profile);

/* policy_profile - that of a partition as the board has it */
unsigned int policy_profile(const struct board_partition *info);

/* policy_from_board - of a partition as the board has it. Return: 0, or -EBADMSG: not what a firmware has written. */
int policy_from_board(struct policy *policy, const struct board_partition *info, const uint8_t *bytes, size_t length);

/* policy_to_board - flags and quotas into @info, the rest as bytes into @out. Return: 0 or -EMSGSIZE. */
int policy_to_board(const struct policy *policy, struct board_partition *info, struct hsm_writer *out);

/* policy_change - put the fields of a request in. Return: CKR_OK, CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID. */
CK_RV policy_change(struct policy *policy, const struct hsm_fields *fields);

/* policy_relaxes - does @next allow anything that @now does not? */
bool policy_relaxes(const struct policy *now, const struct policy *next);

/* policy_hash_listed - is the hash in the list? */
bool policy_hash_listed(const struct policy_hashes *hashes, const uint8_t hash[HSM_POLICY_HASH]);

/*
 * policy_put - all of it, as fields in the order of their tags: the one form that is shown, hashed and attested
 * policy_fingerprint - SHA-384 of that form. Return: 0 or -EIO.
 */
void policy_put(struct hsm_writer *out, const struct policy *policy);
int policy_fingerprint(const struct policy *policy, uint8_t fingerprint[POLICY_FINGERPRINT]);

/* ---- a partition's, in force (policy.c) ---- */

/* policy_load - ask the board for the partition's policy and put it in force. Return: 0 or a negative errno. */
int policy_load(struct partition *partition);
void policy_unload(struct partition *partition);

/* policy_of - the policy in force; good as long as the partition is */
const struct policy *policy_of(const struct partition *partition);
uint32_t policy_value(const struct partition *partition, enum hsm_policy_value value);
bool policy_strict(const struct partition *partition);

/* policy_flags - CKF_ flags of what may be done with a mechanism in this partition; 0: it is not offered */
uint64_t policy_flags(const struct partition *partition, const struct hsm_mechanism_info *info);

/* policy_uses - what a policy leaves of a row's flags, whatever libcrypto here can do */
uint64_t policy_uses(const struct policy *policy, const struct hsm_mechanism_info *info);

/*
 * policy_parameters - may the parameters in @fields be used, for the CKF_ use @can (policy_parameters.c)?
 * Return: CKR_OK, CKR_MECHANISM_PARAM_INVALID.
 */
CK_RV policy_parameters(const struct policy *policy, const struct hsm_mechanism_info *info, uint64_t can,
			const struct hsm_fields *fields);

/**
 * policy_mechanism - may the mechanism be used so?
 * @can: CKF_ flag of the use
 * @fields: with its parameters; NULL: none to look at
 *
 * Return: CKR_OK, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID (a hash or a key derivation within the parameters).
 */
CK_RV policy_mechanism(const struct partition *partition, const struct hsm_mechanism_info *info, uint64_t can,
		       const struct hsm_fields *fields);

/* policy_key - may a key of this type and size be used? Return: CKR_OK, CKR_KEY_SIZE_RANGE, CKR_KEY_TYPE_INCONSISTENT. */
CK_RV policy_key(const struct partition *partition, const struct attributes *key);

/* policy_object - may such an object come into being? Return: CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED. */
CK_RV policy_object(const struct partition *partition, const struct attributes *object);

/* policy_limits - least and largest key size of a mechanism in this partition, in the unit of CK_MECHANISM_INFO */
void policy_limits(const struct partition *partition, const struct hsm_mechanism_info *info, uint32_t *min, uint32_t *max);

/**
 * policy_rate - one more operation in this second?
 * @wait: milliseconds until there is room
 *
 * A token bucket of one second's operations. Return: CKR_OK or CKR_DEVICE_MEMORY.
 */
CK_RV policy_rate(struct partition *partition, unsigned int operation, uint64_t *wait);

#endif /* FIRMWARE_POLICY_H */
