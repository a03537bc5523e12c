// SPDX-License-Identifier: Apache-2.0
/*
 * The device's officers and auditors, their keys, the quorums, and what approvals are bound to. Who decides about that is
 * decided by as many as the largest quorum asks for: a single officer could otherwise make the others.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>
#include "approval.h"
#include "audit.h"
#include "officers.h"

#define GRANT_SECONDS 3600 /* between an officer's grant and the partition's command */

/* A change of the tables in @next, which are copies */
typedef CK_RV (*officer_change)(struct command *command, struct partition_state *next,
				const void *data);

struct change {
	officer_change apply;
	const void *data;
	enum hsm_audit_event event;
};

/* ---- changing ---- */

static void officer_name(const struct command *command, char name[USER_NAME_MAX])
{
	const uint8_t *bytes;
	size_t length;

	memset(name, 0, USER_NAME_MAX);
	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (bytes && length < USER_NAME_MAX)
		memcpy(name, bytes, length);
}

static CK_RV copy_and_apply(struct command *command, struct partition_state *next,
			    const struct change *change)
{
	next->officers = officers_copy(next->officers);
	next->users = users_copy(next->users);
	if (!next->officers || !next->users)
		return CKR_HOST_MEMORY;
	return change->apply(command, next, change->data);
}

static CK_RV record_change(struct command *command, struct partition_state *next,
			   enum hsm_audit_event event)
{
	char actor[AUDIT_ACTOR_MAX], name[USER_NAME_MAX];
	struct hsm_audit_record record = audit_begin(command, event, actor);
	uint64_t action = hsm_fields_u64(&command->fields, HSM_FIELD_ACTION, 0);
	uint8_t id[HSM_APPROVAL_ID_SIZE];
	const uint8_t *key;
	size_t length;

	officer_name(command, name);
	record.subject = action ? hsm_action_word(action) : name;
	record.number =
		hsm_fields_u64(&command->fields, action ? HSM_FIELD_COUNT : HSM_FIELD_USER_ROLE, 0);
	key = hsm_fields_bytes(&command->fields, HSM_FIELD_PUBLIC_KEY, &length);
	if (length && officer_key_id(key, length, id) == 0)
		record.fingerprint = (struct hsm_audit_bytes){ id, sizeof(id) };
	return audit_record(command->partition, next, &record);
}

static CK_RV change_tables(struct command *command, const struct change *change)
{
	struct partition *partition = command->partition;
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	rv = copy_and_apply(command, &next, change);
	if (rv == CKR_OK)
		rv = record_change(command, &next, change->event);
	if (rv == CKR_OK)
		rv = officers_commit(partition, &next);
	else
		officers_drop(partition, &next);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

/* ---- adding and removing ---- */

static uint32_t role_of(const struct command *command)
{
	return hsm_fields_u64(&command->fields, HSM_FIELD_USER_ROLE, ROLES);
}

static CK_RV add(struct command *command, struct partition_state *next, const void *data)
{
	struct user_table *table = next->users;
	struct named_user *user;
	const uint8_t *name;
	size_t length;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (user_by_name(table, name, length))
		return CKR_ARGUMENTS_BAD;
	if (table->count == USERS_MAX || table->next == ACCOUNT_NONE)
		return CKR_DEVICE_MEMORY;
	user = &table->user[table->count++];
	memset(user, 0, sizeof(*user));
	user->account = table->next++;
	user->role = role_of(command);
	memcpy(user->name, name, length);
	user->credential = *(const struct credential *)data;
	return CKR_OK;
}

/* Nothing is sealed under officers' PINs: what each unwraps is a key of its own. */
static CK_RV new_credential(struct command *command, struct credential *credential)
{
	uint8_t private_key[SECRET_SIZE];
	const uint8_t *pin;
	size_t length;
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &length);
	if (RAND_priv_bytes_ex(mech_libctx(), private_key, sizeof(private_key), 0) != 1)
		return CKR_FUNCTION_FAILED;
	rv = pin_make(command->partition, NULL, credential, pin, length, private_key);
	OPENSSL_cleanse(private_key, sizeof(private_key));
	return rv;
}

/*
 * Who approves is shown no PIN, but what is approved must be the whole command: else the one who sends it could set a PIN
 * of his own, and be the new officer. So the PIN's holder gives a commitment to it, which is among what is signed.
 */
static CK_RV check_commitment(const struct command *command)
{
	const uint8_t *pin, *commitment, *opening;
	size_t pin_length, length, opening_length, approvals;
	uint8_t expected[HSM_APPROVAL_ID_SIZE];
	CK_RV rv;

	pin = hsm_fields_bytes(&command->fields, HSM_FIELD_NEW_PIN, &pin_length);
	commitment = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN_COMMITMENT, &length);
	opening = hsm_fields_bytes(&command->fields, HSM_FIELD_PIN_OPENING, &opening_length);
	hsm_fields_bytes(&command->fields, HSM_FIELD_APPROVALS, &approvals);
	if (!commitment)
		return approvals ? CKR_ARGUMENTS_BAD : CKR_OK;
	if (length != sizeof(expected) || !opening || opening_length != HSM_PIN_OPENING_SIZE)
		return CKR_ARGUMENTS_BAD;
	if (hsm_pin_commitment(opening, pin, pin_length, expected))
		return CKR_FUNCTION_FAILED;
	rv = CRYPTO_memcmp(expected, commitment, length) ? CKR_PIN_INCORRECT : CKR_OK;
	OPENSSL_cleanse(expected, sizeof(expected));
	return rv;
}

CK_RV command_officer_add(struct command *command)
{
	uint32_t role = role_of(command);
	struct credential credential;
	const struct change change = { add, &credential, HSM_AUDIT_OFFICER_ADDED };
	const uint8_t *name;
	size_t length;
	CK_RV rv;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!name_valid(name, length) || (role != ROLE_OFFICER && role != ROLE_AUDITOR))
		return CKR_ARGUMENTS_BAD;
	/* Before the nonce is used up: what was approved can still be done, with the right PIN. */
	rv = check_commitment(command);
	if (rv == CKR_OK)
		rv = approval_check(command, NULL);
	if (rv == CKR_OK)
		rv = new_credential(command, &credential);
	if (rv == CKR_OK)
		rv = change_tables(command, &change);
	OPENSSL_cleanse(&credential, sizeof(credential));
	return rv;
}

/* Who is no more an officer does not go on as one. */
static void log_out(struct partition *partition, uint32_t account)
{
	struct client *client;

	pthread_mutex_lock(&partition->lock);
	for (client = partition->clients; client; client = client->next)
		if (client->account == account) {
			client->officer = false;
			client->auditor = false;
		}
	pthread_mutex_unlock(&partition->lock);
}

/* Whom the command names; ACCOUNT_NONE: nobody. The caller holds commit_lock. */
static uint32_t named_account(const struct command *command, const struct user_table *table)
{
	const struct named_user *user;
	const uint8_t *name;
	size_t length;

	name = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);
	if (!length)
		return CKU_SO;
	user = user_by_name(table, name, length);
	return user ? user->account : ACCOUNT_NONE;
}

static CK_RV drop(struct command *command, struct partition_state *next, const void *data)
{
	uint32_t account = named_account(command, next->users);
	struct user_table *table = next->users;
	struct named_user *user, *last;

	if (account == CKU_SO || account == ACCOUNT_NONE)
		return CKR_USER_TYPE_INVALID;
	user = (struct named_user *)user_by_account(table, account);
	last = &table->user[table->count - 1];
	*user = *last;
	OPENSSL_cleanse(last, sizeof(*last));
	table->count--;
	officer_set_key(next->officers, account, NULL, 0);
	if (!officers_enough(next->officers))
		return CKR_FUNCTION_REJECTED;
	*(uint32_t *)data = account;
	return CKR_OK;
}

CK_RV command_officer_remove(struct command *command)
{
	uint32_t account = ACCOUNT_NONE;
	const struct change change = { drop, &account, HSM_AUDIT_OFFICER_REMOVED };
	CK_RV rv = approval_check(command, NULL);

	if (rv == CKR_OK)
		rv = change_tables(command, &change);
	if (rv == CKR_OK)
		log_out(command->partition, account);
	return rv;
}

/* ---- keys ---- */

static CK_RV set_key(struct command *command, struct partition_state *next, const void *data)
{
	uint32_t account = named_account(command, next->users);
	const struct named_user *user = user_by_account(next->users, account);
	const uint8_t *key;
	size_t length;
	CK_RV rv;

	(void)data;
	if (account != CKU_SO && (!user || user->role != ROLE_OFFICER))
		return CKR_USER_TYPE_INVALID;
	key = hsm_fields_bytes(&command->fields, HSM_FIELD_PUBLIC_KEY, &length);
	rv = officer_set_key(next->officers, account, key, length);
	if (rv == CKR_OK && !officers_enough(next->officers))
		rv = CKR_FUNCTION_REJECTED;
	return rv;
}

CK_RV command_officer_key(struct command *command)
{
	const struct change change = { set_key, NULL, HSM_AUDIT_OFFICER_KEY };
	CK_RV rv = approval_check(command, NULL);

	return rv == CKR_OK ? change_tables(command, &change) : rv;
}

/* ---- quorums ---- */

/* @data: has it been approved? */
static CK_RV set_quorum(struct command *command, struct partition_state *next, const void *data)
{
	uint64_t action = hsm_fields_u64(&command->fields, HSM_FIELD_ACTION, 0);
	uint64_t count = hsm_fields_u64(&command->fields, HSM_FIELD_COUNT, 0);

	if (count > next->officers->count)
		return CKR_ARGUMENTS_BAD;
	if (count < next->officers->quorum[action] && !*(const bool *)data)
		return CKR_ACTION_PROHIBITED;
	next->officers->quorum[action] = count;
	return CKR_OK;
}

static bool lowers_quorum(struct command *command, uint64_t action)
{
	struct partition *partition = command->partition;
	bool lowers;

	pthread_mutex_lock(&partition->commit_lock);
	lowers = partition->state.officers && hsm_fields_u64(&command->fields, HSM_FIELD_COUNT, 0) <
						      partition->state.officers->quorum[action];
	pthread_mutex_unlock(&partition->commit_lock);
	return lowers;
}

CK_RV command_quorum_set(struct command *command)
{
	uint64_t action = hsm_fields_u64(&command->fields, HSM_FIELD_ACTION, 0);
	bool approved = false;
	const struct change change = { set_quorum, &approved, HSM_AUDIT_QUORUM_CHANGED };
	CK_RV rv = CKR_OK;

	if (!action || action >= HSM_ACTIONS)
		return CKR_ARGUMENTS_BAD;
	if (lowers_quorum(command, action)) {
		rv = approval_check(command, NULL);
		approved = rv == CKR_OK;
	}
	return rv == CKR_OK ? change_tables(command, &change) : rv;
}

/* ---- the list ---- */

static void put_officer(struct command *command, const struct partition_state *state,
			uint32_t account, uint32_t role, const char *name)
{
	const struct credential *credential = credential_of(state, account);
	const struct officer_key *key = officer_key_of(state->officers, account);
	struct hsm_officer_status status = {
		.role = htole32(role),
		.failures = htole32(credential->failures),
	};
	uint32_t flags = account == CKU_SO ? HSM_OFFICER_FIRST : 0;

	if (credential->failures >= policy_value(command->partition, HSM_POLICY_PIN_TRIES))
		flags |= HSM_USER_LOCKED;
	if (key) {
		flags |= HSM_OFFICER_KEY;
		memcpy(status.key, key->id, sizeof(status.key));
	}
	status.flags = htole32(flags);
	memcpy(status.name, name, strlen(name));
	hsm_put_raw(&command->out, &status, sizeof(status));
}

static void put_quorum(struct command *command, const struct officer_table *table, uint32_t action)
{
	const struct hsm_quorum_status status = {
		.action = htole32(action),
		.needed = htole32(officers_needed(table, action)),
		.given = htole32(table ? table->count : 0),
	};

	hsm_put_raw(&command->out, &status, sizeof(status));
}

CK_RV command_officer_list(struct command *command)
{
	struct partition *partition = command->partition;
	const struct partition_state *state = &partition->state;
	size_t mark = hsm_put_begin(&command->out, HSM_FIELD_OFFICERS);
	uint32_t i;

	pthread_mutex_lock(&partition->lock);
	if (state->so.set || officer_key_of(state->officers, CKU_SO))
		put_officer(command, state, CKU_SO, ROLE_OFFICER, "");
	for (i = 0; state->users && i < state->users->count; i++)
		put_officer(command, state, state->users->user[i].account,
			    state->users->user[i].role, state->users->user[i].name);
	hsm_put_end(&command->out, mark);
	mark = hsm_put_begin(&command->out, HSM_FIELD_QUORUM);
	for (i = 1; i < HSM_ACTIONS; i++)
		put_quorum(command, state->officers, i);
	hsm_put_end(&command->out, mark);
	pthread_mutex_unlock(&partition->lock);
	return CKR_OK;
}

/* ---- nonces and grants ---- */

CK_RV command_approval_nonce(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t nonce[HSM_APPROVAL_NONCE_SIZE];
	struct partition_state next;
	CK_RV rv = CKR_HOST_MEMORY;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	next.officers = officers_copy(next.officers);
	if (next.officers && officer_add_nonce(next.officers, nonce) == 0)
		rv = officers_commit(partition, &next);
	else
		officers_drop(partition, &next);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(&command->out, HSM_FIELD_APPROVAL_NONCE, nonce, sizeof(nonce));
	hsm_put_u64(&command->out, HSM_FIELD_COUNT, HSM_APPROVAL_SECONDS);
	return CKR_OK;
}

/* May this be granted, and whose owner has a say? */
static CK_RV grant_policy(const struct hsm_approval *what, struct policy *policy)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct board_partition info;

	if (memcmp(what->board, partitions_hello()->board_id, sizeof(what->board)) ||
	    !memcmp(what->partition, device, sizeof(device)) || what->has_nonce)
		return CKR_ARGUMENTS_BAD;
	return board_error(partition_policy_read(what->partition, &info, policy));
}

static CK_RV give_grant(const struct hsm_approval *what)
{
	struct board_grant grant = { .seconds = GRANT_SECONDS };
	size_t length;

	memcpy(grant.partition, what->partition, sizeof(grant.partition));
	if (approval_digest(what, grant.digest) < 0)
		return CKR_FUNCTION_FAILED;
	return board_error(ask_board(BOARD_GRANT, &grant, sizeof(grant), NULL, 0, &length));
}

CK_RV command_approval_grant(struct command *command)
{
	struct policy *policy = OPENSSL_malloc(sizeof(*policy));
	struct hsm_approval what;
	uint8_t *kept = NULL;
	const uint8_t *bytes;
	size_t length;
	CK_RV rv = CKR_HOST_MEMORY;

	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	if (policy)
		rv = hsm_approval_parse(bytes, length, &what, &kept) ? CKR_ARGUMENTS_BAD : CKR_OK;
	if (rv == CKR_OK)
		rv = grant_policy(&what, policy);
	if (rv == CKR_OK)
		rv = approval_decide(command, &what, policy);
	if (rv == CKR_OK)
		rv = give_grant(&what);
	free(kept);
	OPENSSL_free(policy);
	return rv;
}
