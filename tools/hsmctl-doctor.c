// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor: the whole way from the PCI bus to applications, looked at in this order, and the first layer that
 * is broken named. One table has all checks; each only looks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "hsmctl-doctor.h"

/* Parts of the examination, in their order */
enum part {
	PART_MACHINE, /* once, where there is a function on the bus or a device file is named */
	PART_CONFIG,  /* once */
	PART_DEVICE,  /* of each device whose way is among the check's */
	PART_MODULE,  /* once, in a child */
	PART_USE,	  /* once */
};

/**
 * struct check - one row
 * @needs: nothing is looked at when a check of its part before it has failed
 * @ways: which devices, with PART_DEVICE
 * @advice: what to do when it fails and knows nothing better
 */
struct check {
	enum part part;
	const char *layer;
	const char *name;
	bool needs;
	unsigned int ways;
	doctor_check_fn *look;
	const char *advice;
};

#define MACHINE(layer, name, fn, advice) { PART_MACHINE, layer, name, true, 0, doctor_##fn, advice }
#define CONFIG(name, fn, advice) \
	{ PART_CONFIG, "configuration", name, true, 0, doctor_##fn, advice }
#define DEVICE(ways, layer, name, fn, advice) \
	{ PART_DEVICE, layer, name, true, DOCTOR_##ways, doctor_##fn, advice }
#define MODULE(name, fn, advice)     { PART_MODULE, "pkcs11", name, true, 0, doctor_##fn, advice }
#define USE(layer, name, fn, advice) { PART_USE, layer, name, false, 0, doctor_##fn, advice }

/* clang-format off */
static const struct check checks[] = {
	MACHINE("pci", "function", pci_function,
		"lspci -d 1af4: should show one; give the guest a function (vhsm-run, libvirt), or seat the card anew"),
	MACHINE("pci", "memory", pci_memory, "echo 1 >/sys/bus/pci/rescan; boot with pci=realloc where there is no room"),
	MACHINE("pci", "errors", pci_errors, "journalctl -k -g AER tells more; seat the card anew if they go on"),
	MACHINE("driver", "module", driver_module,
		"install the package hsm-dkms and the kernel's headers, or build it: make kernel"),
	MACHINE("driver", "signature", driver_signature, "sign the module with a key that this kernel knows (mokutil)"),
	MACHINE("driver", "loaded", driver_loaded, "hsmctl driver load"),
	MACHINE("driver", "version", driver_version, "hsmctl driver unload && hsmctl driver load"),
	MACHINE("driver", "bound", driver_bound_to,
		"unbind it from that driver and bind it to this one: echo ADDRESS >/sys/bus/pci/drivers/ihsm/bind"),
	MACHINE("driver", "bus-master", driver_bus_master, ""),
	MACHINE("driver", "device-file", driver_node, "udevadm trigger --subsystem-match=ihsm"),
	MACHINE("driver", "permission", driver_permission, "usermod -aG hsm USER, and log in again"),
	MACHINE("device", "state", device_state,
		"journalctl -k -g ihsm tells why; unbind the driver and bind it again"),
	MACHINE("device", "condition", device_condition, ""),
	MACHINE("device", "self-test", device_self_test, "hsmctl self-test names the test; start the board anew"),
	MACHINE("device", "sensors", device_sensors, "sensors shows the values; hsmctl device show tells what happened"),
	MACHINE("device", "counters", device_counters, "journalctl -k -g ihsm tells more; grep . /sys/class/ihsm/ihsm*/queue*/*"),
	CONFIG("file", config_file, "correct the line; hsmctl config check looks again"),
	CONFIG("devices", config_devices, "export HSM_DEVICE=vhsm:DIR, or write a 'device' line into hsm.conf(5)"),
	DEVICE(EMBEDDED, "board", "program", board_program, "install the package vhsm, or set HSM_VHSM to its path"),
	DEVICE(EMBEDDED, "board", "firmware", board_firmware, "install the package vhsm again"),
	DEVICE(EMBEDDED, "board", "directory", board_directory, "hsmctl partition init makes a board, with a token in it"),
	DEVICE(EMBEDDED, "board", "space", board_space, ""),
	DEVICE(EMBEDDED, "board", "files", board_files, "put the directory back from a backup made while no board ran"),
	DEVICE(EMBEDDED, "board", "lock", board_lock, ""),
	DEVICE(SOCKET, "board", "socket", board_socket, "systemctl status 'vhsm@*'; start the board: systemctl start vhsm@NAME"),
	DEVICE(ANY, "board", "answers", device_answers,
	       "the board's log says more: vhsm.log in its directory, or journalctl -u 'vhsm@*'"),
	DEVICE(ANY, "device", "condition", device_itself, ""),
	DEVICE(ANY, "libhsm", "version", device_version, "install the packages of one version"),
	DEVICE(ANY, "libhsm", "partitions", device_partitions, "its officer can do that: hsmctl partition assign"),
	DEVICE(ANY, "partition", "storage", partition_storage,
	       "the board's log says what does not verify; restore the partition from a backup"),
	DEVICE(ANY, "channel", "identity", channel,
	       "if that is right: 'root-certificate' or 'pin' in hsm.conf(5); hsmctl identity, where the board is, prints the lines"),
	DEVICE(ANY, "partition", "token", partition_token, ""),
	DEVICE(ANY, "partition", "pins", partition_pins, ""),
	DEVICE(ANY, "partition", "room", partition_room, "destroy keys, or have its --max-bytes raised: hsmctl partition update"),
	DEVICE(ANY, "partition", "migration", partition_moving, "hsmctl partition migrate-status, and migration.rst"),
	MODULE("module", module_file, "install the package hsm-pkcs11, or set HSM_PKCS11_MODULE to its path"),
	MODULE("load", module_load, "install the packages hsm-pkcs11 and libhsm0 of one version"),
	MODULE("start", module_start, "HSM_DEBUG=1 makes the module say what went wrong"),
	MODULE("slots", module_slots, "HSM_DEBUG=1 makes the module say what went wrong"),
	MODULE("token", module_token, "hsmctl partition init"),
	MODULE("mechanisms", module_mechanisms, "hsmctl policy; an officer changes it: hsmctl partition update --mechanisms"),
	MODULE("session", module_session, "HSM_DEBUG=1 makes the module say what went wrong"),
	MODULE("sign", module_sign, "HSM_DEBUG=1 makes the module say what went wrong"), /* --deep: the last one */
	USE("use", "p11-kit", p11_kit, ""),
	USE("use", "openssl", openssl, "correct the file, or set OPENSSL_CONF to another"),
	USE("use", "pin-file", pin_file, "write the PIN into it: one line"),
};
/* clang-format on */

#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const verdicts[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_FAILED] = "FAILED",
	[DOCTOR_SKIPPED] = "skipped",
};

/* What has been said so far */
struct report {
	struct json_object *rows;
	struct json_object *advice;
	const struct check *broken;
	char text[320];
	unsigned int warnings;
};

int doctor_say(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return verdict;
}

void doctor_advise(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, args);
	va_end(args);
}

/* ---- the report ---- */

static void put_advice(struct report *report, const struct check *check,
		       const struct doctor_finding *finding)
{
	const char *advice = *finding->advice ? finding->advice : check->advice;
	struct json_object *row;

	if (!*advice)
		return;
	row = json_object_new_object();
	put_string(row, "layer", check->layer);
	put_string(row, "check", check->name);
	put_string(row, "what_to_do", advice);
	json_object_array_add(report->advice, row);
}

static void put_finding(struct report *report, const struct check *check, const char *device,
			const struct doctor_finding *finding)
{
	struct json_object *row;

	if (finding->verdict == DOCTOR_NOTHING)
		return;
	row = json_object_new_object();
	put_string(row, "verdict", verdicts[finding->verdict]);
	put_string(row, "layer", check->layer);
	put_string(row, "check", check->name);
	put_string(row, "device", device);
	put_string(row, "finding", finding->text);
	json_object_array_add(report->rows, row);
	report->warnings += finding->verdict == DOCTOR_WARNING;
	if (finding->verdict == DOCTOR_WARNING || finding->verdict == DOCTOR_FAILED)
		put_advice(report, check, finding);
	if (finding->verdict == DOCTOR_FAILED && !report->broken) {
		report->broken = check;
		strcpy(report->text, finding->text);
	}
}

/* ---- the parts ---- */

static void look(struct doctor *doctor, const struct check *check, bool *broken,
		 struct doctor_finding *finding)
{
	memset(finding, 0, sizeof(*finding));
	if (*broken && check->needs)
		finding->verdict = DOCTOR_SKIPPED;
	else
		finding->verdict = check->look(doctor, finding);
	if (check->part == PART_MACHINE && !doctor->driver_wanted &&
	    finding->verdict == DOCTOR_FAILED) {
		finding->verdict = DOCTOR_WARNING;
		*broken = true;
	}
	*broken |= finding->verdict == DOCTOR_FAILED;
	*broken |= check->part == PART_DEVICE && doctor->device.asleep;
}

/* Return: nothing of it is broken */
static bool run_part(struct doctor *doctor, struct report *report, enum part part, bool broken)
{
	const char *device = part == PART_DEVICE ? doctor->device.name : "";
	struct doctor_finding finding;

	for (size_t i = 0; i < N_CHECKS; i++) {
		if (checks[i].part != part)
			continue;
		if (part == PART_DEVICE && !(checks[i].ways & doctor->device.way))
			continue;
		look(doctor, &checks[i], &broken, &finding);
		put_finding(report, &checks[i], device, &finding);
	}
	return !broken;
}

/* A device that the driver serves stands on the machine's part. Return: can any of them be used? */
static bool run_devices(struct doctor *doctor, struct report *report, bool machine)
{
	bool any = false;

	for (int i = 0; i < doctor->names_count; i++) {
		doctor_device_open(doctor, doctor->names[i]);
		any |= run_part(doctor, report, PART_DEVICE,
				doctor->device.way == DOCTOR_DRIVER && !machine);
		doctor_device_close(doctor);
	}
	return any;
}

/* The file and whether it can be loaded are looked at in any case; what asks devices, when one of them works. */
static void run_module(struct doctor *doctor, struct report *report, bool usable)
{
	doctor_check_fn *fns[N_CHECKS];
	const struct check *rows[N_CHECKS];
	struct doctor_finding findings[N_CHECKS];
	size_t count = 0, run;

	for (size_t i = 0; i < N_CHECKS; i++) {
		if (checks[i].part != PART_MODULE ||
		    (checks[i].look == doctor_module_sign && !doctor->ctl->deep))
			continue;
		rows[count] = &checks[i];
		fns[count++] = checks[i].look;
	}
	run = usable ? count : 2;
	for (size_t i = run; i < count; i++)
		findings[i] = (struct doctor_finding){ .verdict = DOCTOR_SKIPPED };
	doctor_module_run(doctor, fns, findings, run);
	for (size_t i = 0; i < count; i++)
		put_finding(report, rows[i], "", &findings[i]);
}

/* ---- before and after ---- */

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void find_functions(struct doctor *doctor)
{
	char path[PATH_MAX];
	struct dirent **entries;
	int count;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", doctor->system->sys);
	count = scandir(path, &entries, visible, versionsort);
	for (int i = 0; i < count; i++) {
		if (doctor->functions < DOCTOR_FUNCTIONS_MAX &&
		    strlen(entries[i]->d_name) < sizeof(doctor->addresses[0]) &&
		    driver_is_ours(doctor->system, entries[i]->d_name))
			strcpy(doctor->addresses[doctor->functions++], entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static int one_name(struct doctor *doctor, const char *name)
{
	doctor->names = calloc(2, sizeof(*doctor->names));
	if (doctor->names)
		doctor->names[0] = strdup(name);
	return doctor->names && doctor->names[0] ? 1 : -ENOMEM;
}

/* Devices of the configuration, or that of -d; the rest of hsm.conf counts in either case. */
static void find_devices(struct doctor *doctor)
{
	doctor->sections = hsm_config_check(doctor->config_path, &doctor->config_error);
	if (doctor->sections >= 0 && !doctor->ctl->device)
		doctor->names_count = hsm_default_devices(&doctor->names, &doctor->config_error);
	else if (doctor->ctl->device)
		doctor->names_count = one_name(doctor, doctor->ctl->device);
	if (doctor->names_count < 0)
		doctor->names_count = 0;
	for (int i = 0; i < doctor->names_count; i++)
		doctor->driver_wanted |= !strncmp(doctor->names[i], "/dev/", 5);
	doctor->driver_wanted |= !doctor->names_count && doctor->functions;
}

static void remembered_at(char path[PATH_MAX])
{
	const char *state = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");

	if (state && *state == '/')
		snprintf(path, PATH_MAX, "%s/hsm/known-partitions", state);
	else
		snprintf(path, PATH_MAX, "%s/.local/state/hsm/known-partitions", home ?: "");
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "re");
	FILE *out = in ? fopen(to, "we") : NULL;
	char line[4096];
	size_t n;

	while (out && (n = fread(line, 1, sizeof(line), in)) > 0)
		if (fwrite(line, 1, n, out) != n)
			break;
	if (in)
		fclose(in);
	if (out)
		fclose(out);
}

/* ---- what is borrowed while looking ---- */

/* Of the process, since a signal's handler has to find it: files first, then their directories, "" ends them */
static struct {
	char file[3][PATH_MAX + 8];
	char directory[2][PATH_MAX];
} borrowed;

static void remove_borrowed(void)
{
	for (size_t i = 0; i < 3 && *borrowed.file[i]; i++)
		unlink(borrowed.file[i]);
	for (size_t i = 0; i < 2 && *borrowed.directory[i]; i++)
		rmdir(borrowed.directory[i]);
}

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };

/* unlink() and rmdir() may be called here. SA_RESETHAND: raised again, the signal does what it does to everybody. */
static void leave(int number)
{
	int error = errno;

	remove_borrowed();
	raise(number);
	errno = error;
}

static void watch_signals(bool on)
{
	struct sigaction action = { .sa_handler = on ? leave : SIG_DFL, .sa_flags = SA_RESETHAND };
	struct sigaction before;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		/* One that is ignored, as under nohup, stays so. */
		if (!sigaction(ends[i], NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
	}
}

/* Names are there before what they name is; libhsm writes beside the file and locks beside it. */
static bool make_borrowed(const char *parent)
{
	static const char *const suffix[] = { "", ".lock", ".new" };
	char directory[PATH_MAX - 64];
	sigset_t all, before;
	bool made;

	snprintf(directory, sizeof(directory), "%s/hsmctl-XXXXXX", parent);
	/* Between the directory's making and its name's being known */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	made = mkdtemp(directory);
	if (made) {
		for (size_t i = 0; i < 3; i++)
			snprintf(borrowed.file[i], sizeof(borrowed.file[i]),
				 "%s/hsm/known-partitions%s", directory, suffix[i]);
		snprintf(borrowed.directory[0], sizeof(borrowed.directory[0]), "%s/hsm", directory);
		snprintf(borrowed.directory[1], sizeof(borrowed.directory[1]), "%s", directory);
		watch_signals(true);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return made;
}

/*
 * libhsm remembers whom it sees the first time. That would be a change: looking is done with a copy of what is
 * remembered, which goes afterwards, also when a signal ends it all. doctor.memory is the copy, "" when it cannot be
 * made.
 */
static void borrow_memory(struct doctor *doctor)
{
	const char *parent = secure_getenv("TMPDIR");

	remembered_at(doctor->remembered);
	if (!make_borrowed(parent && *parent == '/' ? parent : "/tmp"))
		return;
	mkdir(borrowed.directory[0], 0700);
	snprintf(doctor->memory, sizeof(doctor->memory), "%.*s", PATH_MAX - 1, borrowed.file[0]);
	copy_file(doctor->remembered, doctor->memory);
	setenv("XDG_STATE_HOME", borrowed.directory[1], 1);
}

static void return_memory(void)
{
	if (!*borrowed.directory[1])
		return;
	remove_borrowed();
	watch_signals(false);
	memset(&borrowed, 0, sizeof(borrowed));
}

static void put_result(struct ctl *ctl, const struct report *report)
{
	char text[400];

	if (report->broken)
		snprintf(text, sizeof(text), "broken: %s: %s", report->broken->layer, report->text);
	else if (report->warnings)
		snprintf(text, sizeof(text), "works, with %u warning%s", report->warnings,
			 report->warnings == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "healthy");
	put_string(ctl->result, "result", text);
	if (!report->broken)
		return;
	put_string(ctl->result, "broken_layer", report->broken->layer);
	put_string(ctl->result, "broken_check", report->broken->name);
}

static void examine(struct doctor *doctor, struct report *report)
{
	bool machine = true, config, any;

	if (doctor->functions || doctor->driver_wanted)
		machine = run_part(doctor, report, PART_MACHINE, false);
	config = run_part(doctor, report, PART_CONFIG, false);
	any = run_devices(doctor, report, machine);
	run_module(doctor, report, config && any);
	run_part(doctor, report, PART_USE, false);
}

int doctor_run(struct ctl *ctl, const struct driver_system *system)
{
	struct report report = { .rows = json_object_new_array(),
				 .advice = json_object_new_array() };
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	int code = CTL_OK;

	if (!doctor)
		return fail(ctl, CTL_DEVICE, "out of memory");
	doctor->ctl = ctl;
	doctor->system = system;
	if (ctl->deep && (ctl->pin.file || ctl->pin.fd || ctl->pin.credential))
		code = secret_read(ctl, &ctl->pin, &doctor->pin);
	if (!code) {
		find_functions(doctor);
		find_devices(doctor);
		borrow_memory(doctor);
		examine(doctor, &report);
		return_memory();
		put_result(ctl, &report);
		json_object_object_add(ctl->result, "checks", json_object_get(report.rows));
		json_object_object_add(ctl->result, "advice", json_object_get(report.advice));
		code = report.broken ? CTL_DEVICE : CTL_OK;
	}
	json_object_put(report.rows);
	json_object_put(report.advice);
	hsm_free_names(doctor->names);
	secret_clear(&doctor->pin);
	free(doctor);
	return code;
}

int verb_doctor(struct ctl *ctl, char **args)
{
	struct driver_system system = driver_this_machine();

	(void)args;
	return doctor_run(ctl, &system);
}
