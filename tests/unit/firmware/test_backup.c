// SPDX-License-Identifier: Apache-2.0
/*
 * Backups at the device's commands: who may make one, whose shares open it, for which board, and what a partition says of
 * itself that came out of one.
 */
#include "migrate_testing.h"

#define CUSTODIANS 3
#define THRESHOLD  2

static struct hsm_hybrid custodian[CUSTODIANS];
static uint8_t publics[CUSTODIANS][HSM_HYBRID_PUBLIC];

static int make_custodians(void **state)
{
	if (board_prepare(state))
		return -1;
	if (hsm_hybrid_available(mech_libctx()))
		return 0;
	for (int i = 0; i < CUSTODIANS; i++)
		if (hsm_hybrid_generate(mech_libctx(), &custodian[i]) ||
		    hsm_hybrid_public(&custodian[i], publics[i]))
			return -1;
	return 0;
}

static int free_custodians(void **state)
{
	for (int i = 0; i < CUSTODIANS; i++)
		hsm_hybrid_free(&custodian[i]);
	return board_finish(state);
}

/* ---- making one ---- */

static void allow_backup(uint32_t yes)
{
	uint8_t bytes[64];
	struct hsm_writer out;

	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_u32(&out, HSM_FIELD_BACKUP, yes);
	board_set_policy(0, &out);
}

static CK_RV begin(struct peer *peer, const void *keys, size_t count, uint32_t threshold)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_CUSTODIANS, keys, count * HSM_HYBRID_PUBLIC);
	hsm_put_u32(&out, HSM_FIELD_THRESHOLD, threshold);
	return peer_call(peer, HSM_OP_BACKUP_BEGIN, &out);
}

static void back_up(struct package *package)
{
	struct peer *peer = peer_so(0);

	memset(package, 0, sizeof(*package));
	assert_int_equal(begin(peer, publics, CUSTODIANS, THRESHOLD), CKR_OK);
	package->head = doc_of(peer);
	read_chunks(peer, package);
	peer_free(peer);
}

static void who_may_make_one(void **state)
{
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow_backup(0);
	peer = peer_so(0);
	assert_int_equal(begin(peer, publics, CUSTODIANS, THRESHOLD), CKR_ACTION_PROHIBITED);
	because(peer, "one copy");
	allow_backup(1);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(begin(peer, publics, CUSTODIANS, THRESHOLD), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
	peer = peer_so(0);
	board.grants_all = false;
	assert_int_equal(begin(peer, publics, CUSTODIANS, THRESHOLD), CKR_ACTION_PROHIBITED);
	board.grants_all = true;
	assert_int_equal(begin(peer, publics, CUSTODIANS, THRESHOLD), CKR_OK);
	peer_free(peer);
}

static void custodians_that_are_none(void **state)
{
	static uint8_t keys[HSM_CUSTODIANS_MAX + 1][HSM_HYBRID_PUBLIC];
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow_backup(1);
	peer = peer_so(0);
	assert_int_equal(begin(peer, publics, CUSTODIANS, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(begin(peer, publics, CUSTODIANS, CUSTODIANS + 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(begin(peer, publics, 0, 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(begin(peer, keys, HSM_CUSTODIANS_MAX + 1, 2), CKR_ARGUMENTS_BAD);
	/* One person with two places */
	memcpy(keys[0], publics[0], HSM_HYBRID_PUBLIC);
	memcpy(keys[1], publics[0], HSM_HYBRID_PUBLIC);
	assert_int_equal(begin(peer, keys, 2, 2), CKR_ARGUMENTS_BAD);
	because(peer, "the same key");
	memset(keys[1], 4, 97);
	assert_int_equal(begin(peer, keys, 2, 2), CKR_ARGUMENTS_BAD);
	because(peer, "custodian 2");
	peer_free(peer);
}

/* ---- restoring it ---- */

/* The share of a custodian out of the backup, for the board that made the offer */
static struct hsm_backup_share share_of(int who, const struct doc *backup, const struct doc *offer)
{
	struct hsm_migration_document from, to;
	uint8_t from_hash[HSM_MIGRATION_HASH], to_hash[HSM_MIGRATION_HASH];
	struct hsm_cose *first = doc_read(backup, HSM_MIGRATION_BACKUP, &from, from_hash);
	struct hsm_cose *second = doc_read(offer, HSM_MIGRATION_OFFER, &to, to_hash);
	struct hsm_backup_share share;

	assert_int_equal(hsm_backup_reshare(mech_libctx(), &custodian[who], &from, from_hash, &to,
					    to_hash, &share),
			 0);
	hsm_migration_free(&from);
	hsm_migration_free(&to);
	hsm_cose_free(first);
	hsm_cose_free(second);
	return share;
}

static CK_RV restore(struct peer *peer, const struct doc *head,
		     const struct hsm_backup_share *shares, size_t count)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_DOCUMENT, head->data, head->length);
	if (count)
		hsm_put_bytes(&out, HSM_FIELD_SHARES, shares, count * sizeof(*shares));
	return peer_call(peer, HSM_OP_IMPORT_BEGIN, &out);
}

static uint64_t origin_of(int partition)
{
	struct peer *peer = peer_new(partition);
	uint64_t flags;

	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_STATUS, NULL), CKR_OK);
	flags = peer_u64(peer, HSM_FIELD_FLAGS);
	peer_free(peer);
	return flags;
}

static void so_many_custodians_restore_it(void **state)
{
	struct hsm_backup_share share[CUSTODIANS], other;
	struct doc offer, receipt;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow_backup(1);
	fill();
	back_up(&package);
	assert_true(package.count > 4);
	/* The partition has gone on serving. */
	arrived(0);
	assert_int_equal(step_create(&package.head), CKR_OK);
	use(BOARD_B, 1);
	assert_int_equal(step_offer(&package.head, &offer), CKR_OK);
	for (int i = 0; i < CUSTODIANS; i++)
		share[i] = share_of(i, &package.head, &offer);
	peer = peer_new(1);
	assert_int_equal(restore(peer, &package.head, share, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(restore(peer, &package.head, share, 1), CKR_ARGUMENTS_BAD);
	because(peer, "needs 2 shares");
	assert_int_equal(restore(peer, &package.head, share, 3), CKR_ARGUMENTS_BAD);
	other = share[1];
	share[1] = share[0];
	assert_int_equal(restore(peer, &package.head, share, 2), CKR_ARGUMENTS_BAD);
	because(peer, "twice");
	/* In another one's name, and with a bit changed */
	share[1].index = 2;
	assert_int_equal(restore(peer, &package.head, share, 2), CKR_DATA_INVALID);
	share[1] = other;
	share[1].share[100] ^= 1;
	assert_int_equal(restore(peer, &package.head, share, 2), CKR_DATA_INVALID);
	because(peer, "custodian 2");
	share[1] = other;
	/* Any two of the three, in any order */
	share[1] = share[0];
	share[0] = share[2];
	assert_int_equal(restore(peer, &package.head, share, 2), CKR_OK);
	assert_int_equal(go_on(peer, &package, &receipt), CKR_OK);
	peer_free(peer);
	board_restart();
	assert_int_equal(origin_of(1), HSM_MIGRATION_ORIGIN_RESTORED | HSM_ORIGIN_RESTORED);
	peer = peer_user(1);
	assert_int_equal(find(peer, "private"), 1);
	/* It is what it was when it was copied. */
	assert_int_equal(find(peer, "after"), 0);
	peer_free(peer);
	doc_free(&offer);
	doc_free(&receipt);
	package_free(&package);
}

/* A share is for one import key: what was given for another board opens nothing here. */
static void a_share_is_for_one_board(void **state)
{
	struct hsm_backup_share share[2];
	struct doc offer, second;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow_backup(1);
	back_up(&package);
	assert_int_equal(step_create(&package.head), CKR_OK);
	use(BOARD_B, 1);
	assert_int_equal(step_offer(&package.head, &offer), CKR_OK);
	share[0] = share_of(0, &package.head, &offer);
	share[1] = share_of(1, &package.head, &offer);
	/* The place is abandoned and made anew: another import key */
	peer = peer_new(1);
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_ABANDON, NULL), CKR_OK);
	assert_int_equal(board.retired, HSM_AUDIT_MIGRATION_CANCELLED);
	peer_free(peer);
	assert_int_equal(step_create(&package.head), CKR_OK);
	use(BOARD_B, 1);
	assert_int_equal(step_offer(&package.head, &second), CKR_OK);
	peer = peer_new(1);
	assert_int_equal(restore(peer, &package.head, share, 2), CKR_DATA_INVALID);
	because(peer, "not for this backup and offer");
	peer_free(peer);
	doc_free(&offer);
	doc_free(&second);
	package_free(&package);
}

/* ---- what stays true of it ---- */

/* As a partition that was restored once, by way of a board without rollback protection, and moves on between better ones */
static void what_was_restored_stays_so(void **state)
{
	struct partition *partition;
	struct doc request, offer;
	struct package package;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	partition = partition_find(board.partition[0].info.id);
	assert_non_null(partition);
	partition->state.migrate.origin = HSM_MIGRATION_ORIGIN_RESTORED;
	partition->state.migrate.restored = 1;
	partition->state.migrate.unsafe = 1;
	partition_put(partition);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, NULL), CKR_OK);
	board_restart();
	assert_int_equal(origin_of(1),
			 HSM_MIGRATION_ORIGIN_MOVED | HSM_ORIGIN_RESTORED | HSM_ORIGIN_UNSAFE);
	doc_free(&request);
	doc_free(&offer);
	package_free(&package);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(who_may_make_one),
		BOTH(custodians_that_are_none),
		BOTH(so_many_custodians_restore_it),
		BOTH(a_share_is_for_one_board),
		BOTH(what_was_restored_stays_so),
	};

	return cmocka_run_group_tests_name("backup", tests, make_custodians, free_custodians);
}
