// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about a partition's named users: add, remove, list, pin, unlock, role. The SO may do so, or with --as a
 * manager.
 */
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"

static const char
	*const roles[] = { [1] = "user", [2] = "manager", [3] = "read-only", [4] = "auditor" };

#define N_ROLES (sizeof(roles) / sizeof(roles[0]))

static int find_role(struct ctl *ctl, const char *name, uint32_t *role)
{
	for (*role = 1; *role < N_ROLES; ++*role)
		if (!strcmp(roles[*role], name))
			return CTL_OK;
	return fail(ctl, CTL_USAGE,
		    "'%s' is no role of a user: user, manager, read-only or auditor", name);
}

static int check_name(struct ctl *ctl, const char *name)
{
	if (*name && strlen(name) < sizeof(((struct hsm_user_status *)0)->name))
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "a user's name has 1 to 63 bytes");
}

/* ---- logging in ---- */

int link_open_as(struct ctl *ctl, struct link *link, struct secret *new_pin)
{
	struct secret pin = { 0 };
	int code = ctl->as ? check_name(ctl, ctl->as) : CTL_OK;

	code = code ?: link_partition(ctl, ctl->partition, link);
	ctl->pin.prompt = ctl->as ? "PIN" : "SO PIN";
	ctl->new_pin.prompt = "New PIN of the user";
	code = code ?: secret_read(ctl, &ctl->pin, &pin);
	if (!code && new_pin)
		code = secret_read(ctl, &ctl->new_pin, new_pin);
	code = code ?: link_session(ctl, link) ?: link_login(ctl, link, ctl->as ? CKU_USER : CKU_SO, ctl->as, &pin);
	secret_clear(&pin);
	return code;
}

/* ---- verbs ---- */

/* Send a command about a user; @role 0 and @pin NULL: it has none */
static int send_user(struct ctl *ctl, struct link *link, enum hsm_operation operation,
		     const char *name, uint32_t role, const struct secret *pin)
{
	struct hsm_request *request = link_request(ctl, link, operation);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_bytes(writer, HSM_FIELD_NAME, name, strlen(name));
	if (role)
		hsm_put_u32(writer, HSM_FIELD_USER_ROLE, role);
	if (pin)
		hsm_put_bytes(writer, HSM_FIELD_NEW_PIN, pin->text, pin->length);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

static int run(struct ctl *ctl, enum hsm_operation operation, const char *name, uint32_t role,
	       bool with_pin)
{
	struct secret new_pin = { 0 };
	struct link link = { 0 };
	int code = check_name(ctl, name);

	code = code ?: link_open_as(ctl, &link, with_pin ? &new_pin : NULL);
	if (!code)
		code = send_user(ctl, &link, operation, name, role, with_pin ? &new_pin : NULL);
	link_close(&link);
	secret_clear(&new_pin);
	return code;
}

int verb_user_add(struct ctl *ctl, char **args)
{
	uint32_t role;

	return find_role(ctl, ctl->role ?: roles[1], &role)
		       ?: run(ctl, HSM_OP_USER_CREATE, args[0], role, true);
}

int verb_user_remove(struct ctl *ctl, char **args)
{
	return run(ctl, HSM_OP_USER_REMOVE, args[0], 0, false);
}

int verb_user_pin(struct ctl *ctl, char **args)
{
	return run(ctl, HSM_OP_USER_PIN, args[0], 0, true);
}

int verb_user_unlock(struct ctl *ctl, char **args)
{
	return run(ctl, HSM_OP_USER_UNLOCK, args[0], 0, false);
}

int verb_user_role(struct ctl *ctl, char **args)
{
	uint32_t role;

	return find_role(ctl, args[1], &role) ?: run(ctl, HSM_OP_USER_ROLE, args[0], role, false);
}

/* ---- the list ---- */

static struct json_object *user_row(const uint8_t *data)
{
	struct json_object *row = json_object_new_object();
	struct hsm_user_status status;
	uint32_t role, flags;

	memcpy(&status, data, sizeof(status));
	status.name[sizeof(status.name) - 1] = '\0';
	role = le32toh(status.role);
	flags = le32toh(status.flags);
	put_string(row, "user", status.name);
	put_string(row, "role", role && role < N_ROLES ? roles[role] : "unknown");
	if (flags & HSM_USER_LOCKED)
		put_string(row, "pin", "locked");
	else if (flags & HSM_USER_EXPIRED)
		put_string(row, "pin", "expired");
	else
		put_string(row, "pin", status.failures ? "wrong tries" : "set");
	put_number(row, "wrong_tries", le32toh(status.failures));
	put_number(row, "pin_set_at", le64toh(status.changed));
	return row;
}

static void list_users(struct ctl *ctl, const struct hsm_fields *fields)
{
	struct json_object *rows = json_object_new_array();
	const uint8_t *data;
	size_t length;

	data = hsm_fields_bytes(fields, HSM_FIELD_USERS, &length);
	for (size_t at = 0; at + sizeof(struct hsm_user_status) <= length;
	     at += sizeof(struct hsm_user_status))
		json_object_array_add(rows, user_row(data + at));
	json_object_object_add(ctl->result, "users", rows);
}

int verb_user_list(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	int code = link_open_as(ctl, &link, NULL);

	(void)args;
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_USER_LIST);
		code = request ? link_call(ctl, request) : CTL_DEVICE;
	}
	if (!code)
		list_users(ctl, hsm_request_fields(request));
	hsm_request_free(request);
	link_close(&link);
	return code;
}
