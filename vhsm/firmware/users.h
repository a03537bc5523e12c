/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of a partition with names of their own, and what each role may do. The user without a name, who is all that PKCS#11
 * before 3.0 has, may do what any of them may.
 */
#ifndef FIRMWARE_USERS_H
#define FIRMWARE_USERS_H

#include "commands.h"

#define USERS_MAX	 64
#define USER_NAME_MAX	 64
#define ACCOUNT_NAMED	 16 /* numbers of named users start here; CKU_ are below */
#define ACCOUNT_NONE	 UINT32_MAX

/* As in the field USER_ROLE; OWNER is the user without a name */
enum user_role {
	ROLE_OWNER = 0,
	ROLE_USER = 1,
	ROLE_MANAGER = 2,
	ROLE_READ_ONLY = 3,
	ROLE_AUDITOR = 4, /* reads the log and uses no key */
	ROLE_OFFICER = 5, /* of the device, on its own partition alone */
	ROLES
};

/* What a login as user gives; the table is in users.c and Documentation/policy.rst */
#define MAY_USE	   (1U << 0) /* private keys and secret keys, and session objects of their own */
#define MAY_WRITE  (1U << 1) /* make, change and destroy token objects */
#define MAY_MANAGE (1U << 2) /* other users of roles below */
#define MAY_SEE	   (1U << 3) /* private objects */
#define MAY_AUDIT  (1U << 4) /* read the audit log, and let go of records that were read */

/**
 * struct named_user - one of them
 * @account: number, never used again
 * @name: NUL-padded UTF-8
 */
struct named_user {
	uint32_t account;
	uint32_t role;
	char name[USER_NAME_MAX];
	struct credential credential;
};

/**
 * struct user_table - all of a partition's
 * @next: next account
 */
struct user_table {
	uint32_t next;
	uint32_t count;
	struct named_user user[];
};

/* user_by_account, user_by_name - NULL: none. @name need not end with NUL. */
const struct named_user *user_by_account(const struct user_table *table, uint32_t account);
const struct named_user *user_by_name(const struct user_table *table, const uint8_t *name, size_t length);

/* users_copy - a copy to be changed, with room for one more; NULL when out of memory. @table may be NULL. */
struct user_table *users_copy(const struct user_table *table);
void users_free(struct user_table *table);

/**
 * users_commit - commit a state with another table of users
 * @next: whose @users are from users_copy(); taken over, also on failure
 *
 * The caller holds commit_lock. Return: as store_commit().
 */
CK_RV users_commit(struct partition *partition, struct partition_state *next, bool advance);

/* users_write, users_read - the header's section */
void users_write(struct header_cursor *cursor, const struct partition *partition,
		 const struct partition_state *state);
void users_read(struct header_cursor *cursor, struct partition *partition, struct partition_state *state);

/* user_may - has the client the right MAY_*? Who is not logged in as a user, or is the SO, has those that public objects need. */
bool user_may(const struct client *client, unsigned int right);

#endif /* FIRMWARE_USERS_H */
