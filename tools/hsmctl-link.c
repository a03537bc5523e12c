// SPDX-License-Identifier: Apache-2.0
/*
 * The way from hsmctl to a partition: device, channel, session, login; and one call with
 * its errors reported.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"
#include "tool-nearest.h"

int parse_u64(const char *text, uint64_t *value)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text < '0' || *text > '9')
		return -EINVAL;
	*value = number;
	return 0;
}

int parse_u32(const char *text, uint32_t *value)
{
	uint64_t number;

	if (parse_u64(text, &number) || number > UINT32_MAX)
		return -EINVAL;
	*value = (uint32_t)number;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int parse_id(const char *text, uint8_t id[HSM_PARTITION_ID_SIZE])
{
	size_t n = 0;
	int digit;

	memset(id, 0, HSM_PARTITION_ID_SIZE);
	for (; *text; text++) {
		if (*text == '-')
			continue;
		digit = hex_digit(*text);
		if (digit < 0 || n == 2 * HSM_PARTITION_ID_SIZE)
			return -EINVAL;
		id[n / 2] = (uint8_t)(id[n / 2] << 4 | digit);
		n++;
	}
	return n == 2 * HSM_PARTITION_ID_SIZE ? 0 : -EINVAL;
}

int link_partitions(struct ctl *ctl, struct hsm_device *device,
		    struct hsm_partition_info list[PARTITIONS_MAX], size_t *count)
{
	static const uint8_t device_itself[HSM_PARTITION_ID_SIZE];
	struct hsm_error error = { 0 };
	size_t all = PARTITIONS_MAX;

	*count = 0;
	if (hsm_partitions(device, list, &all, &error))
		return fail_hsm(ctl, &error);
	for (size_t i = 0; i < all; i++)
		if (memcmp(list[i].id, device_itself, sizeof(device_itself)))
			list[(*count)++] = list[i];
	return CTL_OK;
}

int link_open(struct ctl *ctl, unsigned int flags, struct link *link)
{
	struct hsm_error error = { 0 };

	if (hsm_open(ctl->device, flags, &link->device, &error))
		return fail_hsm(ctl, &error);
	return CTL_OK;
}

static int link_connect(struct ctl *ctl, struct link *link)
{
	struct hsm_error error = { 0 };

	if (hsm_connect(link->device, link->partition.id, &link->channel, &error))
		return fail_hsm(ctl, &error);
	return CTL_OK;
}

/* A name may look like a number or an id: a name that fits is taken first. */
static bool partition_is(const struct hsm_partition_info *info, const char *which)
{
	uint8_t id[HSM_PARTITION_ID_SIZE];
	uint32_t slot;

	if (!strcmp(info->name, which))
		return true;
	if (!parse_u32(which, &slot) && info->slot == slot)
		return true;
	return !parse_id(which, id) && !memcmp(info->id, id, sizeof(id));
}

static int choose(struct ctl *ctl, const struct hsm_partition_info *list, size_t count,
		  const char *which, struct hsm_partition_info *chosen)
{
	char hint[2 * NEAREST_MAX];
	struct nearest nearest;
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (which && !partition_is(&list[i], which))
			continue;
		*chosen = list[i];
		found++;
		if (which && !strcmp(list[i].name, which))
			return CTL_OK;
	}
	if (found == 1)
		return CTL_OK;
	if (!count)
		return fail(
			ctl, CTL_DEVICE,
			"no partition is assigned to this function of the device; its officer can "
			"do that: hsmctl partition assign");
	if (found)
		return fail(ctl, CTL_USAGE,
			    "more than one partition fits; name one: hsmctl list shows them");
	nearest_begin(&nearest, which);
	for (size_t i = 0; i < count; i++)
		nearest_try(&nearest, list[i].name);
	return fail(
		ctl, CTL_DEVICE,
		"this function of the device has no partition '%s'%s hsmctl list shows those it has, "
		"hsmctl partition list where the others are",
		which, nearest_hint(&nearest, hint, sizeof(hint)));
}

int link_partition(struct ctl *ctl, const char *which, struct link *link)
{
	struct hsm_partition_info list[PARTITIONS_MAX];
	size_t count = 0;
	int code;

	code = link_open(ctl, 0, link) ?: link_partitions(ctl, link->device, list, &count);
	if (!code)
		code = choose(ctl, list, count, which, &link->partition);
	return code ?: link_connect(ctl, link);
}

int link_admin(struct ctl *ctl, struct link *link)
{
	int code = link_open(ctl, HSM_OPEN_ADMIN, link);

	return code ? code : link_connect(ctl, link); /* partition id zero: the device's own */
}

static int is_officer(struct ctl *ctl, struct link *link, bool *officer)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_DEVICE_STATUS);
	int code = request ? link_call(ctl, request) : CTL_DEVICE;

	if (!code)
		*officer = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_STATE, 0) == 1;
	hsm_request_free(request);
	return code;
}

int link_officer_login(struct ctl *ctl, struct link *link, const struct secret *pin)
{
	const struct field fields[] = {
		SECRET_FIELD(HSM_FIELD_PIN, pin),
		{ ctl->as ? HSM_FIELD_NAME : 0, ctl->as, ctl->as ? strlen(ctl->as) : 0 },
		{ 0 },
	};

	return link_send(ctl, link, HSM_OP_OFFICER_LOGIN, fields);
}

static int ask_and_login(struct ctl *ctl, struct link *link)
{
	struct secret pin;
	int code;

	ctl->pin.prompt = "Officer PIN";
	code = secret_read(ctl, &ctl->pin, &pin) ?: link_officer_login(ctl, link, &pin);
	secret_clear(&pin);
	return code;
}

int link_officer(struct ctl *ctl, struct link *link)
{
	bool officer = false;
	int code = link_admin(ctl, link);

	if (!code)
		code = is_officer(ctl, link, &officer);
	return code || officer ? code : ask_and_login(ctl, link);
}

int link_session(struct ctl *ctl, struct link *link)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_SESSION_OPEN);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_FLAGS,
		    CKF_SERIAL_SESSION | CKF_RW_SESSION);
	code = link_call(ctl, request);
	if (!code)
		link->session = hsm_request_session(request);
	hsm_request_free(request);
	return code;
}

int link_login(struct ctl *ctl, struct link *link, uint64_t user, const char *name,
	       const struct secret *pin)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_LOGIN);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_USER, user);
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_PIN, pin->text, pin->length);
	if (name)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_NAME, name, strlen(name));
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

void link_close(struct link *link)
{
	hsm_disconnect(link->channel);
	hsm_close(link->device);
	memset(link, 0, sizeof(*link));
}

struct hsm_request *link_request(struct ctl *ctl, struct link *link, enum hsm_operation operation)
{
	/* Sessions are numbered from 1; only what runs in one names it. */
	bool in_session = hsm_operation_find(operation)->session;
	struct hsm_request *request =
		hsm_request_new(link->channel, operation, in_session ? link->session : 0);

	if (!request)
		fail(ctl, CTL_DEVICE, "out of memory");
	return request;
}

int link_send(struct ctl *ctl, struct link *link, enum hsm_operation operation,
	      const struct field *fields)
{
	struct hsm_request *request = link_request(ctl, link, operation);
	int code;

	if (!request)
		return CTL_DEVICE;
	for (; fields->tag; fields++)
		hsm_put_bytes(hsm_request_writer(request), fields->tag, fields->data,
			      fields->length);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

int link_try(struct ctl *ctl, struct hsm_request *request)
{
	struct hsm_error error = { 0 };

	return hsm_call(request, &error) ? fail_hsm(ctl, &error) : CTL_OK;
}

int link_answer(struct ctl *ctl, struct hsm_request *request)
{
	uint64_t rv = hsm_request_rv(request);
	uint64_t wait;

	if (rv == CKR_OK)
		return CTL_OK;
	wait = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_RETRY_AFTER, 0);
	return wait ? fail_wait(ctl, rv, wait) : fail_rv(ctl, rv);
}

int link_call(struct ctl *ctl, struct hsm_request *request)
{
	return link_try(ctl, request) ?: link_answer(ctl, request);
}
