// SPDX-License-Identifier: Apache-2.0
/*
 * hsm.conf: what it may say, and that everything else is an error that names its line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"

#define ID  "00112233-4455-6677-8899-aabbccddeeff"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_good(void **state)
{
	static const char text[] = "# devices\n"
				   "device = vhsm:/a\n"
				   "\tdevice=vfio-user:/b  \n"
				   "root-certificate = /etc/hsm/roots.pem\n"
				   "\n"
				   "[device vfio-user:/b c]\n"
				   "pin = " ID "\tsha256:" HEX "\n"
				   "pin = " ID " sha256:" HEX "\n"
				   "root-certificate=/other.pem";
	const struct conf_section *section;
	struct hsm_error error;
	struct conf conf;

	assert_int_equal(conf_parse(&conf, "x.conf", text, &error), 0);
	assert_int_equal(conf.device_count, 2);
	assert_string_equal(conf.devices[0], "vhsm:/a");
	assert_string_equal(conf.devices[1], "vfio-user:/b");
	section = conf_find(&conf, NULL);
	assert_string_equal(section->roots, "/etc/hsm/roots.pem");
	assert_null(section->pins);
	section = conf_find(&conf, "vfio-user:/b c");
	assert_non_null(section);
	assert_string_equal(section->roots, "/other.pem");
	assert_int_equal(section->pins->hash[31], 0xef);
	assert_non_null(section->pins->next);
	assert_null(conf_find(&conf, "vfio-user:/b"));
	conf_free(&conf);
	(void)state;
}

static void test_empty(void **state)
{
	struct conf conf;

	assert_int_equal(conf_parse(&conf, "x.conf", "", NULL), 0);
	assert_int_equal(conf.device_count, 0);
	assert_non_null(conf_find(&conf, NULL));
	conf_free(&conf);
	(void)state;
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
	} bad[] = {
		{ "devices = x\n", 1 },
		{ "\n\nnothing\n", 3 },
		{ "device =\n", 1 },
		{ "= x\n", 1 },
		{ "[device x]\ndevice = y\n", 2 },
		{ "[device x]\n[device x]\n", 2 },
		{ "[device x\n", 1 },
		{ "[device]\n", 1 },
		{ "[device ]\n", 1 },
		{ "[other x]\n", 1 },
		{ "[\n", 1 },
		{ "roots = /a\n", 1 },
		{ "minimum-security-version = 0\n", 1 },
		{ "minimum-security-version = 1x\n", 1 },
		{ "minimum-security-version = 4294967296\n", 1 },
		{ "require-lifecycle = any\n", 1 },
		{ "allow-measurement = sha384:" HEX "\n", 1 },
		{ "allow-measurement = sha256:" HEX "\n", 1 },
		{ "revoked-device = " HEX "\n", 1 },
		{ "revoked-device = sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
		  1 },
		{ "revoked-alias = sha256:00\n", 1 },
		{ "client-key = key.pem\n", 1 },
		{ "client-certificate = /a\nclient-certificate = /a\n", 2 },
		{ "root-certificate = relative.pem\n", 1 },
		{ "root-certificate = /a\nroot-certificate = /b\n", 2 },
		{ "pin = " ID "\n", 1 },
		{ "pin = x sha256:" HEX "\n", 1 },
		{ "pin = " ID " sha256:00\n", 1 },
		{ "pin = " ID " sha256:" HEX "0\n", 1 },
		{ "pin = " ID " sha1:" HEX "\n", 1 },
	};
	struct hsm_error error;
	struct conf conf;
	char place[32];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(conf_parse(&conf, "x.conf", bad[i].text, &error), -EINVAL);
		snprintf(place, sizeof(place), "x.conf:%u: ", bad[i].line);
		if (strncmp(error.text, place, strlen(place)))
			print_error("'%s' gave '%s'\n", bad[i].text, error.text);
		assert_int_equal(strncmp(error.text, place, strlen(place)), 0);
		assert_int_equal(error.layer, HSM_LAYER_CONFIG);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
