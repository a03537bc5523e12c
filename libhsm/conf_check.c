// SPDX-License-Identifier: Apache-2.0
/*
 * hsm.conf as a whole, for whoever has just written it: everything that would be found wrong when the
 * first device is opened, or the second.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "trust.h"

/* What opening a device of that name would read; NULL: what is said for all. */
static int check_trust(const char *device, struct hsm_error *error)
{
	struct trust *trust;
	int err = trust_new(device, &trust, error);

	if (!err)
		trust_free(trust, false);
	return err;
}

static int check_device(const char *name, struct hsm_error *error)
{
	struct device_name parsed;
	int err = name_parse(name, &parsed, error);

	return err ? err : check_trust(name, error);
}

static int check_all(const struct conf *conf, struct hsm_error *error)
{
	int sections = 0;
	int err = check_trust(NULL, error);

	for (unsigned int i = 0; !err && i < conf->device_count; i++)
		err = check_device(conf->devices[i], error);
	for (const struct conf_section *s = conf->sections; !err && s; s = s->next) {
		if (!s->device)
			continue;
		sections++;
		err = check_device(s->device, error);
	}
	return err ? err : sections;
}

int hsm_config_check(char path[HSM_CONFIG_PATH_SIZE], struct hsm_error *error)
{
	struct conf conf;
	int result;

	clear_error(error);
	path[0] = '\0';
	result = conf_load(&conf, error);
	if (result)
		return result;
	snprintf(path, HSM_CONFIG_PATH_SIZE, "%s", conf.path ? conf.path : "");
	result = check_all(&conf, error);
	conf_free(&conf);
	return result;
}
