// SPDX-License-Identifier: Apache-2.0
/*
 * The counter of a one-time password's key (CKA_OTP_COUNTER): taken and moved on in one commit before a password is made,
 * so that none is made twice, not after a crash either.
 */
#include "key_use.h"
#include "use_counter.h"

/* Empty, as a template leaves it: 0 */
static CK_RV counter_of(const struct attributes *key, uint64_t *counter)
{
	const struct attribute *item = attributes_find(key, CKA_OTP_COUNTER);
	uint32_t i;

	*counter = 0;
	if (!item || !item->length)
		return CKR_OK;
	for (i = 0; i < item->length; i++)
		*counter = *counter << 8 | item->value[i];
	return item->length == 8 && *counter < UINT64_MAX ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV move_on(struct command *command, struct object *object, uint64_t counter)
{
	struct attributes set = { 0 };
	uint8_t next[8];
	CK_RV rv;
	int i;

	for (i = 0; i < 8; i++)
		next[i] = (uint8_t)((counter + 1) >> (56 - 8 * i));
	rv = attributes_copy(&set, &object->attributes);
	if (rv == CKR_OK)
		rv = attributes_set(&set, CKA_OTP_COUNTER, next, sizeof(next));
	if (rv == CKR_OK)
		rv = object_replace(command, object, &set);
	attributes_free(&set);
	return rv;
}

CK_RV otp_counter_take(struct command *command, struct mechanism *mechanism, struct object **object)
{
	uint64_t need = attributes_ulong(&(*object)->attributes, CKA_OTP_COUNTER_REQUIREMENT,
					 CK_OTP_PARAM_IGNORED);
	bool given;
	CK_RV rv;

	if (mechanism->info->family != MECH_FAMILY_OTP || command->use != MECH_SIGN)
		return CKR_OK;
	rv = mech_otp_given(mechanism->fields, &given);
	if (rv != CKR_OK || (given && need != CK_OTP_PARAM_IGNORED))
		return rv;
	if (need == CK_OTP_PARAM_MANDATORY)
		return CKR_MECHANISM_PARAM_INVALID;
	do {
		rv = counter_of(&(*object)->attributes, &mechanism->counter);
		if (rv == CKR_OK)
			rv = move_on(command, *object, mechanism->counter);
		if (rv == OBJECT_STALE && uses_look_again(command, object) != CKR_OK)
			return CKR_KEY_HANDLE_INVALID;
	} while (rv == OBJECT_STALE);
	mechanism->counted = rv == CKR_OK;
	return rv;
}
