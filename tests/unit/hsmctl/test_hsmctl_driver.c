// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's driver verbs on a machine that the test makes.
 */
#include "machine_testing.h"

/* ---- asking ---- */

struct answer {
	struct ctl ctl;
	int code;
};

static struct answer begin(void)
{
	return (struct answer){ .ctl = { .json = true, .result = json_object_new_object() } };
}

static struct answer status(const char *file)
{
	struct answer a = begin();

	a.code = driver_status(&a.ctl, &machine.system, file);
	return a;
}

static struct answer load(const char *file)
{
	struct answer a = begin();

	a.code = driver_load(&a.ctl, &machine.system, file);
	return a;
}

static void end(struct answer *a)
{
	json_object_put(a->ctl.result);
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no member %s in %s", key, json_object_to_json_string(object));
	return value;
}

static void assert_says(const struct answer *a, const char *key, const char *text)
{
	assert_string_equal(json_object_get_string(member(a->ctl.result, key)), text);
}

static void assert_error(struct answer *a, int code, const char *part)
{
	const char *text;

	assert_int_equal(a->code, code);
	text = json_object_get_string(member(member(a->ctl.result, "error"), "text"));
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

/* ---- status ---- */

static void test_no_module(void **state)
{
	struct answer a = status(NULL);

	assert_error(&a, CTL_DEVICE, "no module ihsm for kernel " RELEASE);
	assert_says(&a, "loaded", "false");
	assert_int_equal(json_object_array_length(member(a.ctl.result, "functions")), 0);
	end(&a);
	(void)state;
}

static void test_file(void **state)
{
	struct answer a = status(machine.file);

	assert_int_equal(a.code, CTL_OK);
	assert_says(&a, "module", machine.file);
	assert_says(&a, "version", "0.2");
	assert_says(&a, "vermagic", strchr(FITS, '=') + 1);
	assert_says(&a, "fits_kernel", "true");
	assert_says(&a, "signature", "none");
	assert_says(&a, "signature_needed", "false");
	assert_says(&a, "lockdown", "none");
	assert_false(json_object_object_get_ex(a.ctl.result, "error", NULL));
	end(&a);
	(void)state;
}

static void test_other_kernel(void **state)
{
	static const char *const info[] = { "vermagic=6.12.1-test2 SMP", NULL };
	struct answer a;

	write_module(machine.file, info);
	a = status(machine.file);
	assert_error(&a, CTL_DEVICE, "built for kernel 6.12.1-test2, and this is " RELEASE);
	assert_says(&a, "fits_kernel", "false");
	end(&a);
	/* What is loaded works all the same. */
	become_loaded();
	a = status(machine.file);
	assert_int_equal(a.code, CTL_OK);
	assert_says(&a, "fits_kernel", "false");
	end(&a);
	(void)state;
}

static void test_bad_files(void **state)
{
	static const char *const info[] = { FITS, NULL };
	char path[128];
	struct answer a;

	snprintf(path, sizeof(path), "%s/none.ko", machine.root);
	a = status(path);
	assert_error(&a, CTL_USAGE, "No such file");
	end(&a);
	fake_file(path, "w", "no module", 9);
	a = load(path);
	assert_error(&a, CTL_USAGE, "cannot be read as a kernel module");
	end(&a);
	write_module(path, info);
	a = load(path);
	assert_error(&a, CTL_USAGE, "is the module none, not ihsm");
	end(&a);
	assert_int_equal(machine.inserted, 0);
	(void)state;
}

static void test_lockdown(void **state)
{
	struct answer a;

	put("kernel/security/lockdown", "none [integrity] confidentiality\n");
	a = status(machine.file);
	assert_says(&a, "lockdown", "integrity");
	assert_says(&a, "signature_needed", "true");
	end(&a);
	put("kernel/security/lockdown", "[none] integrity confidentiality\n");
	put("module/module/parameters/sig_enforce", "Y\n");
	a = status(machine.file);
	assert_says(&a, "lockdown", "none");
	assert_says(&a, "signature_needed", "true");
	end(&a);
	put("module/module/parameters/sig_enforce", "N\n");
	a = status(machine.file);
	assert_says(&a, "signature_needed", "false");
	end(&a);
	(void)state;
}

static void assert_row(struct json_object *row, const char *key, const char *text)
{
	const char *value = json_object_get_string(member(row, key));

	if (text)
		assert_string_equal(value, text);
	else
		assert_null(value);
}

static void test_functions(void **state)
{
	struct json_object *rows;
	char link[160];
	struct answer a;

	become_loaded();
	put("bus/pci/devices/0000:00:1f.0/vendor", "0x8086\n");
	put("bus/pci/devices/0000:00:1f.0/device", "0x10f0\n");
	put("bus/pci/devices/0000:01:00.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:01:00.0/device", "0x10f0\n");
	put("bus/pci/devices/0000:01:00.0/ihsm/ihsm3/dev", "240:3\n");
	snprintf(link, sizeof(link), "%s/bus/pci/devices/0000:01:00.0/driver", machine.sys);
	assert_int_equal(symlink("../../../../bus/pci/drivers/ihsm", link), 0);
	put("class/ihsm/ihsm3/state", "live\n");
	put("class/ihsm/ihsm3/function", "1\n");
	put("bus/pci/devices/0000:02:00.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:02:00.0/device", "0x10f1\n");
	put("bus/pci/devices/0000:03:00.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:03:00.0/device", "0x1000\n");
	a = status(machine.file);
	assert_int_equal(a.code, CTL_OK);
	assert_says(&a, "loaded", "true");
	assert_says(&a, "builtin", "false");
	assert_says(&a, "module_state", "live");
	assert_says(&a, "loaded_version", "0.2");
	assert_says(&a, "users", "2");
	rows = member(a.ctl.result, "functions");
	assert_int_equal(json_object_array_length(rows), 2);
	assert_row(json_object_array_get_idx(rows, 0), "address", "0000:01:00.0");
	assert_row(json_object_array_get_idx(rows, 0), "driver", "ihsm");
	assert_row(json_object_array_get_idx(rows, 0), "device", "/dev/ihsm3");
	assert_row(json_object_array_get_idx(rows, 0), "state", "live");
	assert_row(json_object_array_get_idx(rows, 0), "function", "1");
	assert_row(json_object_array_get_idx(rows, 0), "firmware", NULL);
	assert_row(json_object_array_get_idx(rows, 1), "address", "0000:02:00.0");
	assert_row(json_object_array_get_idx(rows, 1), "driver", "none");
	assert_row(json_object_array_get_idx(rows, 1), "device", NULL);
	assert_row(json_object_array_get_idx(rows, 1), "state", NULL);
	end(&a);
	(void)state;
}

static void test_builtin(void **state)
{
	struct answer a;

	put("module/ihsm/parameters/poll_us", "10\n");
	a = status(NULL);
	assert_int_equal(a.code, CTL_OK);
	assert_says(&a, "builtin", "true");
	end(&a);
	a = begin();
	a.code = driver_unload(&a.ctl, &machine.system);
	assert_error(&a, CTL_DEVICE, "built into this kernel");
	end(&a);
	(void)state;
}

/* ---- loading ---- */

static void test_load(void **state)
{
	struct answer a = load(machine.file);

	assert_int_equal(a.code, CTL_OK);
	assert_int_equal(machine.inserted, 1);
	assert_says(&a, "loaded", "true");
	end(&a);
	/* Once is enough. */
	a = load(machine.file);
	assert_int_equal(a.code, CTL_OK);
	assert_int_equal(machine.inserted, 1);
	end(&a);
	(void)state;
}

static const struct {
	int error;
	const char *part;
} failures[] = {
	{ -ENOEXEC, "not built for this kernel" },
	{ -EKEYREJECTED, "signature is missing" },
	{ -ENOKEY, "a key that this kernel does not know" },
	{ -EBADMSG, "signature is damaged" },
	{ -EPERM, "only root" },
	{ -ENOSYS, "takes no modules" },
	{ -ENOENT, "not all symbols" },
	{ -ENOMEM, "Cannot allocate memory" },
};

static void test_load_fails(void **state)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct answer a;

		machine.insert_error = failures[i].error;
		a = load(machine.file);
		assert_error(&a, CTL_DEVICE, failures[i].part);
		assert_says(&a, "loaded", "false");
		end(&a);
	}
	(void)state;
}

/* The kernel's own words, but none of before; and what else is known. */
static void test_load_fails_with_a_reason(void **state)
{
	static const char *const info[] = { "vermagic=6.1.0 SMP", NULL };
	struct answer a;

	machine.insert_error = -ENOEXEC;
	a = load(machine.file);
	assert_null(strstr(json_object_to_json_string(a.ctl.result), "from before"));
	end(&a);
	machine.kernel_says = "3,9,9,-;ihsm: version magic is wrong\n";
	write_module(machine.file, info);
	put("kernel/security/lockdown", "none [integrity] confidentiality\n");
	a = load(machine.file);
	assert_error(&a, CTL_DEVICE, "built for 6.1.0 SMP, this is " RELEASE);
	assert_error(&a, CTL_DEVICE, "lockdown: integrity");
	assert_error(&a, CTL_DEVICE, "the kernel says: ihsm: version magic is wrong");
	end(&a);
	(void)state;
}

static void test_unload(void **state)
{
	struct answer a = begin();

	assert_int_equal(driver_unload(&a.ctl, &machine.system), CTL_OK);
	assert_int_equal(machine.removed, 0);
	become_loaded();
	assert_int_equal(driver_unload(&a.ctl, &machine.system), CTL_OK);
	assert_int_equal(machine.removed, 1);
	machine.remove_error = -EAGAIN;
	a.code = driver_unload(&a.ctl, &machine.system);
	assert_error(&a, CTL_DEVICE, "in use (2)");
	end(&a);
	a = begin();
	machine.remove_error = -EPERM;
	a.code = driver_unload(&a.ctl, &machine.system);
	assert_error(&a, CTL_DEVICE, "only root");
	end(&a);
	(void)state;
}

#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MACHINE(test_no_module),    ON_MACHINE(test_file),
		ON_MACHINE(test_other_kernel), ON_MACHINE(test_bad_files),
		ON_MACHINE(test_lockdown),     ON_MACHINE(test_functions),
		ON_MACHINE(test_builtin),      ON_MACHINE(test_load),
		ON_MACHINE(test_load_fails),   ON_MACHINE(test_load_fails_with_a_reason),
		ON_MACHINE(test_unload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
