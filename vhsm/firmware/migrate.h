/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving a partition to another board, and backing it up. The source freezes the partition, seals all of it to a one-time
 * key of the target and erases it on the target's receipt; the target fills an empty partition of the same id, which
 * serves when all of it has come. Normative text: Documentation/migration.rst.
 *
 *   migrate_state.c	the header's section, and what a partition in a phase answers
 *   migrate_trust.c	documents signed and checked
 *   migrate_source.c	request, freeze, finish, resume
 *   migrate_export.c	a partition as a stream of sealed chunks
 *   migrate_target.c	creation, offer, begin, chunks, end, abandon
 *   migrate_import.c	the stream back into rows
 *   backup.c		keys of backups and their custodians' shares
 *
 * All of it happens under the partition's commit_lock.
 */
#ifndef FIRMWARE_MIGRATE_H
#define FIRMWARE_MIGRATE_H

#include <hsm/audit.h>
#include <hsm/migration.h>
#include "commands.h"

/* ---- migrate_state.c ---- */

/* Section of the header */
void migrate_put_state(struct header_cursor *cursor, const struct partition *partition,
		       const struct partition_state *state);
void migrate_get_state(struct header_cursor *cursor, struct partition *partition, struct partition_state *state);

/* migrate_phase - the phase that the partition is in */
enum hsm_migration_phase migrate_phase(const struct partition *partition);

/* migrate_gate - CKR_OK, or what all commands but those of migrations are answered with */
CK_RV migrate_gate(const struct partition *partition);

/* migrate_rest - the phase of a partition that is not on its way */
enum hsm_migration_phase migrate_rest(const struct migrate_state *state);

/**
 * migrate_commit - put the next migrate_state on disk, so that no older copy is accepted; under commit_lock
 * @record: goes to the audit log with it; NULL: none
 */
struct hsm_audit_record;
CK_RV migrate_commit(struct partition *partition, const struct migrate_state *state,
		     const struct hsm_audit_record *record);

/* migrate_refuse - answer with @rv and, in field REASON, why */
CK_RV migrate_refuse(struct command *command, CK_RV rv, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- migrate_trust.c ---- */

/**
 * struct migrate_letter - a document that was checked
 * @hash: of its payload
 * @device: fingerprints of the keys of the board that signed
 * @more: certificates that came with the command beside those in the message
 */
struct migrate_letter {
	enum hsm_migration_kind kind;
	struct hsm_migration_document document;
	uint8_t hash[HSM_MIGRATION_HASH];
	uint8_t device[HSM_DICE_ALGORITHMS][HSM_FINGERPRINT_SIZE];
	struct hsm_cose *message;
	STACK_OF(X509) *more;
};

/**
 * struct migrate_trust - whom to believe; with neither, whoever signs
 * @policy: a board that satisfies it
 * @peer: this board
 * @rules: what this policy demands of firmware and state, whatever the roots
 */
struct migrate_trust {
	const struct policy *policy;
	const struct policy *rules;
	const uint8_t (*peer)[HSM_FINGERPRINT_SIZE];
};

/**
 * migrate_read - take the command's DOCUMENT and check it
 * @letter: migrate_letter_free() afterwards, in any case
 *
 * It must be of @kind, about the partition @id, and signed by an alias of a board that @trust is about, by each kind of
 * key that this libcrypto knows. Return: CKR_OK or what has been refused, with its reason.
 */
CK_RV migrate_read(struct command *command, enum hsm_migration_kind kind, const uint8_t *id,
		   const struct migrate_trust *trust, struct migrate_letter *letter);

/* migrate_kind - which of two kinds the command's DOCUMENT is; @other when it is not @one */
enum hsm_migration_kind migrate_kind(const struct command *command, enum hsm_migration_kind one,
				     enum hsm_migration_kind other);
void migrate_letter_free(struct migrate_letter *letter);

/* migrate_hash - SHA-384. Return: 0 or -EIO */
int migrate_hash(const void *bytes, size_t length, uint8_t hash[HSM_MIGRATION_HASH]);

/**
 * migrate_payload - a document's payload and its hash
 * @document: board and partition are filled in
 */
CK_RV migrate_payload(const struct partition *partition, enum hsm_migration_kind kind,
		      struct hsm_migration_document *document, uint8_t **bytes, size_t *length,
		      uint8_t hash[HSM_MIGRATION_HASH]);

/* migrate_sign - sign a payload; migrate_answer - and put the message into field DOCUMENT of the response */
CK_RV migrate_sign(struct partition *partition, enum hsm_migration_kind kind, const uint8_t *bytes, size_t length,
		   uint8_t **message, size_t *message_length);
CK_RV migrate_answer(struct command *command, enum hsm_migration_kind kind, const uint8_t *bytes, size_t length);

/* migrate_rollback_safe - has this board rollback protection? */
bool migrate_rollback_safe(void);

/*
 * migrate_retire - have the board destroy the partition, keep the document in its place, and the event for the device's log:
 * HSM_AUDIT_MIGRATED_OUT or HSM_AUDIT_MIGRATION_CANCELLED
 */
CK_RV migrate_retire(struct partition *partition, enum hsm_audit_event event, const uint8_t *document,
		     size_t length);

/* ---- migrate_export.c ---- */

struct migrate_export;

/**
 * migrate_export_new - begin to export a partition
 * @snapshot: all at once into memory, since the partition goes on; else rows are read when they are needed
 *
 * Return: CKR_OK, CKR_DEVICE_MEMORY when it is too large for a snapshot, CKR_HOST_MEMORY ...
 */
CK_RV migrate_export_new(struct partition *partition, bool snapshot, struct migrate_export **export);
void migrate_export_free(struct migrate_export *export);

/* migrate_export_bytes - length of the content; migrate_export_rows - rows in it */
uint64_t migrate_export_bytes(const struct migrate_export *export);
uint64_t migrate_export_rows(const struct migrate_export *export);
/* migrate_export_key - the package key, drawn for it */
const uint8_t *migrate_export_key(const struct migrate_export *export);

/* migrate_export_head - bind the chunks to the document that goes before them */
int migrate_export_head(struct migrate_export *export, const uint8_t hash[HSM_MIGRATION_HASH]);

/*
 * The partition's export belongs to the client that has begun it, and is wiped after its last chunk, when the client goes,
 * when another one begins, when the partition is taken back into use or has gone, and when nobody has read on for ten minutes.
 * All under commit_lock, but migrate_export_leave(), which takes it.
 *
 * migrate_export_keep - in place of a former one; it is the partition's from then on
 * migrate_export_next - its next chunk, sealed; the number must be the next one
 * migrate_export_end - wipe it
 * migrate_export_leave - the client goes
 */
void migrate_export_keep(struct partition *partition, struct client *client, struct migrate_export *export);
CK_RV migrate_export_next(struct partition *partition, const struct client *client, uint64_t number,
			  struct hsm_writer *out);
void migrate_export_end(struct partition *partition);
void migrate_export_leave(struct partition *partition, struct client *client);

/* ---- migrate_import.c ---- */

struct migrate_import;

/**
 * migrate_import_new - begin to import into an empty partition
 * @key: package key
 * @hash: of the payload of the document that goes before the chunks
 * @bytes, @rows: of the content, as that says
 */
struct migrate_import *migrate_import_new(const uint8_t key[HSM_MIGRATION_SECRET],
					  const uint8_t hash[HSM_MIGRATION_HASH], uint64_t bytes, uint64_t rows);
void migrate_import_free(struct migrate_import *import);

/* migrate_import_clear - delete rows that a former import has left */
CK_RV migrate_import_clear(struct partition *partition);

/* migrate_import_chunk - Return: CKR_OK, CKR_DATA_INVALID when it does not open, CKR_ARGUMENTS_BAD out of order ... */
CK_RV migrate_import_chunk(struct partition *partition, struct migrate_import *import, uint64_t number,
			   const uint8_t *sealed, size_t length);

/**
 * migrate_import_end - make the partition what has come
 * @next: its migrate_state from then on
 *
 * Everything is read back and verified; then one commit. Afterwards the partition in memory has to be opened anew.
 */
CK_RV migrate_import_end(struct partition *partition, struct migrate_import *import,
			 const struct migrate_state *next);

/* ---- backup.c ---- */

/* backup_shares - draw shares, seal them to custodians, wrap the package key for each set of so many */
CK_RV backup_seal(struct command *command, const uint8_t fingerprint[HSM_MIGRATION_HASH],
		  const uint8_t key[HSM_MIGRATION_SECRET], struct hsm_migration_document *document);
void backup_seal_free(struct hsm_migration_document *document);

/* backup_open - the package key from the command's SHARES, which custodians have sealed to our import key */
CK_RV backup_open(struct command *command, const struct migrate_letter *backup, const struct migrate_state *state,
		  uint8_t key[HSM_MIGRATION_SECRET]);

#endif /* FIRMWARE_MIGRATE_H */
