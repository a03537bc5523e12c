// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about a partition's token and its PINs: partition init, pin set, pin init.
 */
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"

#define LABEL_SIZE    32 /* CK_TOKEN_INFO */
#define USER_NAME_MAX 63 /* of the field NAME */

/* ---- partition init ---- */

struct token {
	uint64_t flags;
	uint64_t pin_min, pin_max;
};

static int token_look(struct ctl *ctl, struct link *link, struct token *token)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_TOKEN_INFO);
	int code = request ? link_call(ctl, request) : CTL_DEVICE;
	const struct hsm_fields *fields;

	if (!code) {
		fields = hsm_request_fields(request);
		token->flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
		token->pin_min = hsm_fields_u64(fields, HSM_FIELD_MIN, 0);
		token->pin_max = hsm_fields_u64(fields, HSM_FIELD_MAX, SECRET_MAX);
	}
	hsm_request_free(request);
	return code;
}

static int check_length(struct ctl *ctl, const struct token *token,
			const struct secret_source *source, const struct secret *pin)
{
	if (pin->length >= token->pin_min && pin->length <= token->pin_max)
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "%s: it must have %u to %u bytes", source->prompt,
		    (unsigned int)token->pin_min, (unsigned int)token->pin_max);
}

static int token_init(struct ctl *ctl, struct link *link, const char *label,
		      const struct secret *so_pin)
{
	char padded[LABEL_SIZE];
	const struct field fields[] = {
		SECRET_FIELD(HSM_FIELD_PIN, so_pin),
		{ HSM_FIELD_LABEL, padded, sizeof(padded) },
		{ 0 },
	};

	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, strnlen(label, sizeof(padded)));
	return link_send(ctl, link, HSM_OP_TOKEN_INIT, fields);
}

/* In a session where the SO is logged in */
static int user_pin_init(struct ctl *ctl, struct link *link, const struct secret *pin)
{
	const struct field fields[] = { SECRET_FIELD(HSM_FIELD_NEW_PIN, pin), { 0 } };

	return link_send(ctl, link, HSM_OP_PIN_INIT, fields);
}

static int so_sets_user_pin(struct ctl *ctl, struct link *link, const struct secret *so_pin,
			    const struct secret *pin)
{
	return link_session(ctl, link) ?: link_login(ctl, link, CKU_SO, NULL, so_pin) ?: user_pin_init(ctl, link, pin);
}

/*
 * The token may hold keys already; its SO PIN is then the one that was set before. A new PIN that
 * the device would refuse is refused here, before anything is destroyed.
 */
static int init_ask(struct ctl *ctl, struct link *link, struct secret *so_pin, struct secret *pin)
{
	struct token token = { 0 };
	int code = token_look(ctl, link, &token);
	bool initialized = token.flags & CKF_TOKEN_INITIALIZED;

	ctl->pin.prompt = initialized ? "SO PIN" : "New SO PIN";
	ctl->pin.confirm = !initialized;
	ctl->new_pin.prompt = "New user PIN";
	if (!code && initialized)
		code = confirm(ctl,
			       "All objects of the token in partition %s will be gone for good.",
			       link->partition.name);
	code = code ?: secret_read(ctl, &ctl->pin, so_pin) ?: secret_read(ctl, &ctl->new_pin, pin);
	if (!code && !initialized)
		code = check_length(ctl, &token, &ctl->pin, so_pin);
	return code ?: check_length(ctl, &token, &ctl->new_pin, pin);
}

int verb_partition_init(struct ctl *ctl, char **args)
{
	struct secret so_pin = { 0 }, pin = { 0 };
	struct link link = { 0 };
	int code;

	if (ctl->label && strlen(ctl->label) > LABEL_SIZE)
		return fail(ctl, CTL_USAGE, "--label: at most %d bytes", LABEL_SIZE);
	code = link_partition(ctl, args[0], &link) ?: init_ask(ctl, &link, &so_pin, &pin);
	if (!code)
		code = token_init(ctl, &link, ctl->label ?: link.partition.name, &so_pin);
	if (!code)
		code = so_sets_user_pin(ctl, &link, &so_pin, &pin);
	if (!code) {
		put_string(ctl->result, "partition", link.partition.name);
		put_number(ctl->result, "slot", link.partition.slot);
		put_string(ctl->result, "label", ctl->label ?: link.partition.name);
	}
	link_close(&link);
	secret_clear(&so_pin);
	secret_clear(&pin);
	return code;
}

/* ---- pin init ---- */

int verb_pin_init(struct ctl *ctl, char **args)
{
	struct secret so_pin = { 0 }, pin = { 0 };
	struct link link = { 0 };
	int code = link_partition(ctl, ctl->partition, &link);

	(void)args;
	ctl->pin.prompt = "SO PIN";
	ctl->new_pin.prompt = "New user PIN";
	code = code ?: secret_read(ctl, &ctl->pin, &so_pin) ?: secret_read(ctl, &ctl->new_pin, &pin);
	if (!code)
		code = so_sets_user_pin(ctl, &link, &so_pin, &pin);
	link_close(&link);
	secret_clear(&so_pin);
	secret_clear(&pin);
	return code;
}

/* ---- pin set ---- */

/**
 * struct role - whose PIN is changed
 * @operation: takes PIN and NEW_PIN
 * @user: CKU_ number, with PIN_SET
 */
struct role {
	const char *name;
	const char *prompt;
	const char *new_prompt;
	enum hsm_operation operation;
	uint64_t user;
};

static const struct role roles[] = {
	{ "user", "User PIN", "New user PIN", HSM_OP_PIN_SET, CKU_USER },
	{ "so", "SO PIN", "New SO PIN", HSM_OP_PIN_SET, CKU_SO },
	{ "officer", "Officer PIN", "New officer PIN", HSM_OP_OFFICER_PIN, 0 },
};

static const struct role *find_role(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(roles[i].name, name))
			return &roles[i];
	return NULL;
}

/* No login is needed, so that an expired PIN can be changed: the command says whose it is. */
static int change_pin(struct ctl *ctl, struct link *link, const struct role *role,
		      const struct secret *pin, const struct secret *new_pin)
{
	struct hsm_request *request = link_request(ctl, link, role->operation);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_bytes(writer, HSM_FIELD_PIN, pin->text, pin->length);
	hsm_put_bytes(writer, HSM_FIELD_NEW_PIN, new_pin->text, new_pin->length);
	if (ctl->user)
		hsm_put_bytes(writer, HSM_FIELD_NAME, ctl->user, strlen(ctl->user));
	else if (role->operation == HSM_OP_PIN_SET)
		hsm_put_u64(writer, HSM_FIELD_USER, role->user);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

static int role_link(struct ctl *ctl, const struct role *role, struct link *link)
{
	if (role->operation == HSM_OP_OFFICER_PIN)
		return link_admin(ctl, link);
	return link_partition(ctl, ctl->partition, link);
}

static int role_login(struct ctl *ctl, const struct role *role, struct link *link,
		      const struct secret *pin)
{
	if (role->operation == HSM_OP_OFFICER_PIN)
		return link_officer_login(ctl, link, pin);
	return link_session(ctl, link);
}

int verb_pin_set(struct ctl *ctl, char **args)
{
	const struct role *role = find_role(ctl->role ?: "user");
	struct secret pin = { 0 }, new_pin = { 0 };
	struct link link = { 0 };
	int code;

	(void)args;
	if (!role)
		return fail(ctl, CTL_USAGE, "--role: '%s' is none of user, so, officer", ctl->role);
	if (ctl->user && (ctl->role || !*ctl->user || strlen(ctl->user) > USER_NAME_MAX))
		return fail(ctl, CTL_USAGE, "--user: a name of 1 to %d bytes, and no --role",
			    USER_NAME_MAX);
	ctl->pin.prompt = role->prompt;
	ctl->new_pin.prompt = role->new_prompt;
	code = role_link(ctl, role, &link);
	code = code ?: secret_read(ctl, &ctl->pin, &pin) ?: secret_read(ctl, &ctl->new_pin, &new_pin);
	code = code ?: role_login(ctl, role, &link, &pin) ?: change_pin(ctl, &link, role, &pin, &new_pin);
	link_close(&link);
	secret_clear(&pin);
	secret_clear(&new_pin);
	return code;
}
