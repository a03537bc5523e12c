// SPDX-License-Identifier: Apache-2.0
/*
 * The validation that the board was told of. The firmware shows what it says and does not judge it; nothing here makes
 * one where none is configured.
 */
#include <errno.h>
#include "commands.h"
#include "validation.h"

/* Set before there are connections, read only until they have gone */
static struct attributes validation;

/* Whatever the board sends, it is a validation and nothing else. */
static bool is_validation(const struct attributes *set)
{
	const struct attribute *item = NULL;

	while ((item = attributes_next(set, item)))
		if (item->type < CKA_VALIDATION_TYPE || item->type > CKA_VALIDATION_PROFILE ||
		    item->type == CKA_VALIDATION_FLAG)
			return false;
	return true;
}

static int take(const uint8_t *bytes, size_t length)
{
	if (!length)
		return 0;
	if (!hsm_attributes_valid(bytes, length, 1) ||
	    attributes_parse(&validation, bytes, length) != CKR_OK || !is_validation(&validation) ||
	    attributes_set_ulong(&validation, CKA_VALIDATION_FLAG, VALIDATION_FLAG) != CKR_OK) {
		attributes_free(&validation);
		return -EBADMSG;
	}
	return 0;
}

int validation_start(void)
{
	uint8_t bytes[BOARD_VALIDATION_MAX];
	size_t length = 0;
	int ret = storage_call(BOARD_VALIDATION, NULL, 0, bytes, sizeof(bytes), &length);

	return ret < 0 ? ret : take(bytes, length);
}

void validation_stop(void)
{
	attributes_free(&validation);
}

const struct attributes *validation_attributes(void)
{
	return attributes_next(&validation, NULL) ? &validation : NULL;
}
