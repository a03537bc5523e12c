// SPDX-License-Identifier: Apache-2.0
/*
 * What hsmctl's verbs about objects of a token have in common: attributes of templates, searches, and the login.
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl-object.h"

void object_number(struct hsm_writer *writer, uint64_t type, uint64_t value)
{
	value = htole64(value);
	hsm_put_attribute(writer, type, 0, &value, sizeof(value));
}

void object_flag(struct hsm_writer *writer, uint64_t type, bool value)
{
	uint8_t byte = value;

	hsm_put_attribute(writer, type, 0, &byte, 1);
}

/* ---- searching ---- */

static int find_more(struct ctl *ctl, struct link *link, struct handles *handles, bool *more)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_FIND);
	const uint8_t *list;
	uint64_t *grown;
	size_t length;
	int code;

	*more = false;
	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_COUNT, 1000);
	code = link_call(ctl, request);
	if (!code) {
		list = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_HANDLES, &length);
		grown = realloc(handles->list, handles->count * 8 + length + 8);
		if (!grown)
			code = fail(ctl, CTL_DEVICE, "out of memory");
		else
			handles->list = grown;
		for (size_t i = 0; !code && i + 8 <= length; i += 8)
			handles->list[handles->count++] = hsm_get_le64(list + i);
		*more = !code && length >= 8;
	}
	hsm_request_free(request);
	return code;
}

int object_find(struct ctl *ctl, struct link *link, const struct hsm_writer *template,
		struct handles *handles)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_FIND_INIT);
	bool more = true;
	int code;

	if (!request)
		return CTL_DEVICE;
	/* Half a template would fit what is not meant. */
	if (template->error)
		hsm_request_writer(request)->error = template->error;
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_TEMPLATE, template->data,
		      template->length);
	code = link_call(ctl, request);
	hsm_request_free(request);
	while (!code && more)
		code = find_more(ctl, link, handles, &more);
	return code ?: link_send(ctl, link, HSM_OP_FIND_FINAL, (const struct field[]){ { 0 } });
}

/* ---- logging in ---- */

int link_user(struct ctl *ctl, struct link *link, uint64_t user)
{
	struct secret pin = { 0 };
	int code = link_partition(ctl, ctl->partition, link);

	ctl->pin.prompt = user == CKU_SO ? "SO PIN" : "User PIN";
	code = code ?: secret_read(ctl, &ctl->pin, &pin) ?: link_session(ctl, link) ?: link_login(ctl, link, user, user == CKU_USER ? ctl->user : NULL, &pin);
	secret_clear(&pin);
	return code;
}
