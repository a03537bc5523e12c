/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of a package, as both ends of a migration have them: AES-256-GCM under a key made of the package key and the
 * hash of the document that goes before, bound to the chunk's number.
 */
#ifndef FIRMWARE_MIGRATE_CHUNK_H
#define FIRMWARE_MIGRATE_CHUNK_H

#include <hsm/migration.h>
#include "commands.h"

struct migrate_chunk_key {
	uint8_t key[SECRET_SIZE];
};

static inline int migrate_chunk_key(struct migrate_chunk_key *seal, const uint8_t package[HSM_MIGRATION_SECRET],
				    const uint8_t hash[HSM_MIGRATION_HASH])
{
	return derive_key(package, hash, HSM_MIGRATION_HASH, "package chunk", seal->key);
}

static inline int migrate_chunk_seal(const struct migrate_chunk_key *seal, uint64_t number, const uint8_t *text,
				     size_t length, uint8_t *out)
{
	uint64_t aad = htole64(number);

	return aead_seal(seal->key, &aad, sizeof(aad), text, length, out);
}

static inline int migrate_chunk_open(const struct migrate_chunk_key *seal, uint64_t number, const uint8_t *sealed,
				     size_t length, uint8_t *out)
{
	uint64_t aad = htole64(number);

	return aead_open(seal->key, &aad, sizeof(aad), sealed, length, out);
}

/* A row's head in the stream */
static inline void migrate_row_put(uint8_t out[sizeof(struct board_row)], uint64_t id, uint32_t length)
{
	struct board_row row = { .id = htole64(id), .length = htole32(length) };

	memcpy(out, &row, sizeof(row));
}

static inline struct board_row migrate_row_get(const uint8_t in[sizeof(struct board_row)])
{
	struct board_row row;

	memcpy(&row, in, sizeof(row));
	row.id = le64toh(row.id);
	row.length = le32toh(row.length);
	return row;
}

#endif /* FIRMWARE_MIGRATE_CHUNK_H */
