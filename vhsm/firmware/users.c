// SPDX-License-Identifier: Apache-2.0
/*
 * The table of named users: finding, copying, storing, and the rights of their roles. A table in a partition's state is
 * never changed in place; a change is a copy that a commit puts in its stead.
 */
#include <errno.h>
#include <string.h>
#include "users.h"

/* ---- rights ---- */

static const uint8_t rights[ROLES] = {
	[ROLE_OWNER] = MAY_SEE | MAY_USE | MAY_WRITE,
	[ROLE_USER] = MAY_SEE | MAY_USE,
	[ROLE_MANAGER] = MAY_SEE | MAY_WRITE | MAY_MANAGE,
	[ROLE_READ_ONLY] = MAY_SEE,
	[ROLE_AUDITOR] = MAY_AUDIT,
	[ROLE_OFFICER] = 0,
};

bool user_may(const struct client *client, unsigned int right)
{
	uint32_t role = client->role;

	if (client->login != CKU_USER)
		return !(right & MAY_MANAGE) || client->login == CKU_SO;
	return role < ROLES && (rights[role] & right) == right;
}

/* ---- the table ---- */

static size_t table_size(uint32_t count)
{
	return sizeof(struct user_table) + count * sizeof(struct named_user);
}

const struct named_user *user_by_account(const struct user_table *table, uint32_t account)
{
	uint32_t i;

	for (i = 0; table && i < table->count; i++)
		if (table->user[i].account == account)
			return &table->user[i];
	return NULL;
}

const struct named_user *user_by_name(const struct user_table *table, const uint8_t *name,
				      size_t length)
{
	uint32_t i;

	for (i = 0; table && i < table->count && length < USER_NAME_MAX; i++)
		if (strlen(table->user[i].name) == length &&
		    !memcmp(table->user[i].name, name, length))
			return &table->user[i];
	return NULL;
}

struct user_table *users_copy(const struct user_table *table)
{
	uint32_t count = table ? table->count : 0;
	struct user_table *copy = OPENSSL_zalloc(table_size(count + 1));

	if (!copy)
		return NULL;
	copy->next = ACCOUNT_NAMED;
	if (table)
		memcpy(copy, table, table_size(count));
	return copy;
}

void users_free(struct user_table *table)
{
	if (table)
		OPENSSL_clear_free(table, table_size(table->count));
}

CK_RV users_commit(struct partition *partition, struct partition_state *next, bool advance)
{
	struct user_table *before = partition->state.users, *after = next->users;
	CK_RV rv = store_commit(partition, next, NULL, 0, advance);

	/* Who read the former one did so under partition->lock, which the commit has held since. */
	users_free(rv == CKR_OK ? before : after);
	return rv;
}

/* ---- the header's section ---- */

void users_write(struct header_cursor *cursor, const struct partition *partition,
		 const struct partition_state *state)
{
	const struct user_table *table = state->users;
	uint32_t i;

	(void)partition;
	if (!table)
		return;
	header_put32(cursor, table->next);
	header_put32(cursor, table->count);
	for (i = 0; i < table->count; i++) {
		header_put32(cursor, table->user[i].account);
		header_put32(cursor, table->user[i].role);
		header_put(cursor, table->user[i].name, USER_NAME_MAX);
		credential_write(cursor, &table->user[i].credential);
	}
}

void users_read(struct header_cursor *cursor, struct partition *partition,
		struct partition_state *state)
{
	uint32_t next = header_get32(cursor), count = header_get32(cursor), i;
	struct user_table *table;
	struct named_user *user;

	(void)partition;
	table = count <= USERS_MAX ? OPENSSL_zalloc(table_size(count + 1)) : NULL;
	if (!table) {
		cursor->error = count <= USERS_MAX ? -ENOMEM : -EBADMSG;
		return;
	}
	table->next = next;
	table->count = count;
	for (i = 0; i < count; i++) {
		user = &table->user[i];
		user->account = header_get32(cursor);
		user->role = header_get32(cursor);
		header_get(cursor, user->name, USER_NAME_MAX);
		credential_read(cursor, &user->credential);
		if (user->role >= ROLES || user->name[USER_NAME_MAX - 1] ||
		    user->account < ACCOUNT_NAMED || user->account >= next)
			cursor->error = cursor->error ? cursor->error : -EBADMSG;
	}
	state->users = table;
}
