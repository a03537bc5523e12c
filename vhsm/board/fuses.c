// SPDX-License-Identifier: Apache-2.0
/*
 * The fuses: a record in each of two places that are written in turn, with a sequence number and a
 * digest. A write that a power cut tears spoils the older one only. The digest finds damage, not
 * malice: who can write the store can be the board (Documentation/board.rst). What the store is, the
 * name says: fuse_store.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "fuse_store.h"
#include "le.h"

#define FUSES_MAGIC   "IHSMFUSE"
#define FUSES_VERSION 2
#define RECORD_USED                                                                        \
	(8 + 4 + 4 + 8 + 8 + 5 * 4 + BOARD_ID_SIZE + BOARD_SERIAL_SIZE + BOARD_HASH_SIZE + \
	 3 * BOARD_SECRET_SIZE + 5 * 4 + 2 * 8)
/* Zeros up to the digest, so that it covers every byte of the record */
#define RECORD_BODY (FUSE_RECORD_SIZE - SHA256_DIGEST_LENGTH)

_Static_assert(RECORD_USED <= RECORD_BODY, "the values fit");

struct fuses {
	const struct fuse_backend *backend;
	struct fuse_store *store;
	unsigned int slot; /* that holds the values in force */
	uint64_t sequence;
	struct fuse_values values;
};

static const struct fuse_backend *backend_of(const char *where)
{
	const char *scheme = fuse_backend_tpm.scheme;

	return strncmp(where, scheme, strlen(scheme)) ? &fuse_backend_file : &fuse_backend_tpm;
}

bool fuses_in_file(const char *where)
{
	return backend_of(where) == &fuse_backend_file;
}

static void digest(const uint8_t *body, uint8_t *out)
{
	SHA256(body, RECORD_BODY, out);
}

static void encode(const struct fuse_values *values, uint64_t sequence, uint8_t *record)
{
	uint8_t *at = record;

	memset(record, 0, FUSE_RECORD_SIZE);
	put_bytes(&at, FUSES_MAGIC, 8);
	put_u32(&at, FUSES_VERSION);
	put_u32(&at, FUSE_RECORD_SIZE);
	put_u64(&at, sequence);
	put_u64(&at, values->counter);
	put_u32(&at, values->flags);
	put_u32(&at, values->lifecycle);
	put_u32(&at, values->debug);
	put_u32(&at, values->minimum_version);
	put_u32(&at, values->claim_failures);
	put_bytes(&at, values->board_id, sizeof(values->board_id));
	put_bytes(&at, values->serial, sizeof(values->serial));
	put_bytes(&at, values->vendor_hash, sizeof(values->vendor_hash));
	put_bytes(&at, values->secret, sizeof(values->secret));
	put_bytes(&at, values->root, sizeof(values->root));
	put_bytes(&at, values->next_root, sizeof(values->next_root));
	put_u32(&at, values->tamper);
	put_u32(&at, values->tampers);
	put_u32(&at, values->recoveries);
	put_u32(&at, values->recovery_tries);
	put_u32(&at, values->erased_partitions);
	put_u64(&at, values->erased);
	put_u64(&at, values->erased_time);
	digest(record, record + RECORD_BODY);
}

/* Return: 0, -EBADMSG, or -EPROTONOSUPPORT for a record of another version. */
static int decode(const uint8_t *record, struct fuse_values *values, uint64_t *sequence)
{
	uint8_t expected[SHA256_DIGEST_LENGTH];
	const uint8_t *at = record + 8;
	uint32_t version, size;

	if (memcmp(record, FUSES_MAGIC, 8) != 0)
		return -EBADMSG;
	version = get_u32(&at);
	size = get_u32(&at);
	digest(record, expected);
	if (CRYPTO_memcmp(expected, record + RECORD_BODY, sizeof(expected)) != 0)
		return version == FUSES_VERSION ? -EBADMSG : -EPROTONOSUPPORT;
	if (version != FUSES_VERSION || size != FUSE_RECORD_SIZE)
		return -EPROTONOSUPPORT;

	*sequence = get_u64(&at);
	values->counter = get_u64(&at);
	values->flags = get_u32(&at);
	values->lifecycle = get_u32(&at);
	values->debug = get_u32(&at);
	values->minimum_version = get_u32(&at);
	values->claim_failures = get_u32(&at);
	get_bytes(&at, values->board_id, sizeof(values->board_id));
	get_bytes(&at, values->serial, sizeof(values->serial));
	get_bytes(&at, values->vendor_hash, sizeof(values->vendor_hash));
	get_bytes(&at, values->secret, sizeof(values->secret));
	get_bytes(&at, values->root, sizeof(values->root));
	get_bytes(&at, values->next_root, sizeof(values->next_root));
	values->serial[sizeof(values->serial) - 1] = '\0';
	values->tamper = get_u32(&at);
	values->tampers = get_u32(&at);
	values->recoveries = get_u32(&at);
	values->recovery_tries = get_u32(&at);
	values->erased_partitions = get_u32(&at);
	values->erased = get_u64(&at);
	values->erased_time = get_u64(&at);
	return 0;
}

int fuses_create(const char *where, const struct fuse_values *values, struct error *error)
{
	uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE];
	unsigned int slot;
	int ret;

	for (slot = 0; slot < FUSE_SLOTS; slot++)
		encode(values, slot, records[slot]);
	ret = backend_of(where)->create(where, records, error);
	OPENSSL_cleanse(records, sizeof(records));
	return ret;
}

int fuses_remove(const char *where, struct error *error)
{
	return backend_of(where)->remove(where, error);
}

/* Read both records and take the newer one that verifies. */
static int fuses_load(struct fuses *fuses, const char *where, struct error *error)
{
	uint8_t record[FUSE_RECORD_SIZE];
	struct fuse_values values;
	unsigned int slot, good = 0;
	int ret, worst = -EBADMSG;
	uint64_t sequence;

	for (slot = 0; slot < FUSE_SLOTS; slot++) {
		ret = fuses->backend->read(fuses->store, slot, record);
		if (!ret)
			ret = decode(record, &values, &sequence);
		/* Not damage: it may well be the record in force, and the other one a step back. */
		if (ret && ret != -EBADMSG && ret != -EPROTONOSUPPORT)
			break;
		if (ret == -EPROTONOSUPPORT)
			worst = ret;
		if (ret)
			continue;
		if (!good || sequence > fuses->sequence) {
			fuses->slot = slot;
			fuses->sequence = sequence;
			fuses->values = values;
		}
		good++;
	}
	OPENSSL_cleanse(record, sizeof(record));
	OPENSSL_cleanse(&values, sizeof(values));
	if (slot < FUSE_SLOTS)
		return error_set(error, -EIO, "fuses %s: slot %u cannot be read: %s", where, slot,
				 strerror(-ret));
	/* A flipped version byte of one slot is damage; in both it is another format. */
	if (!good && worst == -EPROTONOSUPPORT)
		return error_set(error, worst,
				 "fuses %s: unknown format version; this vhsm knows "
				 "version %u, use the one that made them",
				 where, FUSES_VERSION);
	if (!good)
		return error_set(error, -EBADMSG,
				 "fuses %s: damaged, no slot verifies; restore "
				 "them, or start anew with --zeroize",
				 where);
	if (good < FUSE_SLOTS)
		board_log(
			"fuses %s: slot %u does not verify (an interrupted write?), going on with slot %u",
			where, !fuses->slot, fuses->slot);
	return 0;
}

int fuses_open(const char *where, struct fuses **result, struct error *error)
{
	struct fuses *fuses;
	int ret;

	fuses = calloc(1, sizeof(*fuses));
	if (!fuses)
		return error_set(error, -ENOMEM, "fuses %s: out of memory", where);
	fuses->backend = backend_of(where);
	ret = fuses->backend->open(where, &fuses->store, error);
	if (!ret)
		ret = fuses_load(fuses, where, error);
	if (ret) {
		fuses_close(fuses);
		return ret;
	}
	*result = fuses;
	return 0;
}

void fuses_close(struct fuses *fuses)
{
	if (!fuses)
		return;
	if (fuses->store)
		fuses->backend->close(fuses->store);
	OPENSSL_cleanse(fuses, sizeof(*fuses));
	free(fuses);
}

const struct fuse_values *fuses_values(const struct fuses *fuses)
{
	return &fuses->values;
}

int fuses_store(struct fuses *fuses, const struct fuse_values *values, bool both)
{
	uint8_t record[FUSE_RECORD_SIZE];
	struct fuse_values copy = *values;
	int writes = both ? FUSE_SLOTS : 1;
	int ret = 0;

	while (writes--) {
		encode(&copy, fuses->sequence + 1, record);
		ret = fuses->backend->write(fuses->store, !fuses->slot, record);
		if (ret)
			break;
		fuses->slot = !fuses->slot;
		fuses->sequence++;
		fuses->values = copy;
	}
	OPENSSL_cleanse(record, sizeof(record));
	OPENSSL_cleanse(&copy, sizeof(copy));
	return ret;
}
