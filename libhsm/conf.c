// SPDX-License-Identifier: Apache-2.0
/*
 * hsm.conf: which devices to use, and whom to believe. Its form is in
 * Documentation/man/hsm.conf.5.rst.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "hsm-paths.h"
#include "conf_keys.h"
#include "heap.h"

#define CONF_SIZE_MAX (1024 * 1024)

char *conf_trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static struct conf_section *add_section(struct conf *conf, const char *device)
{
	struct conf_section *section = calloc(1, sizeof(*section));

	if (!section)
		return NULL;
	if (device) {
		section->device = heap_string(device);
		if (!section->device) {
			free(section);
			return NULL;
		}
	}
	section->next = conf->sections;
	conf->sections = section;
	return section;
}

const struct conf_section *conf_find(const struct conf *conf, const char *device)
{
	for (const struct conf_section *s = conf->sections; s; s = s->next) {
		if (!device ? !s->device : s->device && strcmp(s->device, device) == 0)
			return s;
	}
	return NULL;
}

/* ---- lines ---- */

static int parse_setting(struct conf_parser *p, char *text)
{
	char *value = strchr(text, '=');

	if (!value)
		return conf_complain(p, "expected 'key = value', found", text);
	*value++ = '\0';
	text = conf_trim(text);
	value = conf_trim(value);
	if (!*value)
		return conf_complain(p, "no value for", text);
	return conf_set(p, text, value);
}

/* [device NAME] */
static int parse_section(struct conf_parser *p, char *text)
{
	size_t length = strlen(text);

	if (text[length - 1] != ']')
		return conf_complain(p, "no ']' at the end of", text);
	text[length - 1] = '\0';
	if (strncmp(text + 1, "device", 6) || !isspace((unsigned char)text[7]))
		return conf_complain(p, "a section is '[device NAME]', not", text);
	text = conf_trim(text + 7);
	if (!*text || conf_find(p->conf, text))
		return conf_complain(p,
				     *text ? "a second section for device"
					   : "a section without a device name",
				     text);
	p->section = add_section(p->conf, text);
	return p->section ? 0 : -ENOMEM;
}

static int parse_line(struct conf_parser *p, char *text)
{
	text = conf_trim(text);
	if (*text == '\0' || *text == '#')
		return 0;
	return *text == '[' ? parse_section(p, text) : parse_setting(p, text);
}

static int parse_lines(struct conf_parser *p, char *text)
{
	char *rest = text;
	char *line;
	int err = 0;

	while (!err && (line = strsep(&rest, "\n"))) {
		p->line++;
		err = parse_line(p, line);
	}
	return err;
}

int conf_parse(struct conf *conf, const char *path, const char *text, struct hsm_error *error)
{
	struct conf_parser p = { .conf = conf, .path = path, .error = error };
	char *copy;
	int err = -ENOMEM;

	memset(conf, 0, sizeof(*conf));
	copy = heap_string(text);
	conf->path = heap_string(path);
	p.section = add_section(conf, NULL);
	if (copy && conf->path && p.section)
		err = parse_lines(&p, copy);
	free(copy);
	if (err)
		conf_free(conf);
	return err == -ENOMEM ? set_error(error, err, HSM_LAYER_SYSTEM, "out of memory") : err;
}

static void free_section(struct conf_section *section)
{
	struct conf_pin *next;

	for (struct conf_pin *pin = section->pins; pin; pin = next) {
		next = pin->next;
		free(pin);
	}
	free(section->device);
	free(section->roots);
	free(section->measurements.bytes);
	free(section->revoked_devices.bytes);
	free(section->revoked_aliases.bytes);
	free(section->client_certificate);
	free(section->client_key);
	free(section);
}

void conf_free(struct conf *conf)
{
	struct conf_section *next;

	for (struct conf_section *section = conf->sections; section; section = next) {
		next = section->next;
		free_section(section);
	}
	for (unsigned int i = 0; i < conf->device_count; i++)
		free(conf->devices[i]);
	free(conf->devices);
	free(conf->path);
	memset(conf, 0, sizeof(*conf));
}

/* ---- finding the file ---- */

static int read_file(const char *path, char **text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > CONF_SIZE_MAX) {
		close(fd);
		return -EFBIG;
	}
	*text = calloc(1, (size_t)st.st_size + 1);
	if (!*text) {
		close(fd);
		return -ENOMEM;
	}
	n = read(fd, *text, (size_t)st.st_size);
	close(fd);
	if (n >= 0)
		return 0;
	free(*text);
	return -EIO;
}

/* The user's own file; nothing when no home directory is known. */
static int user_path(char *path, size_t size)
{
	const char *base = secure_getenv("XDG_CONFIG_HOME");
	const char *home = secure_getenv("HOME");

	if (base && base[0] == '/')
		return snprintf(path, size, "%s/hsm/hsm.conf", base) < (int)size ? 0
										 : -ENAMETOOLONG;
	if (home && home[0] == '/')
		return snprintf(path, size, "%s/.config/hsm/hsm.conf", home) < (int)size
			       ? 0
			       : -ENAMETOOLONG;
	return -ENOENT;
}

static int load_path(struct conf *conf, const char *path, struct hsm_error *error)
{
	char *text = NULL;
	int err = read_file(path, &text);

	if (err == -ENOENT)
		return err;
	if (err == -ENOMEM)
		return set_error(error, err, HSM_LAYER_SYSTEM, "out of memory");
	if (err)
		return set_error(error, err, HSM_LAYER_CONFIG, "cannot read %s: %s", path,
				 err == -EFBIG ? "not a file of reasonable size"
					       : strerrordesc_np(-err));
	err = conf_parse(conf, path, text, error);
	free(text);
	return err;
}

int conf_load(struct conf *conf, struct hsm_error *error)
{
	const char *named = secure_getenv("HSM_CONF");
	char path[NAME_PATH_MAX];
	int err = -ENOENT;

	memset(conf, 0, sizeof(*conf));
	if (named && *named) {
		err = load_path(conf, named, error);
		if (err == -ENOENT)
			set_error(error, err, HSM_LAYER_CONFIG,
				  "HSM_CONF names %s, which does not exist", named);
		return err;
	}
	if (user_path(path, sizeof(path)) == 0)
		err = load_path(conf, path, error);
	if (err == -ENOENT)
		err = load_path(conf, HSM_SYSCONFDIR "/hsm/hsm.conf", error);
	if (err == -ENOENT && strcmp(HSM_SYSCONFDIR, "/etc"))
		err = load_path(conf, "/etc/hsm/hsm.conf", error);
	return err == -ENOENT ? 0 : err;
}
