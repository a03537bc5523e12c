// SPDX-License-Identifier: Apache-2.0
/*
 * Errors: each says which layer it comes from, and says it in one sentence.
 */
#include <errno.h>
#include <stdio.h>
#include "internal.h"

#define STATUS_NAME(code, name, error, text) { (code), -(error), text },
static const struct {
	unsigned int code;
	int error;
	const char *text;
} statuses[] = { IHSM_STATUS_TABLE(STATUS_NAME) };
#undef STATUS_NAME

int set_error(struct hsm_error *error, int code, unsigned int layer, const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	error->error = code;
	error->layer = layer;
	error->device_status = 0;
	error->rv = 0;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

int set_status_error(struct hsm_error *error, unsigned int status, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (statuses[i].code != status)
			continue;
		set_error(error, statuses[i].error, HSM_LAYER_DEVICE, "%s: %s", what,
			  statuses[i].text);
		if (error)
			error->device_status = status;
		return statuses[i].error;
	}
	set_error(error, -EIO, HSM_LAYER_DEVICE,
		  "%s: the device answered with the unknown status 0x%x", what, status);
	if (error)
		error->device_status = status;
	return -EIO;
}

int set_errno_error(struct hsm_error *error, unsigned int layer, const char *what)
{
	int code = errno ? errno : EIO;
	char text[96];

	return set_error(error, -code, layer, "%s: %s", what, strerror_r(code, text, sizeof(text)));
}

void clear_error(struct hsm_error *error)
{
	if (error)
		memset(error, 0, sizeof(*error));
}

const char *hsm_layer_name(unsigned int layer)
{
	static const char *const names[] = {
		[HSM_LAYER_NONE] = "none",	 [HSM_LAYER_CONFIG] = "configuration",
		[HSM_LAYER_SYSTEM] = "system",	 [HSM_LAYER_TRANSPORT] = "transport",
		[HSM_LAYER_DEVICE] = "device",	 [HSM_LAYER_CHANNEL] = "channel",
		[HSM_LAYER_COMMAND] = "command",
	};

	return layer < ARRAY_SIZE(names) ? names[layer] : "unknown";
}

const char *hsm_library_version(void)
{
	return HSM_VERSION;
}
