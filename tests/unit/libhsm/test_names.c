// SPDX-License-Identifier: Apache-2.0
/*
 * Names of devices, and which are meant when none is named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"
#include "temporary.h"

static void parses(const char *text, enum name_kind kind, const char *path, unsigned int function)
{
	struct device_name name;
	struct hsm_error error;

	assert_int_equal(name_parse(text, &name, &error), 0);
	assert_int_equal(name.kind, kind);
	assert_string_equal(name.path, path);
	assert_int_equal(name.function, function);
}

static void refuses(const char *text)
{
	struct device_name name;
	struct hsm_error error;

	assert_int_equal(name_parse(text, &name, &error), -EINVAL);
	assert_int_equal(error.error, -EINVAL);
	assert_int_equal(error.layer, HSM_LAYER_CONFIG);
	assert_true(strlen(error.text) > 10);
	assert_int_equal(name_parse(text, &name, NULL), -EINVAL);
}

static void test_parse(void **state)
{
	char cwd[512], expected[600];

	parses("/dev/ihsm0", NAME_DRIVER, "/dev/ihsm0", 0);
	parses("vfio-user:/run/vhsm/fn1.sock", NAME_VFIO_USER, "/run/vhsm/fn1.sock", 0);
	parses("vhsm:/home/u/hsm", NAME_EMBEDDED, "/home/u/hsm", 1);
	parses("vhsm:/home/u/hsm///", NAME_EMBEDDED, "/home/u/hsm", 1);
	parses("vhsm:/", NAME_EMBEDDED, "/", 1);
	parses("vhsm:/home/u/hsm,function=2", NAME_EMBEDDED, "/home/u/hsm", 2);
	parses("vhsm:/home/a,b", NAME_EMBEDDED, "/home/a,b", 1);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/rel", cwd);
	parses("vhsm:rel", NAME_EMBEDDED, expected, 1);
	(void)state;
}

static void test_refuse(void **state)
{
	char text[NAME_PATH_MAX + 100] = "vhsm:/";

	refuses("");
	refuses("ihsm0");
	refuses("vhsm:");
	refuses("vfio-user:");
	refuses("vhsm:/d,function=");
	refuses("vhsm:/d,function=x");
	refuses("vhsm:/d,function=1x");
	refuses("vhsm:/d,function=256");
	refuses("vhsm:/d,function=-1");
	refuses("VHSM:/d");
	memset(text + strlen(text), 'a', NAME_PATH_MAX);
	refuses(text);
	(void)state;
}

static void test_admin(void **state)
{
	struct device_name name;
	struct hsm_error error;

	assert_int_equal(name_parse("vhsm:/d,function=3", &name, &error), 0);
	assert_int_equal(name_admin(&name, &error), 0);
	assert_int_equal(name.function, 0);
	assert_int_equal(name_parse("vfio-user:/run/x/fn12.sock", &name, &error), 0);
	assert_int_equal(name_admin(&name, &error), 0);
	assert_string_equal(name.path, "/run/x/fn0.sock");
	assert_int_equal(name_parse("vfio-user:/run/x/other.sock", &name, &error), 0);
	assert_int_equal(name_admin(&name, &error), -EINVAL);
	assert_int_equal(name_parse("vfio-user:/run/x/fn1.sock.old", &name, &error), 0);
	assert_int_equal(name_admin(&name, &error), -EINVAL);
	(void)state;
}

static void test_default_from_variable(void **state)
{
	char **names;

	setenv("HSM_DEVICE", "vhsm:/a,function=2,vfio-user:/b,,/dev/ihsm3,vhsm:/c", 1);
	assert_int_equal(hsm_default_devices(&names, NULL), 4);
	assert_string_equal(names[0], "vhsm:/a,function=2");
	assert_string_equal(names[1], "vfio-user:/b");
	assert_string_equal(names[2], "/dev/ihsm3");
	assert_string_equal(names[3], "vhsm:/c");
	assert_null(names[4]);
	hsm_free_names(names);
	unsetenv("HSM_DEVICE");
	hsm_free_names(NULL);
	(void)state;
}

static void write_conf(char path[TEMPORARY_PATH], const char *text)
{
	int fd;

	fd = mkstemp(temporary_name(path, "hsm-conf"));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("HSM_CONF", path, 1);
}

static void test_default_from_conf(void **state)
{
	struct hsm_error error;
	char path[TEMPORARY_PATH];
	char **names;

	write_conf(path, "device = vhsm:/x\ndevice = vhsm:/y\n");
	assert_int_equal(hsm_default_devices(&names, &error), 2);
	assert_string_equal(names[0], "vhsm:/x");
	assert_string_equal(names[1], "vhsm:/y");
	hsm_free_names(names);
	unlink(path);
	assert_int_equal(hsm_default_devices(&names, &error), -EINVAL);
	assert_null(names);
	write_conf(path, "devise = vhsm:/x\n");
	assert_int_equal(hsm_default_devices(&names, &error), -EINVAL);
	assert_non_null(strstr(error.text, path));
	assert_non_null(strstr(error.text, ":1:"));
	unlink(path);
	unsetenv("HSM_CONF");
	(void)state;
}

static void test_open_refuses(void **state)
{
	struct hsm_device *device = (void *)1;
	char directory[TEMPORARY_PATH], name[TEMPORARY_FILE];
	struct hsm_error error;

	assert_int_equal(hsm_open("nonsense", 0, &device, &error), -EINVAL);
	assert_null(device);
	assert_int_equal(hsm_open("/dev/ihsm0", 0, &device, &error), -ENODEV);
	assert_non_null(strstr(error.text, "driver"));
	assert_int_equal(hsm_open("vhsm:/nonexistent/dir", HSM_OPEN_NO_START, &device, &error),
			 -ENODEV);
	assert_int_equal(hsm_open("vhsm:/etc/passwd", HSM_OPEN_NO_START, &device, &error), -EINVAL);
	assert_int_equal(hsm_open("vhsm:/tmp", HSM_OPEN_NO_START, &device, &error), -EACCES);
	setenv("HSM_VHSM", "relative/vhsm", 1);
	assert_non_null(mkdtemp(temporary_name(directory, "hsm-none")));
	snprintf(name, sizeof(name), "vhsm:%s", directory);
	assert_int_equal(hsm_open(name, 0, &device, &error), -EINVAL);
	assert_non_null(strstr(error.text, "HSM_VHSM"));
	/* A program that is no board */
	setenv("HSM_VHSM", "/bin/false", 1);
	assert_int_equal(hsm_open(name, 0, &device, &error), -ENODEV);
	assert_non_null(strstr(error.text, "vhsm.log"));
	rmdir(directory);
	(void)state;
}

static void test_uuid(void **state)
{
	static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
	uint8_t id[16];
	char out[UUID_TEXT_SIZE];

	assert_int_equal(uuid_parse(text, id), 0);
	assert_int_equal(id[0], 0x00);
	assert_int_equal(id[15], 0xff);
	uuid_format(id, out);
	assert_string_equal(out, text);
	assert_int_equal(uuid_parse("00112233-4455-6677-8899-aabbccddeef", id), -EINVAL);
	assert_int_equal(uuid_parse("00112233-4455-6677-8899-aabbccddeefff", id), -EINVAL);
	assert_int_equal(uuid_parse("001122334455-6677-8899-aabbccddeeff00", id), -EINVAL);
	assert_int_equal(uuid_parse("0011223g-4455-6677-8899-aabbccddeeff", id), -EINVAL);
	assert_int_equal(uuid_parse("", id), -EINVAL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_default_from_variable),
		cmocka_unit_test(test_default_from_conf),
		cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
