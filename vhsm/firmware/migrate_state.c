// SPDX-License-Identifier: Apache-2.0
/*
 * How far a partition's move has come: the section of its header, and what it answers meanwhile.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "migrate.h"

/* Bytes of @key that mean something in a phase */
static size_t key_length(uint32_t phase)
{
	if (phase == HSM_MIGRATION_PHASE_FROZEN)
		return HSM_HYBRID_PUBLIC;
	return phase == HSM_MIGRATION_PHASE_IMPORTING ? HSM_HYBRID_PRIVATE : 0;
}

void migrate_put_state(struct header_cursor *cursor, const struct partition *partition,
		       const struct partition_state *state)
{
	const struct migrate_state *migrate = &state->migrate;

	(void)partition;
	if (!migrate->phase && !migrate->origin)
		return;
	header_put32(cursor, migrate->phase);
	header_put(cursor, migrate->nonce, sizeof(migrate->nonce));
	header_put(cursor, migrate->source, sizeof(migrate->source));
	header_put(cursor, migrate->offer, sizeof(migrate->offer));
	header_put(cursor, migrate->package, sizeof(migrate->package));
	header_put(cursor, migrate->peer, sizeof(migrate->peer));
	header_put32(cursor, migrate->rollback);
	header_put32(cursor, migrate->restoring);
	header_put32(cursor, migrate->origin);
	header_put32(cursor, migrate->unsafe);
	header_put32(cursor, migrate->restored);
	header_put64(cursor, migrate->origin_time);
	header_put64(cursor, migrate->origin_counter);
	header_put(cursor, migrate->origin_board, sizeof(migrate->origin_board));
	header_put(cursor, migrate->key, key_length(migrate->phase));
}

void migrate_get_state(struct header_cursor *cursor, struct partition *partition,
		       struct partition_state *state)
{
	struct migrate_state *migrate = &state->migrate;

	(void)partition;
	migrate->phase = header_get32(cursor);
	header_get(cursor, migrate->nonce, sizeof(migrate->nonce));
	header_get(cursor, migrate->source, sizeof(migrate->source));
	header_get(cursor, migrate->offer, sizeof(migrate->offer));
	header_get(cursor, migrate->package, sizeof(migrate->package));
	header_get(cursor, migrate->peer, sizeof(migrate->peer));
	migrate->rollback = header_get32(cursor);
	migrate->restoring = header_get32(cursor);
	migrate->origin = header_get32(cursor);
	migrate->unsafe = header_get32(cursor);
	migrate->restored = header_get32(cursor);
	migrate->origin_time = header_get64(cursor);
	migrate->origin_counter = header_get64(cursor);
	header_get(cursor, migrate->origin_board, sizeof(migrate->origin_board));
	header_get(cursor, migrate->key, key_length(migrate->phase));
	if (!hsm_migration_phase_name(migrate->phase) ||
	    migrate->phase == HSM_MIGRATION_PHASE_WAITING ||
	    migrate->origin > HSM_MIGRATION_ORIGIN_RESTORED)
		cursor->error = -EBADMSG;
}

enum hsm_migration_phase migrate_rest(const struct migrate_state *state)
{
	return state->origin ? HSM_MIGRATION_PHASE_IMPORTED : HSM_MIGRATION_PHASE_NONE;
}

/*
 * That a partition waits to be filled is in its policy, which the officer made; the firmware has nothing to keep of it
 * before it has made an import key.
 */
enum hsm_migration_phase migrate_phase(const struct partition *partition)
{
	uint32_t phase = partition->state.migrate.phase;

	if (!phase && !partition->device && policy_of(partition)->has_source)
		return HSM_MIGRATION_PHASE_WAITING;
	return phase;
}

CK_RV migrate_gate(const struct partition *partition)
{
	switch (migrate_phase(partition)) {
	case HSM_MIGRATION_PHASE_FROZEN:
	case HSM_MIGRATION_PHASE_WAITING:
	case HSM_MIGRATION_PHASE_IMPORTING:
		return CKR_TOKEN_NOT_PRESENT;
	default:
		return CKR_OK;
	}
}

CK_RV migrate_commit(struct partition *partition, const struct migrate_state *state,
		     const struct hsm_audit_record *record)
{
	struct partition_state next = partition->state;
	CK_RV rv = CKR_OK;

	next.migrate = *state;
	if (record)
		rv = audit_record(partition, &next, record);
	if (rv == CKR_OK)
		rv = store_commit(partition, &next, NULL, 0, true);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV migrate_refuse(struct command *command, CK_RV rv, const char *format, ...)
{
	char text[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length >= (int)sizeof(text))
		length = sizeof(text) - 1;
	if (length > 0)
		hsm_put_bytes(&command->out, HSM_FIELD_REASON, text, (size_t)length);
	return rv;
}
