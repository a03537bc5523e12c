// SPDX-License-Identifier: Apache-2.0
/*
 * Names of devices: how they are written, and which ones are meant when the user named none.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "heap.h"
#include "internal.h"

#define FORMS "use /dev/ihsmN, vfio-user:SOCKET or vhsm:DIR"

/* Copy @text as an absolute path: an application may change its directory later. */
static int absolute_path(const char *text, size_t length, char out[NAME_PATH_MAX])
{
	char cwd[NAME_PATH_MAX];
	int n;

	if (length > 0 && text[0] == '/')
		n = snprintf(out, NAME_PATH_MAX, "%.*s", (int)length, text);
	else if (!getcwd(cwd, sizeof(cwd)))
		return -errno;
	else
		n = snprintf(out, NAME_PATH_MAX, "%s/%.*s", strcmp(cwd, "/") ? cwd : "",
			     (int)length, text);
	if (n < 0 || n >= NAME_PATH_MAX)
		return -ENAMETOOLONG;
	while (n > 1 && out[n - 1] == '/')
		out[--n] = '\0';
	return 0;
}

/*
 * ",function=N" at the end of an embedded name. A directory whose name holds a comma is fine as
 * long as no option is.
 */
static int parse_function(const char *text, size_t *length, unsigned int *function)
{
	const char *option = strstr(text, ",function=");
	unsigned long value;
	char *end;

	if (!option)
		return 0;
	value = strtoul(option + strlen(",function="), &end, 10);
	if (*end || end == option + strlen(",function=") || value > 255)
		return -EINVAL;
	*function = (unsigned int)value;
	*length = (size_t)(option - text);
	return 0;
}

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) ? NULL : text + n;
}

int name_parse(const char *text, struct device_name *name, struct hsm_error *error)
{
	const char *rest;
	size_t length;
	int err = 0;

	memset(name, 0, sizeof(*name));
	rest = after(text, "/dev/");
	if (rest) {
		name->kind = NAME_DRIVER;
		rest = text;
	} else if ((rest = after(text, "vfio-user:"))) {
		name->kind = NAME_VFIO_USER;
	} else if ((rest = after(text, "vhsm:"))) {
		name->kind = NAME_EMBEDDED;
		name->function = 1;
	} else {
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
				 "'%.100s' is not a device name: " FORMS, text);
	}
	length = strlen(rest);
	if (name->kind == NAME_EMBEDDED)
		err = parse_function(rest, &length, &name->function);
	if (err)
		return set_error(error, err, HSM_LAYER_CONFIG,
				 "'%.100s': the function must be a number from 0 to 255", text);
	if (length == 0)
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG, "'%.100s' names no path: " FORMS,
				 text);
	err = absolute_path(rest, length, name->path);
	if (err)
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
				 "'%.100s': the path is too long or the current directory is gone",
				 text);
	return 0;
}

/* fnN.sock -> fn0.sock in the same directory: so a board names its sockets */
static int admin_socket(struct device_name *name)
{
	char *base = strrchr(name->path, '/') + 1;
	unsigned int function;
	int end = 0;

	if (sscanf(base, "fn%3u.sock%n", &function, &end) != 1 || end == 0 || base[end])
		return -EINVAL;
	strcpy(base, "fn0.sock");
	return 0;
}

int name_admin(struct device_name *name, struct hsm_error *error)
{
	/* Whether a device file is function 0's the device tells. */
	if (name->kind == NAME_DRIVER)
		return 0;
	if (name->kind == NAME_EMBEDDED) {
		name->function = 0;
		return 0;
	}
	if (name->kind == NAME_VFIO_USER && admin_socket(name) == 0)
		return 0;
	return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
			 "'%.100s': name the socket of function 0 for administration", name->path);
}

/* ---- the default devices ---- */

void hsm_free_names(char **names)
{
	if (!names)
		return;
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}

static int append_name(char ***names, unsigned int *count, const char *text, size_t length)
{
	char **more = heap_array(*names, *count + 2, sizeof(**names));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[*count] = heap_copy(text, length);
	more[*count + 1] = NULL;
	if (!more[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

/* Does the comma at @comma begin an option of the name before it, and not another name? */
static bool is_option(const char *comma)
{
	return after(comma, ",function=") != NULL;
}

static int split_names(const char *text, char ***names, unsigned int *count)
{
	while (*text) {
		size_t length = strcspn(text, ",");
		int err = 0;

		while (text[length] && is_option(text + length))
			length += 1 + strcspn(text + length + 1, ",");
		if (length > 0)
			err = append_name(names, count, text, length);
		if (err)
			return err;
		text += length + (text[length] == ',');
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static bool is_driver_name(const char *path)
{
	const char *number = strrchr(path, '/') + 1 + strlen("ihsm");

	return strspn(number, "0123456789") == strlen(number);
}

int driver_names(const char *directory, char ***names, unsigned int *count)
{
	char pattern[NAME_PATH_MAX];
	glob_t found;
	int err = 0;

	snprintf(pattern, sizeof(pattern), "%s/ihsm[0-9]*", directory);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), by_number);
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		if (is_driver_name(found.gl_pathv[i]))
			err = append_name(names, count, found.gl_pathv[i],
					  strlen(found.gl_pathv[i]));
	globfree(&found);
	return err;
}

static int configured_names(char ***names, unsigned int *count, struct hsm_error *error)
{
	struct conf conf;
	int err = conf_load(&conf, error);

	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	for (unsigned int i = 0; i < conf.device_count && !err; i++)
		err = append_name(names, count, conf.devices[i], strlen(conf.devices[i]));
	conf_free(&conf);
	return err;
}

int hsm_default_devices(char ***names, struct hsm_error *error)
{
	const char *variable = secure_getenv("HSM_DEVICE");
	unsigned int count = 0;
	int err;

	clear_error(error);
	*names = calloc(1, sizeof(**names));
	err = *names ? 0 : -ENOMEM;
	if (!err && variable && *variable) {
		err = split_names(variable, names, &count);
	} else if (!err) {
		err = configured_names(names, &count, error);
		if (!err && count == 0)
			err = driver_names("/dev", names, &count);
	}
	if (!err)
		return (int)count;
	hsm_free_names(*names);
	*names = NULL;
	return err == -ENOMEM ? set_error(error, err, HSM_LAYER_SYSTEM, "out of memory") : err;
}
