// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about PINs and logins, of the SO, the user and users with names. PKCS#11 3.2, 5.5 and 5.6. What a PIN is and
 * when it may be tried is in pin.c.
 */
#include <string.h>
#include "audit.h"
#include "users.h"

/* A copy of an account's credential, to be wiped; false: there is no such account */
static bool get_credential(struct partition *partition, uint32_t account,
			   struct credential *credential)
{
	const struct credential *found;

	pthread_mutex_lock(&partition->lock);
	found = credential_of(&partition->state, account);
	if (found)
		*credential = *found;
	pthread_mutex_unlock(&partition->lock);
	return found != NULL;
}

/* Whom the command names: by NAME, else by USER; @otherwise when by neither. ACCOUNT_NONE: nobody of that name. */
static uint32_t named_account(struct command *command, uint32_t otherwise)
{
	uint64_t user = hsm_fields_u64(&command->fields, HSM_FIELD_USER, ACCOUNT_NONE);
	struct partition *partition = command->partition;
	const struct named_user *found;
	uint32_t account = ACCOUNT_NONE;
	const uint8_t *name;
	size_t length;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!name || !length) {
		if (!hsm_fields_find(&command->fields, HSM_FIELD_USER))
			return otherwise;
		return user == CKU_SO || user == CKU_USER ? user : ACCOUNT_NONE;
	}
	pthread_mutex_lock(&partition->lock);
	found = user_by_name(partition->state.users, name, length);
	if (found)
		account = found->account;
	pthread_mutex_unlock(&partition->lock);
	return account;
}

/* ---- PINs ---- */

/* Make a credential for a new PIN of an account and store it */
static CK_RV set_pin(struct command *command, uint32_t account, const uint8_t *pin, size_t length,
		     const uint8_t private_key[SECRET_SIZE])
{
	struct partition *partition = command->partition;
	struct credential old, credential;
	CK_RV rv;

	if (!get_credential(partition, account, &old))
		return CKR_USER_TYPE_INVALID;
	rv = pin_make(partition, &old, &credential, pin, length, private_key);
	if (rv == CKR_OK)
		rv = credential_store(command, account, &credential);
	OPENSSL_cleanse(&old, sizeof(old));
	OPENSSL_cleanse(&credential, sizeof(credential));
	return rv;
}

CK_RV command_pin_init(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *pin;
	size_t length;
	bool so;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &length);
	pthread_mutex_lock(&partition->lock);
	so = session_so(command->session);
	memcpy(private_key, partition->private_key, SECRET_SIZE);
	pthread_mutex_unlock(&partition->lock);
	rv = so ? set_pin(command, CKU_USER, pin, length, private_key) : CKR_USER_NOT_LOGGED_IN;
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/* Without a login whose PIN it is must be said, or it is the user's: so an expired PIN can be changed. */
CK_RV command_pin_set(struct command *command)
{
	const struct client *client = command->client;
	uint32_t account = client->login == NOT_LOGGED_IN ? CKU_USER : client->account;
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *pin, *new_pin;
	size_t length, new_length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	new_pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &new_length);
	account = named_account(command, account);
	if (!command->session->rw)
		return CKR_SESSION_READ_ONLY;
	if (pin_length(command->partition, new_length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	if (account == ACCOUNT_NONE)
		return CKR_PIN_INCORRECT;
	rv = pin_check(command, account, pin, length, private_key);
	if (rv == CKR_OK)
		rv = set_pin(command, account, new_pin, new_length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/* ---- login ---- */

/* May this client log in so? The caller holds partition->lock. */
static CK_RV may_login(const struct client *client, int user, uint32_t account)
{
	if (client->login == user)
		return client->account == account ? CKR_USER_ALREADY_LOGGED_IN
						  : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	if (client->login != NOT_LOGGED_IN)
		return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	if (user == CKU_SO && client->count != client->rw_count)
		return CKR_SESSION_READ_ONLY_EXISTS;
	return CKR_OK;
}

/* The PIN was right: is it still good, and whose rights are these? The caller holds partition->lock. */
static CK_RV take_account(struct command *command, uint32_t account)
{
	struct partition *partition = command->partition;
	const struct credential *credential = credential_of(&partition->state, account);
	const struct named_user *named = user_by_account(partition->state.users, account);

	if (!credential)
		return CKR_PIN_INCORRECT;
	if (pin_expired(partition, credential))
		return CKR_PIN_EXPIRED;
	command->client->account = account;
	command->client->role = named ? named->role : ROLE_OWNER;
	return CKR_OK;
}

static CK_RV login(struct command *command, int user, uint32_t account, const uint8_t *pin,
		   size_t length)
{
	struct partition *partition = command->partition;
	uint8_t private_key[SECRET_SIZE];
	CK_RV rv;

	pthread_mutex_lock(&partition->lock);
	rv = may_login(command->client, user, account);
	pthread_mutex_unlock(&partition->lock);
	if (rv != CKR_OK)
		return rv;
	rv = pin_check(command, account, pin, length, private_key);
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->lock);
	rv = may_login(command->client, user, account);
	if (rv == CKR_OK && (command->client->closed || !command->client->count))
		rv = CKR_SESSION_HANDLE_INVALID;
	if (rv == CKR_OK)
		rv = take_account(command, account);
	if (rv == CKR_OK)
		rv = partition_login(partition, command->client, user, private_key);
	pthread_mutex_unlock(&partition->lock);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/* CKU_CONTEXT_SPECIFIC: the PIN once more, for an operation with a key that asks for it each time */
static CK_RV login_operation(struct command *command, const uint8_t *pin, size_t length)
{
	uint8_t private_key[SECRET_SIZE];
	struct operation *operation = NULL;
	unsigned int use;
	CK_RV rv;

	for (use = 0; use < OPERATIONS; use++)
		if (command->session->operation[use].needs_pin)
			operation = &command->session->operation[use];
	if (!operation)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!session_user(command->session))
		return CKR_USER_NOT_LOGGED_IN;
	rv = pin_check(command, command->client->account, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	if (rv == CKR_OK)
		operation->needs_pin = false;
	return rv;
}

CK_RV command_login(struct command *command)
{
	uint64_t user = hsm_fields_u64(&command->fields, HSM_FIELD_USER, ~0ULL);
	uint32_t account = named_account(command, ACCOUNT_NONE);
	const uint8_t *pin;
	size_t length;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN, &length);
	if (user == CKU_CONTEXT_SPECIFIC)
		return login_operation(command, pin, length);
	if (user != CKU_USER && user != CKU_SO)
		return CKR_USER_TYPE_INVALID;
	/* Names are users': the SO has none. */
	if (account == ACCOUNT_NONE || (user == CKU_SO && account != CKU_SO))
		return CKR_PIN_INCORRECT;
	return login(command, user, account, pin, length);
}

CK_RV command_logout(struct command *command)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_LOGOUT, actor);
	struct partition *partition = command->partition;
	CK_RV rv = CKR_USER_NOT_LOGGED_IN;

	pthread_mutex_lock(&partition->lock);
	if (command->client->login != NOT_LOGGED_IN) {
		partition_logout(partition, command->client);
		rv = CKR_OK;
	}
	pthread_mutex_unlock(&partition->lock);
	/* A log that is full keeps nobody in. */
	if (rv == CKR_OK)
		audit_commit(command->task, partition, &record);
	return rv;
}
