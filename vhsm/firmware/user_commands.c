// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that make, remove and change users with names. The SO may do so with all of them, a manager with those who
 * are no managers.
 */
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "clock.h"
#include "users.h"

/* ---- who may ---- */

/* Is the role one that the client may give, take and unlock? */
static CK_RV may_manage(const struct client *client, uint32_t role)
{
	if (!user_may(client, MAY_MANAGE))
		return CKR_USER_NOT_LOGGED_IN;
	if (role == ROLE_OWNER || role == ROLE_OFFICER || role >= ROLES)
		return CKR_ARGUMENTS_BAD;
	return role == ROLE_MANAGER && client->login != CKU_SO ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

static uint32_t role_of(const struct command *command)
{
	return hsm_fields_u64(&command->fields, HSM_FIELD_USER_ROLE, ROLES);
}

/* ---- changing the table ---- */

/* A change of one user in a copy of the table; @user is NULL when there is none of that name */
typedef CK_RV (*user_change)(struct command *command, struct user_table *table,
			     struct named_user *user, const void *data);

/* Applications that are logged in as somebody who is no more, or who is something else now, are logged out. */
static void log_out(struct partition *partition, uint32_t account)
{
	struct client *client;

	pthread_mutex_lock(&partition->lock);
	for (client = partition->clients; client; client = client->next)
		if (client->login == CKU_USER && client->account == account)
			partition_logout(partition, client);
	pthread_mutex_unlock(&partition->lock);
}

static enum hsm_audit_event event_of(const struct command *command)
{
	switch (command->info->code) {
	case HSM_OP_USER_CREATE:
		return HSM_AUDIT_USER_CREATED;
	case HSM_OP_USER_REMOVE:
		return HSM_AUDIT_USER_REMOVED;
	case HSM_OP_USER_ROLE:
		return HSM_AUDIT_USER_ROLE;
	case HSM_OP_USER_UNLOCK:
		return HSM_AUDIT_USER_UNLOCKED;
	default:
		return HSM_AUDIT_PIN_SET;
	}
}

static CK_RV record_change(struct command *command, struct partition_state *next,
			   const uint8_t *name, size_t length)
{
	char actor[AUDIT_ACTOR_MAX], subject[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, event_of(command), actor);

	snprintf(subject, sizeof(subject), "user:%.*s", (int)length, (const char *)name);
	record.subject = subject;
	record.number = hsm_fields_u64(&command->fields, HSM_FIELD_USER_ROLE, 0);
	return audit_record(command->partition, next, &record);
}

static CK_RV change(struct command *command, struct partition_state *next, user_change apply,
		    const void *data, uint32_t *account)
{
	const struct named_user *user;
	const uint8_t *name;
	size_t length;
	CK_RV rv;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	next->users = users_copy(next->users);
	if (!next->users)
		return CKR_HOST_MEMORY;
	user = user_by_name(next->users, name, length);
	*account = user ? user->account : ACCOUNT_NONE;
	rv = user ? may_manage(command->client, user->role) : CKR_OK;
	if (rv == CKR_OK)
		rv = apply(command, next->users, (struct named_user *)user, data);
	if (rv == CKR_OK)
		rv = record_change(command, next, name, length);
	if (rv == CKR_OK)
		return users_commit(command->partition, next, true);
	users_free(next->users);
	return rv;
}

/* @account, if it is wanted: whose user was changed */
static CK_RV change_table(struct command *command, user_change apply, const void *data,
			  uint32_t *account)
{
	struct partition *partition = command->partition;
	struct partition_state next;
	uint32_t unwanted;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	rv = change(command, &next, apply, data, account ? account : &unwanted);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

/* ---- making and removing ---- */

static CK_RV add(struct command *command, struct user_table *table, struct named_user *user,
		 const void *data)
{
	const uint8_t *name;
	size_t length;

	if (user)
		return CKR_ARGUMENTS_BAD;
	if (table->count == USERS_MAX || table->next == ACCOUNT_NONE)
		return CKR_DEVICE_MEMORY;
	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	user = &table->user[table->count++];
	memset(user, 0, sizeof(*user));
	user->account = table->next++;
	user->role = role_of(command);
	memcpy(user->name, name, length);
	user->credential = *(const struct credential *)data;
	return CKR_OK;
}

/* What a new PIN wraps, while somebody is logged in */
static CK_RV with_new_pin(struct command *command, const struct credential *old,
			  struct credential *credential)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *pin;
	size_t length;
	bool open;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &length);
	pthread_mutex_lock(&partition->lock);
	open = user_may(command->client, MAY_MANAGE);
	memcpy(private_key, partition->private_key, SECRET_SIZE);
	pthread_mutex_unlock(&partition->lock);
	rv = open ? pin_make(partition, old, credential, pin, length, private_key)
		  : CKR_USER_NOT_LOGGED_IN;
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

CK_RV command_user_create(struct command *command)
{
	struct credential credential;
	const uint8_t *name;
	size_t length;
	CK_RV rv = may_manage(command->client, role_of(command));

	if (rv != CKR_OK)
		return rv;
	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!name_valid(name, length))
		return CKR_ARGUMENTS_BAD;
	rv = with_new_pin(command, NULL, &credential);
	if (rv == CKR_OK)
		rv = change_table(command, add, &credential, NULL);
	OPENSSL_cleanse(&credential, sizeof(credential));
	return rv;
}

static CK_RV drop(struct command *command, struct user_table *table, struct named_user *user,
		  const void *data)
{
	struct named_user *last = &table->user[table->count - 1];

	(void)command;
	(void)data;
	if (!user)
		return CKR_USER_TYPE_INVALID;
	*user = *last;
	OPENSSL_cleanse(last, sizeof(*last));
	table->count--;
	return CKR_OK;
}

CK_RV command_user_remove(struct command *command)
{
	uint32_t account;
	CK_RV rv = user_may(command->client, MAY_MANAGE) ? CKR_OK : CKR_USER_NOT_LOGGED_IN;

	if (rv == CKR_OK)
		rv = change_table(command, drop, NULL, &account);
	if (rv == CKR_OK)
		log_out(command->partition, account);
	return rv;
}

/* ---- changing ---- */

static CK_RV give_role(struct command *command, struct user_table *table, struct named_user *user,
		       const void *data)
{
	(void)table;
	(void)data;
	if (!user)
		return CKR_USER_TYPE_INVALID;
	user->role = role_of(command);
	return CKR_OK;
}

CK_RV command_user_role(struct command *command)
{
	uint32_t account;
	CK_RV rv = may_manage(command->client, role_of(command));

	if (rv == CKR_OK)
		rv = change_table(command, give_role, NULL, &account);
	if (rv == CKR_OK)
		log_out(command->partition, account);
	return rv;
}

static CK_RV unlock(struct command *command, struct user_table *table, struct named_user *user,
		    const void *data)
{
	(void)command;
	(void)table;
	(void)data;
	if (!user)
		return CKR_USER_TYPE_INVALID;
	user->credential.failures = 0;
	user->credential.failed_at = 0;
	return CKR_OK;
}

CK_RV command_user_unlock(struct command *command)
{
	if (!user_may(command->client, MAY_MANAGE))
		return CKR_USER_NOT_LOGGED_IN;
	return change_table(command, unlock, NULL, NULL);
}

static CK_RV give_pin(struct command *command, struct user_table *table, struct named_user *user,
		      const void *data)
{
	(void)command;
	(void)table;
	if (!user)
		return CKR_USER_TYPE_INVALID;
	user->credential = *(const struct credential *)data;
	return CKR_OK;
}

/* The credential of the user that the command names, to be wiped */
static CK_RV named_credential(struct command *command, struct credential *credential)
{
	struct partition *partition = command->partition;
	const struct named_user *user;
	const uint8_t *name;
	size_t length;
	CK_RV rv = CKR_USER_TYPE_INVALID;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	pthread_mutex_lock(&partition->lock);
	user = user_by_name(partition->state.users, name, length);
	if (user) {
		*credential = user->credential;
		rv = may_manage(command->client, user->role);
	}
	pthread_mutex_unlock(&partition->lock);
	return rv;
}

CK_RV command_user_pin(struct command *command)
{
	struct credential old, credential;
	CK_RV rv = user_may(command->client, MAY_MANAGE) ? CKR_OK : CKR_USER_NOT_LOGGED_IN;

	if (rv != CKR_OK)
		return rv;
	rv = named_credential(command, &old);
	if (rv == CKR_OK)
		rv = with_new_pin(command, &old, &credential);
	if (rv == CKR_OK)
		rv = change_table(command, give_pin, &credential, NULL);
	OPENSSL_cleanse(&old, sizeof(old));
	OPENSSL_cleanse(&credential, sizeof(credential));
	return rv;
}

/* ---- the list ---- */

static void put_user(const struct command *command, struct hsm_writer *out,
		     const struct named_user *user)
{
	const struct credential *credential = &user->credential;
	struct hsm_user_status status = {
		.role = htole32(user->role),
		.failures = htole32(credential->failures),
		.changed = htole64(credential->changed_at / 1000),
	};
	uint32_t flags = 0;

	if (credential->failures >= policy_value(command->partition, HSM_POLICY_PIN_TRIES))
		flags |= HSM_USER_LOCKED;
	if (pin_expired(command->partition, credential))
		flags |= HSM_USER_EXPIRED;
	status.flags = htole32(flags);
	memcpy(status.name, user->name, sizeof(status.name));
	hsm_put_raw(out, &status, sizeof(status));
}

CK_RV command_user_list(struct command *command)
{
	struct partition *partition = command->partition;
	const struct user_table *table;
	size_t mark;
	uint32_t i;

	if (command->client->login == NOT_LOGGED_IN)
		return CKR_USER_NOT_LOGGED_IN;
	mark = hsm_put_begin(&command->out, HSM_FIELD_USERS);
	pthread_mutex_lock(&partition->lock);
	table = partition->state.users;
	for (i = 0; table && i < table->count; i++)
		put_user(command, &command->out, &table->user[i]);
	pthread_mutex_unlock(&partition->lock);
	hsm_put_end(&command->out, mark);
	return CKR_OK;
}
