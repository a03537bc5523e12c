// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor on what applications are told of the module: p11-kit's module file, OpenSSL's configuration with its
 * PKCS#11 provider, and the file that a PIN comes from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <hsm-paths.h>
#include "hsmctl-doctor.h"

#define LINE_SIZE 1024

/* ---- p11-kit ---- */

/* Value of "module:" in a module file, "" when there is none */
static void module_line(FILE *file, char value[LINE_SIZE])
{
	char line[LINE_SIZE];
	char *start, *end;

	value[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		start = line + strspn(line, " \t");
		if (strncmp(start, "module", 6))
			continue;
		start += 6 + strspn(start + 6, " \t");
		if (*start != ':')
			continue;
		start += 1 + strspn(start + 1, " \t");
		end = start + strcspn(start, "\r\n");
		while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		snprintf(value, LINE_SIZE, "%.*s", (int)(end - start), start);
	}
}

static int look_at_module_file(const char *path, FILE *file, struct doctor_finding *finding)
{
	char value[LINE_SIZE], module[2 * LINE_SIZE];

	module_line(file, value);
	doctor_advise(finding, "write 'module: %.150s' into %.80s", doctor_module_path(), path);
	if (!*value)
		return doctor_say(finding, DOCTOR_FAILED, "%.200s names no module", path);
	snprintf(module, sizeof(module), "%s%s", *value == '/' ? "" : HSM_P11KIT_MODULES "/",
		 value);
	if (access(module, R_OK))
		return doctor_say(finding, DOCTOR_FAILED, "%.120s names %.120s: %s", path, module,
				  strerror(errno));
	return doctor_say(finding, DOCTOR_OK, "%.200s", path);
}

/* The first file that p11-kit itself would read: the user's, the administrator's, the package's */
int doctor_p11_kit(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const places[] = { "/etc/pkcs11/modules", "/usr/share/p11-kit/modules",
					      HSM_P11KITDIR };
	const char *home = secure_getenv("HOME");
	char path[PATH_MAX];
	FILE *file;
	int verdict;

	(void)doctor;
	snprintf(path, sizeof(path), "%s/.config/pkcs11/modules/hsm.module", home ?: "");
	file = fopen(path, "re");
	for (size_t i = 0; !file && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/hsm.module", places[i]);
		file = fopen(path, "re");
	}
	if (!file)
		return doctor_say(
			finding, DOCTOR_OK,
			"p11-kit is told of no hsm.module; programs name the module themselves");
	verdict = look_at_module_file(path, file, finding);
	fclose(file);
	return verdict;
}

/* ---- files that PINs come from ---- */

static int look_at_pin_file(const char *path, struct doctor_finding *finding)
{
	struct stat st;

	if (stat(path, &st) || access(path, R_OK)) {
		doctor_advise(finding,
			      "make %.150s readable for the program's user, or name the right file",
			      path);
		return doctor_say(finding, DOCTOR_FAILED, "the PIN's file %.180s: %s", path,
				  strerror(errno));
	}
	if (!st.st_size)
		return doctor_say(finding, DOCTOR_FAILED, "the PIN's file %.180s is empty", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
		doctor_advise(finding, "chmod 600 %.180s", path);
		return doctor_say(finding, DOCTOR_WARNING,
				  "others can read the PIN's file %.150s: mode %03o", path,
				  (unsigned int)(st.st_mode & 0777));
	}
	return DOCTOR_OK;
}

int doctor_pin_file(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->ctl->pin.file;
	int verdict;

	if (!path)
		return DOCTOR_NOTHING;
	verdict = look_at_pin_file(path, finding);
	return verdict == DOCTOR_OK ? doctor_say(finding, DOCTOR_OK, "%.250s", path) : verdict;
}

/* ---- OpenSSL ---- */

struct openssl {
	CONF *conf;
	const char *file;
	struct doctor_finding *finding;
};

static const char *value_of(const struct openssl *openssl, const char *section, const char *name)
{
	return section ? NCONF_get_string(openssl->conf, section, name) : NULL;
}

/* "pkcs11.so", or a path: the provider's own shared object */
static int look_at_provider(const struct openssl *openssl, const char *module)
{
	const char *directory = OPENSSL_info(OPENSSL_INFO_MODULES_DIR);
	char path[2 * LINE_SIZE];

	if (!module)
		return DOCTOR_OK;
	snprintf(path, sizeof(path), "%s%s%s", *module == '/' ? "" : directory ?: "", *module == '/' ? "" : "/",
		 module);
	if (!access(path, R_OK))
		return DOCTOR_OK;
	doctor_advise(openssl->finding, "apt install pkcs11-provider");
	return doctor_say(openssl->finding, DOCTOR_FAILED, "%.100s names the provider %.150s: %s",
			  openssl->file, path, strerror(errno));
}

static int look_at_pin(const struct openssl *openssl, const char *section)
{
	const char *pin = value_of(openssl, section, "pkcs11-module-token-pin");
	struct stat st;

	if (!pin)
		return DOCTOR_OK;
	if (!strncmp(pin, "file:", 5))
		return look_at_pin_file(pin + 5, openssl->finding);
	if (stat(openssl->file, &st) || !(st.st_mode & 077))
		return DOCTOR_OK;
	doctor_advise(openssl->finding,
		      "pkcs11-module-token-pin = file:PATH, with a file of mode 600");
	return doctor_say(openssl->finding, DOCTOR_WARNING,
			  "%.200s has a PIN in it, and others can read it", openssl->file);
}

static bool is_activated(const char *text)
{
	return text && (*text == '1' || *text == 'y' || *text == 'Y' || *text == 't' ||
			*text == 'T' || !strcmp(text, "on"));
}

static int look_at_section(const struct openssl *openssl, const char *section, const char *path)
{
	int verdict;

	if (access(path, R_OK)) {
		doctor_advise(openssl->finding, "pkcs11-module-path = %.150s in %.80s",
			      doctor_module_path(), openssl->file);
		return doctor_say(openssl->finding, DOCTOR_FAILED,
				  "%.100s names the module %.150s: %s", openssl->file, path,
				  strerror(errno));
	}
	verdict = look_at_provider(openssl, value_of(openssl, section, "module"));
	if (verdict == DOCTOR_OK)
		verdict = look_at_pin(openssl, section);
	if (verdict != DOCTOR_OK)
		return verdict;
	if (is_activated(value_of(openssl, section, "activate")))
		return doctor_say(openssl->finding, DOCTOR_OK, "%.250s", openssl->file);
	doctor_advise(openssl->finding, "activate = 1 in [%s] of %.150s", section, openssl->file);
	return doctor_say(openssl->finding, DOCTOR_WARNING,
			  "%.200s does not activate its PKCS#11 provider", openssl->file);
}

static int look_at_providers(const struct openssl *openssl)
{
	const char *init = value_of(openssl, "default", "openssl_conf");
	const char *list = value_of(openssl, init, "providers");
	STACK_OF(CONF_VALUE) *rows = list ? NCONF_get_section(openssl->conf, list) : NULL;
	const char *path;

	for (int i = 0; rows && i < sk_CONF_VALUE_num(rows); i++) {
		const CONF_VALUE *row = sk_CONF_VALUE_value(rows, i);

		path = value_of(openssl, row->value, "pkcs11-module-path");
		if (path)
			return look_at_section(openssl, row->value, path);
	}
	return doctor_say(openssl->finding, DOCTOR_OK, "%.200s names no PKCS#11 provider",
			  openssl->file);
}

static int load_configuration(struct openssl *openssl)
{
	long line = 0;

	if (NCONF_load(openssl->conf, openssl->file, &line) > 0)
		return look_at_providers(openssl);
	if (line > 0)
		return doctor_say(openssl->finding, DOCTOR_FAILED,
				  "%.200s, line %ld cannot be read", openssl->file, line);
	return doctor_say(openssl->finding, DOCTOR_FAILED, "%.200s cannot be read", openssl->file);
}

int doctor_openssl(struct doctor *doctor, struct doctor_finding *finding)
{
	struct openssl openssl = { .finding = finding };
	char *file = CONF_get1_default_config_file();
	int verdict = DOCTOR_NOTHING;

	(void)doctor;
	openssl.file = file;
	openssl.conf = NCONF_new(NULL);
	if (file && openssl.conf && (secure_getenv("OPENSSL_CONF") || !access(file, F_OK)))
		verdict = load_configuration(&openssl);
	NCONF_free(openssl.conf);
	OPENSSL_free(file);
	return verdict;
}
