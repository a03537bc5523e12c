// SPDX-License-Identifier: Apache-2.0
/*
 * The table of officers' keys, quorums and nonces: looking up, changing a copy, storing.
 */
#include <errno.h>
#include <string.h>
#include <hsm/cose.h>
#include <openssl/rand.h>
#include "clock.h"
#include "officers.h"

/* ---- the table ---- */

struct officer_table *officers_copy(const struct officer_table *table)
{
	struct officer_table *copy = OPENSSL_zalloc(sizeof(*copy));

	if (copy && table)
		*copy = *table;
	return copy;
}

void officers_free(struct officer_table *table)
{
	OPENSSL_free(table);
}

void officers_drop(const struct partition *partition, struct partition_state *next)
{
	if (next->officers != partition->state.officers)
		officers_free(next->officers);
	if (next->users != partition->state.users)
		users_free(next->users);
}

CK_RV officers_commit(struct partition *partition, struct partition_state *next)
{
	struct partition_state before = {
		.officers = partition->state.officers,
		.users = partition->state.users,
	};
	CK_RV rv = store_commit(partition, next, NULL, 0, true);

	/* Who reads the former ones does so under partition->lock, which the commit has held since. */
	officers_drop(partition, rv == CKR_OK ? &before : next);
	return rv;
}

/* ---- quorums ---- */

uint32_t officers_needed(const struct officer_table *table, enum hsm_action action)
{
	uint32_t most = 0, i;

	if (!table)
		return 0;
	if (action != HSM_ACTION_ROLES)
		return table->quorum[action];
	/* Or a single officer makes the others. */
	for (i = 0; i < HSM_ACTIONS; i++)
		if (table->quorum[i] > most)
			most = table->quorum[i];
	return most;
}

bool officers_enough(const struct officer_table *table)
{
	return !table || table->count >= officers_needed(table, HSM_ACTION_ROLES);
}

/* ---- keys ---- */

const struct officer_key *officer_key_of(const struct officer_table *table, uint32_t account)
{
	uint32_t i;

	for (i = 0; table && i < table->count; i++)
		if (table->key[i].account == account)
			return &table->key[i];
	return NULL;
}

const struct officer_key *officer_key_by_id(const struct officer_table *table, const uint8_t *id,
					    size_t length)
{
	uint32_t i;

	for (i = 0; table && length == HSM_APPROVAL_ID_SIZE && i < table->count; i++)
		if (!memcmp(table->key[i].id, id, length))
			return &table->key[i];
	return NULL;
}

EVP_PKEY *officer_public_key(const uint8_t *key, size_t length)
{
	const uint8_t *end = key;
	EVP_PKEY *pkey = d2i_PUBKEY_ex(NULL, &end, (long)length, mech_libctx(), NULL);

	if (pkey && end == key + length && hsm_cose_algorithm(pkey))
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

int officer_key_id(const uint8_t *key, size_t length, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
	int ret = md && EVP_Digest(key, length, id, NULL, md, NULL) == 1 ? 0 : -EIO;

	EVP_MD_free(md);
	return ret;
}

static void remove_key(struct officer_table *table, uint32_t account)
{
	struct officer_key *key = (struct officer_key *)officer_key_of(table, account);
	struct officer_key *last;

	if (!key)
		return;
	last = &table->key[--table->count];
	if (key != last)
		*key = *last;
	memset(last, 0, sizeof(*last));
}

/* Whose key is this, however its bytes were written? A point has more forms than one, and so more ids. */
static const struct officer_key *holder_of(const struct officer_table *table, const EVP_PKEY *key)
{
	EVP_PKEY *other;
	uint32_t i;
	int same;

	for (i = 0; i < table->count; i++) {
		other = officer_public_key(table->key[i].key, table->key[i].length);
		same = other ? EVP_PKEY_eq(other, key) : 0;
		EVP_PKEY_free(other);
		if (same == 1)
			return &table->key[i];
	}
	return NULL;
}

/* One key is one person: two officers with the same one would be a quorum of one. */
CK_RV officer_set_key(struct officer_table *table, uint32_t account, const uint8_t *key,
		      size_t length)
{
	struct officer_key new = { .account = account, .length = length };
	const struct officer_key *other;
	EVP_PKEY *pkey;

	if (!length) {
		remove_key(table, account);
		return CKR_OK;
	}
	pkey = length <= sizeof(new.key) ? officer_public_key(key, length) : NULL;
	if (!pkey)
		return CKR_ARGUMENTS_BAD;
	other = holder_of(table, pkey);
	EVP_PKEY_free(pkey);
	memcpy(new.key, key, length);
	if (officer_key_id(key, length, new.id) < 0)
		return CKR_FUNCTION_FAILED;
	if (other && other->account != account)
		return CKR_ARGUMENTS_BAD;
	remove_key(table, account);
	if (table->count == OFFICERS_MAX)
		return CKR_DEVICE_MEMORY;
	table->key[table->count++] = new;
	return CKR_OK;
}

/* ---- nonces ---- */

static void remove_nonce(struct officer_table *table, uint32_t i)
{
	table->nonces--;
	memmove(&table->nonce[i], &table->nonce[i + 1],
		(table->nonces - i) * sizeof(table->nonce[0]));
	memset(&table->nonce[table->nonces], 0, sizeof(table->nonce[0]));
}

int officer_add_nonce(struct officer_table *table, uint8_t nonce[HSM_APPROVAL_NONCE_SIZE])
{
	uint64_t now = clock_now();
	struct officer_nonce *new;
	uint32_t i = 0;

	while (i < table->nonces) {
		if (table->nonce[i].expires <= now)
			remove_nonce(table, i);
		else
			i++;
	}
	if (table->nonces == OFFICER_NONCES_MAX)
		remove_nonce(table, 0);
	if (RAND_bytes_ex(mech_libctx(), nonce, HSM_APPROVAL_NONCE_SIZE, 0) != 1)
		return -EIO;
	new = &table->nonce[table->nonces++];
	memcpy(new->value, nonce, sizeof(new->value));
	new->expires = now + HSM_APPROVAL_SECONDS * 1000ULL;
	return 0;
}

/* Return: its place, or the number of all */
static uint32_t find_nonce(const struct officer_table *table, const uint8_t *nonce, size_t length)
{
	uint32_t i;

	for (i = 0; i < table->nonces; i++)
		if (length == sizeof(table->nonce[i].value) &&
		    !memcmp(table->nonce[i].value, nonce, length) &&
		    table->nonce[i].expires > clock_now())
			break;
	return i;
}

bool officer_has_nonce(const struct officer_table *table, const uint8_t *nonce, size_t length)
{
	return table && find_nonce(table, nonce, length) < table->nonces;
}

bool officer_take_nonce(struct officer_table *table, const uint8_t *nonce, size_t length)
{
	uint32_t i = find_nonce(table, nonce, length);

	if (i == table->nonces)
		return false;
	remove_nonce(table, i);
	return true;
}

/* ---- the header's section ---- */

void officers_write(struct header_cursor *cursor, const struct partition *partition,
		    const struct partition_state *state)
{
	const struct officer_table *table = state->officers;
	uint32_t i;

	(void)partition;
	if (!table)
		return;
	header_put32(cursor, HSM_ACTIONS);
	for (i = 0; i < HSM_ACTIONS; i++)
		header_put32(cursor, table->quorum[i]);
	header_put32(cursor, table->nonces);
	for (i = 0; i < table->nonces; i++) {
		header_put(cursor, table->nonce[i].value, sizeof(table->nonce[i].value));
		header_put64(cursor, table->nonce[i].expires);
	}
	header_put32(cursor, table->count);
	for (i = 0; i < table->count; i++) {
		header_put32(cursor, table->key[i].account);
		header_put32(cursor, table->key[i].length);
		header_put(cursor, table->key[i].key, table->key[i].length);
	}
}

static void read_quorums(struct header_cursor *cursor, struct officer_table *table)
{
	uint32_t count = header_get32(cursor), i;

	/* Fewer: those that have come since are 0. More would be forgotten with the next commit. */
	if (count > HSM_ACTIONS)
		cursor->error = cursor->error ? cursor->error : -EPROTONOSUPPORT;
	for (i = 0; i < count && i < HSM_ACTIONS; i++)
		table->quorum[i] = header_get32(cursor);
}

static void read_nonces(struct header_cursor *cursor, struct officer_table *table)
{
	uint32_t count = header_get32(cursor), i;

	if (count > OFFICER_NONCES_MAX)
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
	for (i = 0; !cursor->error && i < count; i++) {
		header_get(cursor, table->nonce[i].value, sizeof(table->nonce[i].value));
		table->nonce[i].expires = header_get64(cursor);
	}
	table->nonces = i;
}

static void read_key(struct header_cursor *cursor, struct officer_key *key)
{
	key->account = header_get32(cursor);
	key->length = header_get32(cursor);
	if (!key->length || key->length > sizeof(key->key)) {
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
		return;
	}
	header_get(cursor, key->key, key->length);
	if (!cursor->error)
		cursor->error = officer_key_id(key->key, key->length, key->id);
}

void officers_read(struct header_cursor *cursor, struct partition *partition,
		   struct partition_state *state)
{
	struct officer_table *table = officers_copy(NULL);
	uint32_t i;

	(void)partition;
	if (!table) {
		cursor->error = -ENOMEM;
		return;
	}
	state->officers = table;
	read_quorums(cursor, table);
	read_nonces(cursor, table);
	table->count = header_get32(cursor);
	if (table->count > OFFICERS_MAX) {
		table->count = 0;
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
	}
	for (i = 0; !cursor->error && i < table->count; i++)
		read_key(cursor, &table->key[i]);
}
