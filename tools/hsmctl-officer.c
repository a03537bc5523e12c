// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about the device's officers and auditors: add, remove, list, enroll, and the quorums.
 */
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include "hsmctl-approval.h"
#include "hsmctl-key.h"
#include "hsmctl-migrate.h"

static const char *const roles[] = { [4] = "auditor", [5] = "officer" };

#define N_ROLES (sizeof(roles) / sizeof(roles[0]))

static int find_role(struct ctl *ctl, const char *name, uint32_t *role)
{
	for (*role = 0; *role < N_ROLES; ++*role)
		if (roles[*role] && !strcmp(roles[*role], name))
			return CTL_OK;
	return fail(ctl, CTL_USAGE, "'%s' is no role at a device: officer or auditor", name);
}

static int check_name(struct ctl *ctl, const char *name)
{
	if (*name && strlen(name) < sizeof(((struct hsm_officer_status *)0)->name))
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "a name has 1 to 63 bytes");
}

/* ---- add and remove ---- */

/*
 * What opens the commitment to the PIN: drawn with the request and kept in a file beside it, since those who approve
 * must not be able to try PINs; read again when the approved command is sent.
 */
static int take_opening(struct ctl *ctl, uint8_t opening[HSM_PIN_OPENING_SIZE])
{
	struct file file = { 0 };
	char path[4096];
	int code;

	if (approval_is_asked(ctl)) {
		if ((size_t)snprintf(path, sizeof(path), "%s.opening", ctl->request) >=
		    sizeof(path))
			return fail(ctl, CTL_USAGE, "the name of the file is too long");
		if (RAND_priv_bytes(opening, HSM_PIN_OPENING_SIZE) != 1)
			return fail(ctl, CTL_DEVICE, "no random bytes");
		code = file_write(ctl, path, opening, HSM_PIN_OPENING_SIZE);
		if (!code)
			put_string(ctl->result, "opening", path);
		return code;
	}
	code = file_read(ctl, ctl->opening, &file);
	if (!code && file.length != HSM_PIN_OPENING_SIZE)
		code = fail(ctl, CTL_USAGE, "%s: not what --request wrote beside the request",
			    ctl->opening);
	if (!code)
		memcpy(opening, file.bytes, HSM_PIN_OPENING_SIZE);
	OPENSSL_cleanse(file.bytes, file.length);
	file_free(&file);
	return code;
}

/* Nothing without approvals: then the officer who sends it decides alone, also about the PIN. */
static int put_commitment(struct ctl *ctl, struct hsm_writer *writer, const struct secret *pin)
{
	uint8_t opening[HSM_PIN_OPENING_SIZE], commitment[HSM_APPROVAL_ID_SIZE];
	int code;

	if (!approval_is_asked(ctl) && !ctl->approvals)
		return CTL_OK;
	if (!approval_is_asked(ctl) && !ctl->opening)
		return fail(ctl, CTL_USAGE,
			    "--opening names the file that --request wrote beside "
			    "the request");
	code = take_opening(ctl, opening);
	if (!code &&
	    hsm_pin_commitment(opening, (const uint8_t *)pin->text, pin->length, commitment))
		code = fail(ctl, CTL_DEVICE, "no SHA-384");
	if (!code) {
		hsm_put_bytes(writer, HSM_FIELD_PIN_COMMITMENT, commitment, sizeof(commitment));
		hsm_put_bytes(writer, HSM_FIELD_PIN_OPENING, opening, sizeof(opening));
	}
	OPENSSL_cleanse(opening, sizeof(opening));
	return code;
}

static int send_add(struct ctl *ctl, struct link *link, const char *name, uint32_t role,
		    const struct secret *pin)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_OFFICER_ADD);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_bytes(writer, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_u32(writer, HSM_FIELD_USER_ROLE, role);
	hsm_put_bytes(writer, HSM_FIELD_NEW_PIN, pin->text, pin->length);
	code = put_commitment(ctl, writer, pin)
		       ?: approval_call(ctl, link, request, HSM_OP_OFFICER_ADD);
	hsm_request_free(request);
	return code;
}

/* The PIN itself is shown to nobody who approves, but it is what they approve. */
int verb_officer_add(struct ctl *ctl, char **args)
{
	struct secret pin = { 0 };
	struct link link = { 0 };
	uint32_t role;
	int code;

	ctl->new_pin.prompt = "PIN of the new officer or auditor";
	code = check_name(ctl, args[0])
		       ?: find_role(ctl, ctl->role ?: "officer", &role) ?: link_officer(ctl, &link);
	code = code ?: secret_read(ctl, &ctl->new_pin, &pin);
	code = code ?: send_add(ctl, &link, args[0], role, &pin);
	link_close(&link);
	secret_clear(&pin);
	return code;
}

/* A command of bytes alone that can need approvals */
static int send_fields(struct ctl *ctl, struct link *link, enum hsm_operation operation,
		       const struct field *fields)
{
	struct hsm_request *request = link_request(ctl, link, operation);
	int code;

	if (!request)
		return CTL_DEVICE;
	for (; fields->tag; fields++)
		hsm_put_bytes(hsm_request_writer(request), fields->tag, fields->data,
			      fields->length);
	code = approval_call(ctl, link, request, operation);
	hsm_request_free(request);
	return code;
}

int verb_officer_remove(struct ctl *ctl, char **args)
{
	const struct field fields[] = { { HSM_FIELD_NAME, args[0], strlen(args[0]) }, { 0 } };
	struct link link = { 0 };
	int code;

	code = check_name(ctl, args[0])
		       ?: link_officer(ctl, &link)
		       ?: send_fields(ctl, &link, HSM_OP_OFFICER_REMOVE, fields);
	link_close(&link);
	return code;
}

/* ---- keys ---- */

static int send_key(struct ctl *ctl, struct link *link, const char *uri, const char *name)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_OFFICER_KEY);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	if (name)
		hsm_put_bytes(writer, HSM_FIELD_NAME, name, strlen(name));
	code = key_put(ctl, writer, HSM_FIELD_PUBLIC_KEY, uri)
		       ?: approval_call(ctl, link, request, HSM_OP_OFFICER_KEY);
	hsm_request_free(request);
	return code;
}

/* Without a name it is the first officer's. */
int verb_officer_enroll(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	int code = args[1] ? check_name(ctl, args[1]) : CTL_OK;

	code = code ?: link_officer(ctl, &link) ?: send_key(ctl, &link, args[0], args[1]);
	link_close(&link);
	return code;
}

/* ---- lists ---- */

static struct json_object *officer_row(const uint8_t *data)
{
	struct json_object *row = json_object_new_object();
	struct hsm_officer_status status;
	uint32_t role, flags;

	memcpy(&status, data, sizeof(status));
	status.name[sizeof(status.name) - 1] = '\0';
	role = le32toh(status.role);
	flags = le32toh(status.flags);
	put_string(row, "name", flags & HSM_OFFICER_FIRST ? "(the first)" : status.name);
	put_string(row, "role", role < N_ROLES && roles[role] ? roles[role] : "unknown");
	if (flags & HSM_USER_LOCKED)
		put_string(row, "pin", "locked");
	else
		put_string(row, "pin", status.failures ? "wrong tries" : "set");
	if (flags & HSM_OFFICER_KEY)
		put_hex(row, "key", status.key, sizeof(status.key));
	else
		put_string(row, "key", "none");
	return row;
}

static struct json_object *quorum_row(const uint8_t *data)
{
	struct json_object *row = json_object_new_object();
	struct hsm_quorum_status status;

	memcpy(&status, data, sizeof(status));
	put_string(row, "class", hsm_action_word(le32toh(status.action)) ?: "unknown");
	put_number(row, "approvals", le32toh(status.needed));
	put_number(row, "officers_with_a_key", le32toh(status.given));
	put_string(row, "meaning", hsm_action_meaning(le32toh(status.action)) ?: "unknown");
	return row;
}

static void put_rows(struct ctl *ctl, const struct hsm_fields *fields, enum hsm_field_tag tag,
		     size_t size, const char *key, struct json_object *(*row)(const uint8_t *))
{
	struct json_object *rows = json_object_new_array();
	size_t length;
	const uint8_t *data = hsm_fields_bytes(fields, tag, &length);

	for (size_t at = 0; at + size <= length; at += size)
		json_object_array_add(rows, row(data + at));
	json_object_object_add(ctl->result, key, rows);
}

static int run_list(struct ctl *ctl, bool officers)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	int code = link_officer(ctl, &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_OFFICER_LIST);
		code = request ? link_call(ctl, request) : CTL_DEVICE;
	}
	if (!code && officers)
		put_rows(ctl, hsm_request_fields(request), HSM_FIELD_OFFICERS,
			 sizeof(struct hsm_officer_status), "officers", officer_row);
	else if (!code)
		put_rows(ctl, hsm_request_fields(request), HSM_FIELD_QUORUM,
			 sizeof(struct hsm_quorum_status), "quorums", quorum_row);
	hsm_request_free(request);
	link_close(&link);
	return code;
}

int verb_officer_list(struct ctl *ctl, char **args)
{
	(void)args;
	return run_list(ctl, true);
}

int verb_quorum_show(struct ctl *ctl, char **args)
{
	(void)args;
	return run_list(ctl, false);
}

/* ---- quorum set ---- */

static int find_action(struct ctl *ctl, const char *word, uint32_t *action)
{
	for (*action = 1; *action < HSM_ACTIONS; ++*action)
		if (!strcmp(hsm_action_word(*action), word))
			return CTL_OK;
	return fail(ctl, CTL_USAGE, "'%s' is no class of actions; hsmctl quorum show lists them",
		    word);
}

int verb_quorum_set(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	uint32_t action, count;
	int code = find_action(ctl, args[0], &action);

	if (!code && parse_u32(args[1], &count))
		code = fail(ctl, CTL_USAGE, "'%s' is no number of officers", args[1]);
	code = code ?: link_officer(ctl, &link);
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_QUORUM_SET);
		code = request ? CTL_OK : CTL_DEVICE;
	}
	if (!code) {
		hsm_put_u32(hsm_request_writer(request), HSM_FIELD_ACTION, action);
		hsm_put_u64(hsm_request_writer(request), HSM_FIELD_COUNT, count);
		code = approval_call(ctl, &link, request, HSM_OP_QUORUM_SET);
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}
