/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a partition's header keeps of its moves between boards: how far one has come, and where the partition came from.
 */
#ifndef FIRMWARE_MIGRATE_STATE_H
#define FIRMWARE_MIGRATE_STATE_H

#include <stdint.h>
#include <hsm/board.h>
#include <hsm/dice.h>
#include <hsm/migration.h>

/**
 * struct migrate_state - all zeros: the partition is from here, and has nowhere to go
 * @phase: enum hsm_migration_phase; WAITING is never stored
 * @nonce: of the request
 * @source: SHA-384 of the payload of the request, or of the backup that is being restored
 * @offer, @package: likewise
 * @peer: fingerprints of the other board's device keys
 * @rollback: what the offer says of this board
 * @restoring: the import is of a backup
 * @key: FROZEN: the target's import key. IMPORTING: ours, private, in the first HSM_HYBRID_PRIVATE bytes. Else nothing
 * @origin: enum hsm_migration_origin of the last import
 * @unsafe: one of the boards on its way, ever, had no rollback protection: nobody can say that this is the only copy
 * @restored: it was restored from a backup, here or before it came here
 * @origin_time, @origin_counter, @origin_board: of what was imported: the source's clock, the counter of its header, its id
 */
struct migrate_state {
	uint32_t phase;
	uint8_t nonce[32];
	uint8_t source[HSM_MIGRATION_HASH];
	uint8_t offer[HSM_MIGRATION_HASH];
	uint8_t package[HSM_MIGRATION_HASH];
	uint8_t peer[HSM_DICE_ALGORITHMS][HSM_FINGERPRINT_SIZE];
	uint32_t rollback;
	uint32_t restoring;
	uint8_t key[HSM_HYBRID_PUBLIC];
	uint32_t origin;
	uint32_t unsafe;
	uint32_t restored;
	uint64_t origin_time;
	uint64_t origin_counter;
	uint8_t origin_board[BOARD_ID_SIZE];
};

#endif /* FIRMWARE_MIGRATE_STATE_H */
