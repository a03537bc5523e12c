// SPDX-License-Identifier: Apache-2.0
/*
 * What hsmctl prints: its result, and errors with the layer they come from and what can be done.
 * How both look is in tool-output.c, which the other tools share.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"

int output(struct ctl *ctl)
{
	return output_result("hsmctl", ctl->result, ctl->json) < 0 ? CTL_DEVICE : CTL_OK;
}

/* ---- errors ---- */

static int report(struct ctl *ctl, enum ctl_exit code, const char *layer, const char *name,
		  const char *text)
{
	output_error("hsmctl", ctl->json ? ctl->result : NULL, layer, name, text);
	return code;
}

int fail(struct ctl *ctl, enum ctl_exit code, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return report(ctl, code, "", "", text);
}

static enum ctl_exit exit_of_layer(unsigned int layer)
{
	switch (layer) {
	case HSM_LAYER_CONFIG:
		return CTL_USAGE;
	case HSM_LAYER_CHANNEL:
		return CTL_CHANNEL;
	case HSM_LAYER_COMMAND:
		return CTL_REFUSED;
	default:
		return CTL_DEVICE;
	}
}

int fail_hsm(struct ctl *ctl, const struct hsm_error *error)
{
	const char *text = *error->text ? error->text : strerror(-error->error);

	return report(ctl, exit_of_layer(error->layer), hsm_layer_name(error->layer), "", text);
}

struct refusal {
	uint64_t rv;
	const char *name;
	const char *text;
};

/* The answers that an administrator can do something about */
static const struct refusal refusals[] = {
	{ CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT",
	  "wrong PIN; after too many wrong ones in a row it is locked" },
	{ CKR_PIN_LOCKED, "CKR_PIN_LOCKED",
	  "locked after too many wrong PINs; the SO unlocks a user's with hsmctl pin init, that of a "
	  "user with a name with hsmctl user unlock" },
	{ CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE",
	  "the PIN is too short or too long; hsmctl info tells the limits" },
	{ CKR_PIN_INVALID, "CKR_PIN_INVALID",
	  "the partition's policy does not take one of the last PINs again" },
	{ CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", "the PIN has to be changed first: hsmctl pin set" },
	{ CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED",
	  "no such PIN has been set; hsmctl partition init or hsmctl pin init sets it" },
	{ CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN",
	  "not allowed in this role; on a board that others own, claim it or log in as its officer" },
	{ CKR_USER_ALREADY_LOGGED_IN, "CKR_USER_ALREADY_LOGGED_IN",
	  "the owner of an embedded board is its officer already, without a PIN" },
	{ CKR_USER_TYPE_INVALID, "CKR_USER_TYPE_INVALID",
	  "the partition has no such user; hsmctl user list shows those it has" },
	{ CKR_SESSION_EXISTS, "CKR_SESSION_EXISTS",
	  "programs have sessions with this token; end them first" },
	{ CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED",
	  "the partition's stored state does not verify; the board's log says what is wrong" },
	{ CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", "there is no such partition" },
	{ CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED",
	  "the token cannot be changed now" },
	{ CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY",
	  "no room: the disk is full or a quota is used up; nothing was changed" },
	{ CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR",
	  "the device failed inside, its storage may be unusable; the board's log says more" },
	{ CKR_ACTION_PROHIBITED, "CKR_ACTION_PROHIBITED", "the device's policy forbids it" },
	{ CKR_ARGUMENTS_BAD, "CKR_ARGUMENTS_BAD",
	  "the device does not accept a value that was given" },
	{ CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED",
	  "the device's firmware cannot do that" },
	{ CKR_OPERATION_NOT_INITIALIZED, "CKR_OPERATION_NOT_INITIALIZED",
	  "the device is not in the state for that" },
};

static const struct refusal *find_refusal(uint64_t rv)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].rv == rv)
			return &refusals[i];
	return NULL;
}

int fail_rv(struct ctl *ctl, uint64_t rv)
{
	const struct refusal *refusal = find_refusal(rv);
	char number[32];

	if (refusal)
		return report(ctl, CTL_REFUSED, "device", refusal->name, refusal->text);
	snprintf(number, sizeof(number), "CKR 0x%08" PRIx64, rv);
	return report(ctl, CTL_REFUSED, "device", number, "the device refused the command");
}

void refusal_text(uint64_t rv, char *text, size_t size)
{
	const struct refusal *refusal = find_refusal(rv);

	if (refusal)
		snprintf(text, size, "%s: %s", refusal->name, refusal->text);
	else
		snprintf(text, size, "CKR 0x%08" PRIx64, rv);
}

int fail_wait(struct ctl *ctl, uint64_t rv, uint64_t wait)
{
	const struct refusal *refusal = find_refusal(rv);
	char text[96];

	snprintf(text, sizeof(text), "%s; try again in %" PRIu64 " s",
		 rv == CKR_PIN_LOCKED ? "held up after wrong PINs"
				      : "too many operations in a second",
		 (wait + 999) / 1000);
	return report(ctl, CTL_REFUSED, "device", refusal ? refusal->name : "", text);
}
