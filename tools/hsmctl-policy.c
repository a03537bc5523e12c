// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's policy for hsmctl: from options to fields, and the tenant's verb. Which values there are and their options
 * is in the table of hsm/policy.h; the way back from fields to a result is in tool-policy.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <hsm/mechanisms.h>
#include <hsm/pkcs11.h>
#include <hsm/policy.h>
#include "hsmctl-key.h"
#include "tool-nearest.h"

/* ---- options to fields ---- */

static int put_values(struct ctl *ctl, struct hsm_writer *writer)
{
	const struct hsm_policy_info *info;
	uint32_t value;

	for (size_t i = 0; (info = hsm_policy_at(i)); i++) {
		if (!ctl->policy[i])
			continue;
		if (parse_u32(ctl->policy[i], &value))
			return fail(ctl, CTL_USAGE, "--%s: '%s' is no number", info->option,
				    ctl->policy[i]);
		if (value < info->least || value > info->largest)
			return fail(ctl, CTL_USAGE, "--%s: from %u to %u (%s)", info->option,
				    info->least, info->largest, info->meaning);
		hsm_put_number(writer, info->tag, value);
	}
	return CTL_OK;
}

static int put_profile(struct ctl *ctl, struct hsm_writer *writer)
{
	const char *name;

	if (!ctl->profile)
		return CTL_OK;
	for (unsigned int i = 0; (name = hsm_profile_name(i)); i++) {
		if (strcmp(name, ctl->profile))
			continue;
		hsm_put_u32(writer, HSM_FIELD_PROFILE, i);
		return CTL_OK;
	}
	return fail(ctl, CTL_USAGE, "--profile: '%s' is neither strict, compatible nor legacy",
		    ctl->profile);
}

/* With or without CKM_ */
static int find_mechanism(struct ctl *ctl, const char *name, size_t length, uint64_t *mechanism)
{
	const struct hsm_mechanism_info *info;
	char word[NEAREST_MAX + 1], hint[2 * NEAREST_MAX];
	struct nearest nearest;

	for (size_t i = 0; (info = hsm_mechanism_at(i)); i++) {
		const char *plain = info->name + strlen("CKM_");

		if ((strlen(plain) != length || strncasecmp(plain, name, length)) &&
		    (strlen(info->name) != length || strncasecmp(info->name, name, length)))
			continue;
		*mechanism = info->mechanism;
		return CTL_OK;
	}
	snprintf(word, sizeof(word), "%.*s", (int)length, name);
	nearest_begin(&nearest, word);
	for (size_t i = 0; (info = hsm_mechanism_at(i)); i++) {
		nearest_try(&nearest, info->name);
		nearest_try(&nearest, info->name + strlen("CKM_"));
	}
	if (nearest_word(&nearest))
		return fail(ctl, CTL_USAGE, "there is no mechanism '%s'%s", word,
			    nearest_hint(&nearest, hint, sizeof(hint)));
	return fail(ctl, CTL_USAGE,
		    "there is no mechanism '%.*s'; Documentation/mechanisms.rst lists them",
		    (int)length, name);
}

struct mechanism_list {
	size_t count;
	uint64_t item[HSM_MECHANISM_ROWS];
};

/* Add the names in @text, which blanks and commas separate */
static int add_mechanisms(struct ctl *ctl, struct mechanism_list *list, const char *text)
{
	uint64_t mechanism = 0;
	size_t length;
	int code;

	for (; *text; text += length) {
		text += strspn(text, ", \t\r\n");
		length = strcspn(text, ", \t\r\n");
		if (!length)
			break;
		code = find_mechanism(ctl, text, length, &mechanism);
		if (code)
			return code;
		if (list->count == HSM_MECHANISM_ROWS)
			return fail(ctl, CTL_USAGE, "too many mechanisms");
		list->item[list->count++] = mechanism;
	}
	return CTL_OK;
}

/* Names, one or more a line; what follows a # is a remark */
static int read_mechanisms(struct ctl *ctl, struct mechanism_list *list, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	int code = CTL_OK;

	if (!file)
		return fail(ctl, CTL_USAGE, "--mechanisms-file %s: %s", path, strerror(errno));
	while (!code && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#")] = '\0';
		code = add_mechanisms(ctl, list, line);
	}
	fclose(file);
	return code;
}

static int put_mechanisms(struct ctl *ctl, struct hsm_writer *writer)
{
	struct mechanism_list list = { 0 };
	int code = CTL_OK;

	if (!ctl->mechanisms && !ctl->mechanisms_file)
		return CTL_OK;
	if (ctl->mechanisms && strcmp(ctl->mechanisms, "all"))
		code = add_mechanisms(ctl, &list, ctl->mechanisms);
	if (!code && ctl->mechanisms_file)
		code = read_mechanisms(ctl, &list, ctl->mechanisms_file);
	if (!code && !list.count && !(ctl->mechanisms && !strcmp(ctl->mechanisms, "all")))
		return fail(
			ctl, CTL_USAGE,
			"no mechanism was named; --mechanisms all allows all that the profile has");
	if (!code)
		hsm_put_list(writer, HSM_FIELD_MECHANISMS, list.item, list.count);
	return code;
}

/* An owner who is named is asked, unless it is said for what. */
static int put_owner(struct ctl *ctl, struct hsm_writer *writer)
{
	const char *uri = ctl->blob[HSM_POLICY_BLOB_OWNER_KEY];

	if (!uri)
		return CTL_OK;
	if (strcmp(uri, "none") && !ctl->policy[HSM_POLICY_OWNER_APPROVES])
		hsm_put_u32(writer, HSM_FIELD_OWNER_APPROVES,
			    hsm_policy_at(HSM_POLICY_OWNER_APPROVES)->largest);
	return key_put(ctl, writer, HSM_FIELD_OWNER_KEY, uri);
}

int policy_options(struct ctl *ctl, struct hsm_writer *writer)
{
	return put_values(ctl, writer) ?: put_profile(ctl, writer) ?: put_mechanisms(ctl, writer) ?:
	       migration_options(ctl, writer) ?: put_owner(ctl, writer);
}

/* ---- the tenant's verb ---- */

int verb_policy(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	const char *profile;
	int code = link_partition(ctl, args[0], &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_POLICY);
		code = request ? link_call(ctl, request) : CTL_DEVICE;
	}
	if (!code) {
		profile = hsm_profile_name(
			hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_PROFILE, 0));
		put_string(ctl->result, "partition", link.partition.name);
		put_string(ctl->result, "profile", profile ?: "unknown");
		policy_result(ctl->result, hsm_request_fields(request), 0);
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}
