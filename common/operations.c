// SPDX-License-Identifier: Apache-2.0
/*
 * The rows of the operation table (hsm/operations.h) as data, and the check of a request's fields
 * against its row.
 */
#include <errno.h>
#include <hsm/operations.h>
#include <hsm/policy.h>

#define NONE		0
#define SESSION		1
#define ANY		HSM_ROLE_ANY
#define USER		HSM_ROLE_USER
#define SO		HSM_ROLE_SO
#define OFFICER		HSM_ROLE_OFFICER
#define ONCE		0
#define REPEAT		1
#define R(name)		(HSM_FIELD_##name | HSM_FIELD_REQUIRED)
#define O(name)		HSM_FIELD_##name
#define HSM_PARAMETERS	HSM_FIELD_PARAMETERS
#define HSM_POLICY	HSM_FIELD_POLICY
#define HSM_FIELDS(...) { __VA_ARGS__ }
#define HSM_NONE	{ 0 }

#define ROW(code_, name_, session_, role_, class_, repeat_, request_, response_, summary_) \
	{ .code = (code_),                                                                 \
	  .session = session_,                                                             \
	  .role = role_,                                                                   \
	  .time_class = IHSM_TIME_##class_,                                                \
	  .repeat = repeat_,                                                               \
	  .name = #name_,                                                                  \
	  .summary = summary_,                                                             \
	  .request = request_,                                                             \
	  .response = response_ },

static const struct hsm_operation_info operation_table[] = { HSM_OPERATION_TABLE(ROW) };

#define OPERATIONS (sizeof(operation_table) / sizeof(operation_table[0]))
#define INDEX_SIZE 0x100

#define INDEX_ROW(code_, name_, ...)  [code_] = HSM_ROW_##name_ + 1,
#define INDEX_ENUM(code_, name_, ...) HSM_ROW_##name_,
enum operation_row {
	HSM_OPERATION_TABLE(INDEX_ENUM)
};

/* Row number + 1 by code: the dispatcher asks for every command. */
static const uint8_t operation_index[INDEX_SIZE] = { HSM_OPERATION_TABLE(INDEX_ROW) };

const struct hsm_operation_info *hsm_operation_find(unsigned int code)
{
	if (code >= INDEX_SIZE || !operation_index[code])
		return NULL;
	return &operation_table[operation_index[code] - 1];
}

const struct hsm_operation_info *hsm_operation_at(size_t index)
{
	return index < OPERATIONS ? &operation_table[index] : NULL;
}

static int tag_allowed(const struct hsm_operation_info *info, unsigned int tag)
{
	size_t i;

	for (i = 0; i < HSM_OPERATION_FIELDS && info->request[i]; i++) {
		if ((info->request[i] & ~HSM_FIELD_REQUIRED) == tag)
			return 1;
		if (info->request[i] == HSM_FIELD_PARAMETERS && tag >= HSM_FIELD_PARAMETER_FIRST &&
		    tag <= HSM_FIELD_PARAMETER_LAST)
			return 1;
		if (info->request[i] == HSM_FIELD_POLICY && hsm_policy_field(tag))
			return 1;
	}
	return 0;
}

int hsm_operation_check(const struct hsm_operation_info *info, const struct hsm_fields *fields)
{
	unsigned int i;

	for (i = 0; i < fields->count; i++)
		if (!tag_allowed(info, fields->field[i].tag))
			return -EBADMSG;
	for (i = 0; i < HSM_OPERATION_FIELDS && info->request[i]; i++)
		if ((info->request[i] & HSM_FIELD_REQUIRED) &&
		    !hsm_fields_find(fields, info->request[i] & ~HSM_FIELD_REQUIRED))
			return -EBADMSG;
	return 0;
}
