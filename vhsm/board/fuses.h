/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuses.c: the board's one-time and monotonic values. What they lie in: fuse_store.h.
 */
#ifndef BOARD_FUSES_H
#define BOARD_FUSES_H

#include "text.h"

enum fuse_flag {
	FUSE_INITIALIZED = 1U << 0, /* the database belongs to these fuses */
	FUSE_CLAIMED = 1U << 1,
	FUSE_NEXT_ROOT = 1U << 2, /* a rotation of the storage root is under way */
	FUSE_EMBEDDED = 1U << 3, /* made as a user's own directory */
	FUSE_APPROVED = 1U << 4, /* made for approved mode, and never used in another */
	FUSE_TAMPERED =
		1U << 7, /* a sensor tripped; no partition is served before an officer's word */
	FUSE_RECOVERED = 1U << 8, /* an old copy was accepted once, see @recoveries */
	FUSE_ERASED = 1U << 9, /* with FUSE_TAMPERED: the erase that it asks for is done */
	FUSE_ZEROIZED = 1U << 10, /* there was a database before the present one, and it was erased */
	FUSE_NEW_LIFE = 1U << 11, /* with FUSE_ZEROIZED: for another state of life */
};

/**
 * struct fuse_values - what the fuses hold
 * @counter: monotonic; what the root record is compared with
 * @flags: enum fuse_flag
 * @lifecycle: enum hsm_lifecycle; with @debug an input of the platform key
 * @debug: debug state, 0: closed
 * @minimum_version: older firmware is refused
 * @claim_failures: wrong claim codes since the code was drawn
 * @root: storage root: the root record is sealed under it
 * @next_root: its successor while FUSE_NEXT_ROOT is set
 * @tamper: sensors that tripped, 1 << place in the list; kept until the next time
 * @tampers: how often the board was tampered with in its life
 * @recoveries: old copies that officers accepted as the present state
 * @recovery_tries: counter steps that the partition of the officers took without the counter
 * @erased_partitions: partitions of tenants that the last erase of the whole board destroyed
 * @erased: counter after it, 0: never
 * @erased_time: of it, seconds since 1970
 */
struct fuse_values {
	uint64_t counter;
	uint32_t flags;
	uint32_t lifecycle;
	uint32_t debug;
	uint32_t minimum_version;
	uint32_t claim_failures;
	uint8_t board_id[BOARD_ID_SIZE];
	char serial[BOARD_SERIAL_SIZE];
	uint8_t vendor_hash[BOARD_HASH_SIZE];
	uint8_t secret[BOARD_SECRET_SIZE];
	uint8_t root[BOARD_SECRET_SIZE];
	uint8_t next_root[BOARD_SECRET_SIZE];
	uint32_t tamper;
	uint32_t tampers;
	uint32_t recoveries;
	uint32_t recovery_tries;
	uint32_t erased_partitions;
	uint64_t erased;
	uint64_t erased_time;
};

struct fuses;

/* fuses_in_file - is @where a path? Otherwise the fuses are in a TPM: fuses_tpm.c */
bool fuses_in_file(const char *where);

/**
 * fuses_create - make new fuses, complete or not at all
 * @where: path of a file, or tpm:...; there must be none
 *
 * Return: 0, -EEXIST or another negative errno.
 */
int fuses_create(const char *where, const struct fuse_values *values, struct error *error);

/* fuses_remove - make them go; 0 also when there were none, or a negative errno */
int fuses_remove(const char *where, struct error *error);

/**
 * fuses_open - open and check fuses
 * @fuses: set to the open fuses; fuses_close() frees them
 *
 * Return: 0, -ENOENT, -EBADMSG when no slot verifies, -EPROTONOSUPPORT for an unknown version,
 * or another negative errno.
 */
int fuses_open(const char *where, struct fuses **fuses, struct error *error);
void fuses_close(struct fuses *fuses);

/* fuses_values - the values in force, valid until the next fuses_store() */
const struct fuse_values *fuses_values(const struct fuses *fuses);

/**
 * fuses_store - put new values in force
 * @both: also overwrite the former values, because a secret in them has to go
 *
 * Return: 0: durable; or a negative errno: the former values are in force, here and most likely on
 * the disk.
 */
int fuses_store(struct fuses *fuses, const struct fuse_values *values, bool both);

#endif /* BOARD_FUSES_H */
