// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor on machines that the test makes: on a good one nothing from the PCI bus to the device is wrong, and
 * each planted fault is named, with its layer and its check. tests/fault/doctor.sh plants those above.
 */
#include "machine_testing.h"
#include <fcntl.h>
#include <sys/sysmacros.h>
#include "hsmctl-doctor.h"

#define PCI	 "bus/pci/devices/0000:01:00.0"
#define CLASS	 "class/ihsm/ihsm3"
#define NO_VALUE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

/* ---- a good machine ---- */

static void put_command(unsigned int command)
{
	uint8_t bytes[64] = { 0xf4, 0x1a, 0xf0, 0x10, (uint8_t)command, (uint8_t)(command >> 8) };
	char path[256];

	snprintf(path, sizeof(path), "%s/" PCI "/config", machine.sys);
	fake_file(path, "w", bytes, sizeof(bytes));
}

static void bind_to(const char *driver)
{
	char link[256], target[128];

	snprintf(link, sizeof(link), "%s/" PCI "/driver", machine.sys);
	unlink(link);
	if (!driver)
		return;
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	assert_int_equal(symlink(target, link), 0);
}

static void unbind(void)
{
	char link[256];

	snprintf(link, sizeof(link), "%s/" PCI "/driver", machine.sys);
	unlink(link);
}

static void link_device(const char *target)
{
	char link[256];

	snprintf(link, sizeof(link), "%s/ihsm3", machine.dev);
	unlink(link);
	if (target)
		assert_int_equal(symlink(target, link), 0);
}

#define DEPMOD "PATH=$PATH:/usr/sbin:/sbin depmod "

/* Where modprobe looks: one that was built for the kernel of @vermagic */
static void install_module(const char *vermagic, const char *more)
{
	const char *const info[] = { vermagic, "version=0.2", "license=GPL", more, NULL };
	char path[256], command[400];

	snprintf(path, sizeof(path), "%s/lib/modules/" RELEASE "/extra/ihsm.ko", machine.root);
	write_module(path, info);
	snprintf(command, sizeof(command), DEPMOD "-b %s " RELEASE " >/dev/null 2>&1",
		 machine.root);
	assert_int_equal(system(command), 0);
	snprintf(machine.modules, sizeof(machine.modules), "%s/lib/modules/" RELEASE, machine.root);
}

static int good_machine(void **state)
{
	setup(state);
	become_loaded();
	put(PCI "/vendor", "0x1af4\n");
	put(PCI "/device", "0x10f0\n");
	put(PCI "/resource", "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n");
	put(PCI "/aer_dev_fatal", "Undefined 0\nTOTAL_ERR_FATAL 0\n");
	put(PCI "/ihsm/ihsm3/dev", "1:3\n");
	put(PCI "/hwmon/hwmon0/temp1_alarm", "0\n");
	put_command(6);
	bind_to("ihsm");
	put(CLASS "/dev", "1:3\n");
	put(CLASS "/state", "live\n");
	put(CLASS "/device_state", "operational\n");
	put(CLASS "/self_test", "passed\n");
	put(CLASS "/timeouts", "0\n");
	put(CLASS "/bogus", "0\n");
	link_device("/dev/null");
	setenv("HSM_DEVICE", "/dev/ihsm3-of-no-machine", 1);
	return 0;
}

/* ---- asking ---- */

static struct json_object *examine(void)
{
	struct ctl ctl = { .json = true, .result = json_object_new_object() };

	doctor_run(&ctl, &machine.system);
	return ctl.result;
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key)) ?: "";
}

static struct json_object *check_of(struct json_object *result, const char *layer,
				    const char *check)
{
	struct json_object *rows = json_object_object_get(result, "checks");

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!strcmp(text_of(row, "layer"), layer) && !strcmp(text_of(row, "check"), check))
			return row;
	}
	return NULL;
}

static bool has_advice(struct json_object *result, const char *layer, const char *check)
{
	struct json_object *rows = json_object_object_get(result, "advice");

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!strcmp(text_of(row, "layer"), layer) && !strcmp(text_of(row, "check"), check))
			return *text_of(row, "what_to_do");
	}
	return false;
}

/* ---- the good one ---- */

static void test_good(void **state)
{
	struct json_object *result = examine();
	struct json_object *rows = json_object_object_get(result, "checks");
	size_t below = 0;

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *layer = text_of(row, "layer");

		if (strcmp(layer, "pci") && strcmp(layer, "driver") && strcmp(layer, "device"))
			break;
		/* The device file is /dev/null here, which everybody may open. */
		if (strcmp(text_of(row, "verdict"), "ok") &&
		    strcmp(text_of(row, "check"), "permission"))
			fail_msg("%s", json_object_to_json_string(row));
		below++;
	}
	assert_int_equal(below, 15);
	/* The device that is named is none of this machine: the layer above. */
	assert_string_equal(text_of(result, "broken_layer"), "board");
	assert_string_equal(text_of(result, "broken_check"), "answers");
	json_object_put(result);
	(void)state;
}

/* ---- faults ---- */

static void plant_no_function(void)
{
	put(PCI "/vendor", "0x8086\n");
}

static void plant_gone(void)
{
	put_command(0xffff);
}

static void plant_no_memory(void)
{
	put(PCI "/resource", NO_VALUE);
}

static void plant_memory_off(void)
{
	put_command(4);
}

static void plant_aer(void)
{
	put(PCI "/aer_dev_fatal", "Undefined 0\nTOTAL_ERR_FATAL 3\n");
}

static void plant_no_master(void)
{
	put_command(2);
}

/* What become_loaded() made */
static void not_loaded(void)
{
	static const char *const names[] = { "initstate", "refcnt", "version", "" };
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/module/ihsm/%s", machine.sys, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void plant_not_loaded(void)
{
	install_module(FITS, NULL);
	not_loaded();
}

static void plant_other_kernel(void)
{
	install_module("vermagic=6.1.0-other SMP", NULL);
	not_loaded();
}

static void plant_unsigned(void)
{
	plant_not_loaded();
	put("kernel/security/lockdown", "none [integrity] confidentiality\n");
}

static void plant_half_loaded(void)
{
	put("module/ihsm/initstate", "going\n");
}

static void plant_old_version(void)
{
	install_module(FITS, NULL);
	put("module/ihsm/version", "0.1\n");
}

static void plant_other_driver(void)
{
	bind_to("vfio-pci");
}

static void plant_no_device_file(void)
{
	link_device(NULL);
}

static void plant_plain_file(void)
{
	link_device("../kmsg");
}

static void plant_wrong_numbers(void)
{
	link_device("/dev/zero");
}

#define PLANT(name, file, text)            \
	static void plant_##name(void)     \
	{                                  \
		put(CLASS "/" file, text); \
	}

PLANT(dead, "state", "dead\n")
PLANT(resetting, "state", "resetting\n")
PLANT(tampered, "device_state", "tampered\n")
PLANT(recovery, "device_state", "recovery\n")
PLANT(error, "device_state", "error\n")
PLANT(retired, "device_state", "retired\n")
PLANT(unclaimed, "device_state", "unclaimed\n")
PLANT(self_test, "self_test", "failed\n")
PLANT(timeouts, "timeouts", "2\n")
PLANT(bogus, "bogus", "1\n")

static void plant_alarm(void)
{
	put(PCI "/hwmon/hwmon0/intrusion0_alarm", "1\n");
}

/* In the order of the table of checks; a fault that is no reason to stop is a warning. */
static const struct fault {
	void (*plant)(void);
	const char *layer, *check, *verdict, *part;
} faults[] = {
	{ plant_no_function, "pci", "function", "FAILED", "no function of an HSM" },
	{ plant_gone, "pci", "function", "FAILED", "does not answer any more" },
	{ plant_no_memory, "pci", "memory", "FAILED", "no room for its registers" },
	{ plant_memory_off, "pci", "memory", "FAILED", "switched off" },
	{ plant_aer, "pci", "errors", "warning", "3 fatal errors" },
	{ not_loaded, "driver", "module", "FAILED", "no module ihsm for kernel " RELEASE },
	{ plant_half_loaded, "driver", "loaded", "FAILED", "going" },
	{ unbind, "driver", "bound", "FAILED", "no driver" },
	{ plant_other_driver, "driver", "bound", "FAILED", "vfio-pci" },
	{ plant_no_master, "driver", "bus-master", "FAILED", "bus mastering is off" },
	{ plant_no_device_file, "driver", "device-file", "FAILED", "no device file" },
	{ plant_plain_file, "driver", "device-file", "FAILED", "no device file" },
	{ plant_wrong_numbers, "driver", "device-file", "FAILED", "is not the device's" },
	{ plant_dead, "device", "state", "FAILED", "ihsm3 is dead" },
	{ plant_resetting, "device", "state", "warning", "resetting" },
	{ plant_tampered, "device", "condition", "FAILED", "tampered" },
	{ plant_recovery, "device", "condition", "FAILED", "does not verify" },
	{ plant_error, "device", "condition", "FAILED", "self-test failed" },
	{ plant_retired, "device", "condition", "FAILED", "life with keys is over" },
	{ plant_unclaimed, "device", "condition", "warning", "nobody administers" },
	{ plant_self_test, "device", "self-test", "FAILED", "last self-test failed" },
	{ plant_alarm, "device", "sensors", "FAILED", "intrusion0" },
	{ plant_timeouts, "device", "counters", "warning", "2 commands" },
	{ plant_bogus, "device", "counters", "warning", "1 answers" },
};

/* Of modules that modprobe finds */
static const struct fault module_faults[] = {
	{ plant_other_kernel, "driver", "module", "FAILED", "built for kernel 6.1.0-other" },
	{ plant_unsigned, "driver", "signature", "FAILED", "no signature" },
	{ plant_not_loaded, "driver", "loaded", "FAILED", "not loaded" },
	{ plant_old_version, "driver", "version", "warning", "0.1 is loaded, and 0.2" },
};

static void assert_named(const struct fault *fault, struct json_object *result)
{
	struct json_object *row = check_of(result, fault->layer, fault->check);
	bool broken = !strcmp(fault->verdict, "FAILED");

	if (!row || strcmp(text_of(row, "verdict"), fault->verdict) ||
	    !strstr(text_of(row, "finding"), fault->part))
		fail_msg("%s/%s, '%s' expected: %s", fault->layer, fault->check, fault->part,
			 json_object_to_json_string(result));
	assert_true(has_advice(result, fault->layer, fault->check));
	assert_string_equal(text_of(result, "broken_layer"), broken ? fault->layer : "board");
	if (!broken)
		return;
	assert_string_equal(text_of(result, "broken_check"), fault->check);
	assert_non_null(strstr(text_of(result, "result"), fault->part));
	/* What stands on it is not looked at. */
	row = check_of(result, "board", "answers");
	assert_string_equal(text_of(row, "verdict"), "skipped");
}

static void each_named(void **state, const struct fault *list, size_t count)
{
	struct json_object *result;

	for (size_t i = 0; i < count; i++) {
		teardown(state);
		good_machine(state);
		list[i].plant();
		result = examine();
		assert_named(&list[i], result);
		json_object_put(result);
	}
}

static void test_faults(void **state)
{
	each_named(state, faults, sizeof(faults) / sizeof(faults[0]));
}

static void test_module_faults(void **state)
{
	if (system(DEPMOD "--version >/dev/null 2>&1")) {
		print_message("no depmod (package kmod) here\n");
		skip();
	}
	each_named(state, module_faults, sizeof(module_faults) / sizeof(module_faults[0]));
}

/* A virtual function's registers are switched by its physical one, and its own bit says nothing. */
static void test_virtual_function(void **state)
{
	struct json_object *result;
	char link[256];

	snprintf(link, sizeof(link), "%s/" PCI "/physfn", machine.sys);
	assert_int_equal(symlink("../0000:00:02.0", link), 0);
	put("bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
	put_command(4);
	result = examine();
	assert_string_equal(text_of(check_of(result, "pci", "memory"), "verdict"), "ok");
	assert_string_equal(text_of(result, "broken_layer"), "board");
	json_object_put(result);
	(void)state;
}

/* Nobody wants the driver here: what is wrong with it is no reason to call anything broken. */
static void test_not_wanted(void **state)
{
	struct json_object *result;

	setenv("HSM_DEVICE", "vfio-user:/nonexistent/fn1.sock", 1);
	unbind();
	result = examine();
	assert_string_equal(text_of(check_of(result, "driver", "bound"), "verdict"), "warning");
	assert_string_equal(text_of(check_of(result, "driver", "device-file"), "verdict"),
			    "skipped");
	assert_string_equal(text_of(result, "broken_check"), "socket");
	json_object_put(result);
	(void)state;
}

/* Somebody else has to get through; they may be others' than the test's, and keep the rest of their modes. */
static bool open_to_all(const char *directory)
{
	const mode_t way = S_IXGRP | S_IXOTH;
	struct stat st;

	return !stat(directory, &st) &&
	       ((st.st_mode & way) == way || !chmod(directory, (st.st_mode & 07777) | way));
}

static bool open_parents(void)
{
	const char *parent = getenv("TMPDIR") ?: "/tmp";
	char above[256];

	snprintf(above, sizeof(above), "%s/..", parent);
	return !chmod(machine.root, 0755) && open_to_all(parent) && open_to_all(above);
}

/* A device file of root's alone, and somebody else */
static void test_permission(void **state)
{
	struct json_object *result;
	struct json_object *row;
	char path[256];

	snprintf(path, sizeof(path), "%s/ihsm3", machine.dev);
	unlink(path);
	if (geteuid() || mknod(path, S_IFCHR | 0600, makedev(1, 3)) || !open_parents())
		skip();
	assert_int_equal(seteuid(65534), 0);
	result = examine();
	assert_int_equal(seteuid(0), 0);
	row = check_of(result, "driver", "permission");
	assert_non_null(row);
	assert_string_equal(text_of(row, "verdict"), "FAILED");
	assert_non_null(strstr(text_of(row, "finding"), "may not open"));
	assert_string_equal(text_of(result, "broken_check"), "permission");
	json_object_put(result);
	assert_int_equal(chmod(path, 0666), 0);
	result = examine();
	assert_string_equal(text_of(check_of(result, "driver", "permission"), "verdict"),
			    "warning");
	json_object_put(result);
	(void)state;
}

#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, good_machine, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MACHINE(test_good),		ON_MACHINE(test_faults),
		ON_MACHINE(test_module_faults), ON_MACHINE(test_not_wanted),
		ON_MACHINE(test_permission),	ON_MACHINE(test_virtual_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
