// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl config: the configuration of those who use devices, looked at before a program meets it.
 */
#include "hsmctl.h"

int verb_config_check(struct ctl *ctl, char **args)
{
	char path[HSM_CONFIG_PATH_SIZE];
	struct hsm_error error = { 0 };
	char **names = NULL;
	struct json_object *rows;
	int sections, count;

	(void)args;
	sections = hsm_config_check(path, &error);
	if (sections < 0)
		return fail_hsm(ctl, &error);
	count = hsm_default_devices(&names, &error);
	if (count < 0)
		return fail_hsm(ctl, &error);
	put_string(ctl->result, "file", *path ? path : "none");
	put_number(ctl->result, "sections", (uint64_t)sections);
	rows = json_object_new_array();
	json_object_object_add(ctl->result, "devices", rows);
	for (int i = 0; i < count; i++) {
		struct json_object *row = json_object_new_object();

		put_string(row, "name", names[i]);
		json_object_array_add(rows, row);
	}
	hsm_free_names(names);
	return CTL_OK;
}
