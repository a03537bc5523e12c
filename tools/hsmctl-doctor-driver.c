// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor, below: is there a function on the PCI bus, has it what it needs, is the driver there and bound to
 * it, may this user open its device file, and what do driver and device say of themselves in sysfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "hsmctl-doctor.h"

#define PCI_COMMAND	   4
#define PCI_COMMAND_MEMORY (1U << 1)
#define PCI_COMMAND_MASTER (1U << 2)
#define PCI_COMMAND_GONE \
	0xffffU /* nobody answers: reserved bits of a function that is there are zero */
#define GROUP "hsm"

/* ---- what the checks share ---- */

static bool ours(const struct doctor *doctor, const char *address)
{
	char driver[NAME_MAX + 1];

	driver_bound(doctor->system, address, driver);
	return !strcmp(driver, DRIVER_MODULE);
}

/* Return: false when the kernel does not tell */
static bool command_register(const struct doctor *doctor, const char *address, unsigned int *value)
{
	char path[PATH_MAX];
	uint8_t bytes[2];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/config", doctor->system->sys, address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, bytes, sizeof(bytes), PCI_COMMAND);
	close(fd);
	*value = bytes[0] | (unsigned int)bytes[1] << 8;
	return n == sizeof(bytes);
}

/* A virtual function has no switch of its own for its registers, its physical function has: the bit reads as zero. */
static bool is_virtual(const struct doctor *doctor, const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/physfn", doctor->system->sys, address);
	return access(path, F_OK) == 0;
}

static void advise_rebind(struct doctor_finding *finding, const char *address)
{
	doctor_advise(finding,
		      "bind the driver anew, in /sys/bus/pci/drivers/" DRIVER_MODULE
		      ": echo %s >unbind; echo %s >bind",
		      address, address);
}

/* The next function that the driver has, with its name below /dev; @at begins at 0 */
static const char *next_node(const struct doctor *doctor, size_t *at, char node[NAME_MAX + 1])
{
	while (*at < doctor->functions) {
		const char *address = doctor->addresses[(*at)++];

		if (!ours(doctor, address))
			continue;
		driver_node(doctor->system, address, node);
		if (*node)
			return address;
	}
	return NULL;
}

static bool attribute(const struct doctor *doctor, const char *node, const char *name,
		      char value[DRIVER_VALUE_MAX])
{
	return driver_read(doctor->system, value, "class/" DRIVER_MODULE "/%s/%s", node, name);
}

/* ---- the PCI bus ---- */

int doctor_pci_function(struct doctor *doctor, struct doctor_finding *finding)
{
	unsigned int command;

	if (!doctor->functions)
		return doctor_say(finding, DOCTOR_FAILED,
				  "there is no function of an HSM on the PCI bus");
	for (size_t i = 0; i < doctor->functions; i++) {
		if (!command_register(doctor, doctor->addresses[i], &command) ||
		    command != PCI_COMMAND_GONE)
			continue;
		doctor_advise(
			finding,
			"look after the board (of a guest: where vhsm runs); then unbind the driver and bind it, or boot anew");
		return doctor_say(finding, DOCTOR_FAILED,
				  "%s does not answer any more: its configuration reads all ones",
				  doctor->addresses[i]);
	}
	return doctor_say(finding, DOCTOR_OK, "%zu on the bus, the first at %s", doctor->functions,
			  doctor->addresses[0]);
}

/* "0x... 0x... 0x...": start, end and flags of the first register; nothing assigned: all zero */
static bool has_memory(const struct doctor *doctor, const char *address)
{
	char line[DRIVER_VALUE_MAX];

	if (!driver_read(doctor->system, line, "bus/pci/devices/%s/resource", address))
		return true;
	return strtoull(line, NULL, 16) != 0;
}

int doctor_pci_memory(struct doctor *doctor, struct doctor_finding *finding)
{
	unsigned int command;

	for (size_t i = 0; i < doctor->functions; i++) {
		const char *address = doctor->addresses[i];

		if (!has_memory(doctor, address))
			return doctor_say(finding, DOCTOR_FAILED,
					  "%s: the kernel found no room for its registers (BAR0)",
					  address);
		if (!command_register(doctor, address, &command) || !ours(doctor, address) ||
		    is_virtual(doctor, address) || command & PCI_COMMAND_MEMORY)
			continue;
		advise_rebind(finding, address);
		return doctor_say(finding, DOCTOR_FAILED,
				  "%s: its registers are switched off (memory space disabled)",
				  address);
	}
	return doctor_say(finding, DOCTOR_OK, "registers have an address");
}

/* "NAME COUNT" lines, the last one is the total */
static unsigned long aer_total(const struct doctor *doctor, const char *address, const char *kind)
{
	char path[PATH_MAX], line[DRIVER_VALUE_MAX];
	unsigned long total = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/aer_dev_%s", doctor->system->sys,
		 address, kind);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "TOTAL_ERR_", 10) && strchr(line, ' '))
			total = strtoul(strchr(line, ' '), NULL, 10);
	if (file)
		fclose(file);
	return total;
}

int doctor_pci_errors(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const kinds[] = { "fatal", "nonfatal" };
	unsigned long total;

	for (size_t i = 0; i < doctor->functions; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			total = aer_total(doctor, doctor->addresses[i], kinds[k]);
			if (total)
				return doctor_say(finding, DOCTOR_WARNING,
						  "%s: %lu %s errors on the link",
						  doctor->addresses[i], total, kinds[k]);
		}
	return doctor_say(finding, DOCTOR_OK, "none reported");
}

/* ---- the driver ---- */

int doctor_driver_module(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct driver_system *system = doctor->system;
	struct driver_module found = { 0 };
	int verdict;

	if (driver_is_loaded(system))
		return doctor_say(finding, DOCTOR_OK, "it is loaded");
	if (driver_find(system, NULL, &found))
		verdict = doctor_say(finding, DOCTOR_FAILED,
				     "there is no module " DRIVER_MODULE " for kernel %s",
				     system->release);
	else if (!driver_fits(&found, system->release))
		verdict = doctor_say(finding, DOCTOR_FAILED,
				     "the module was built for kernel %.*s, and this is %s",
				     (int)strcspn(found.vermagic, " "), found.vermagic,
				     system->release);
	else
		verdict = doctor_say(finding, DOCTOR_OK, "version %s for this kernel",
				     *found.version ? found.version : "unknown");
	driver_forget(&found);
	return verdict;
}

int doctor_driver_signature(struct doctor *doctor, struct doctor_finding *finding)
{
	struct driver_module found = { 0 };
	int verdict = DOCTOR_NOTHING;

	if (driver_is_loaded(doctor->system) || driver_find(doctor->system, NULL, &found)) {
		driver_forget(&found);
		return DOCTOR_NOTHING;
	}
	if (*found.hash)
		verdict = doctor_say(finding, DOCTOR_OK, "signed by %s", found.signer);
	else if (driver_signature_needed(doctor->system))
		verdict = doctor_say(
			finding, DOCTOR_FAILED,
			"this kernel takes signed modules only, and the module has no signature");
	driver_forget(&found);
	return verdict;
}

int doctor_driver_loaded(struct doctor *doctor, struct doctor_finding *finding)
{
	char state[DRIVER_VALUE_MAX];

	if (!driver_is_loaded(doctor->system))
		return doctor_say(finding, DOCTOR_FAILED, "the module is not loaded");
	if (driver_read(doctor->system, state, "module/" DRIVER_MODULE "/initstate") &&
	    strcmp(state, "live"))
		return doctor_say(finding, DOCTOR_FAILED, "the module's state is %s", state);
	return doctor_say(finding, DOCTOR_OK, "it is");
}

/* What is loaded may be older than what an update has installed since. */
int doctor_driver_version(struct doctor *doctor, struct doctor_finding *finding)
{
	struct driver_module found = { 0 };
	char loaded[DRIVER_VALUE_MAX];
	int verdict;

	if (!driver_read(doctor->system, loaded, "module/" DRIVER_MODULE "/version"))
		return DOCTOR_NOTHING;
	if (!driver_find(doctor->system, NULL, &found) && *found.version &&
	    strcmp(found.version, loaded))
		verdict = doctor_say(finding, DOCTOR_WARNING,
				     "version %s is loaded, and %s is installed", loaded,
				     found.version);
	else
		verdict = doctor_say(finding, DOCTOR_OK, "%s", loaded);
	driver_forget(&found);
	return verdict;
}

/* A function that is given to a guest is vfio-pci's, and that is right unless it is the only one. */
int doctor_driver_bound_to(struct doctor *doctor, struct doctor_finding *finding)
{
	char driver[NAME_MAX + 1], other[NAME_MAX + 1] = "none";
	size_t bound = 0, given = 0;

	for (size_t i = 0; i < doctor->functions; i++) {
		driver_bound(doctor->system, doctor->addresses[i], driver);
		bound += !strcmp(driver, DRIVER_MODULE);
		given += !strcmp(driver, "vfio-pci");
		if (strcmp(driver, DRIVER_MODULE))
			strcpy(other, driver);
	}
	if (!bound && strcmp(other, "none"))
		return doctor_say(finding, DOCTOR_FAILED, "%s is bound to another driver, %s",
				  doctor->addresses[0], other);
	if (!bound) {
		doctor_advise(
			finding,
			"journalctl -k -g ihsm tells whether the driver did not want it; echo %s >/sys/bus/pci/drivers/ihsm/bind",
			doctor->addresses[0]);
		return doctor_say(finding, DOCTOR_FAILED, "%s is bound to no driver",
				  doctor->addresses[0]);
	}
	if (bound + given < doctor->functions)
		return doctor_say(finding, DOCTOR_WARNING, "%zu of %zu functions have no driver",
				  doctor->functions - bound - given, doctor->functions);
	return doctor_say(finding, DOCTOR_OK, "to %zu of %zu functions", bound, doctor->functions);
}

int doctor_driver_bus_master(struct doctor *doctor, struct doctor_finding *finding)
{
	unsigned int command;

	for (size_t i = 0; i < doctor->functions; i++) {
		const char *address = doctor->addresses[i];

		if (!ours(doctor, address) || !command_register(doctor, address, &command) ||
		    command & PCI_COMMAND_MASTER)
			continue;
		advise_rebind(finding, address);
		return doctor_say(finding, DOCTOR_FAILED,
				  "%s: it may not read or write memory (bus mastering is off)",
				  address);
	}
	return doctor_say(finding, DOCTOR_OK, "on");
}

/* Is the file the one of these numbers ("240:3")? */
static bool is_device_file(const char *path, const char *numbers)
{
	unsigned int number[2] = { 0 };
	struct stat st;

	if (stat(path, &st) || !S_ISCHR(st.st_mode))
		return false;
	if (sscanf(numbers, "%u:%u", &number[0], &number[1]) != 2)
		return true;
	return st.st_rdev == makedev(number[0], number[1]);
}

int doctor_driver_node(struct doctor *doctor, struct doctor_finding *finding)
{
	char node[NAME_MAX + 1], path[PATH_MAX], numbers[DRIVER_VALUE_MAX];
	const char *address;
	size_t at = 0, count = 0;

	while ((address = next_node(doctor, &at, node))) {
		snprintf(path, sizeof(path), "%s/%s", doctor->system->dev, node);
		attribute(doctor, node, "dev", numbers);
		if (!is_device_file(path, numbers))
			return doctor_say(
				finding, DOCTOR_FAILED,
				"%s has no device file: %s is missing, or is not the device's",
				address, path);
		count++;
	}
	if (!count)
		return doctor_say(finding, DOCTOR_FAILED, "the driver has made no device file");
	return doctor_say(finding, DOCTOR_OK, "%zu, the last is %s", count, path);
}

static void group_name(gid_t group, char name[64])
{
	/* cppcheck-suppress getgrgidCalled ; one thread */
	const struct group *entry = getgrgid(group);

	if (entry)
		snprintf(name, 64, "%s", entry->gr_name);
	else
		snprintf(name, 64, "%u", (unsigned int)group);
}

static int may_not_open(struct doctor_finding *finding, const char *path, const struct stat *st)
{
	char group[64];

	group_name(st->st_gid, group);
	/* cppcheck-suppress getgrnamCalled ; one thread */
	if (!getgrnam(GROUP))
		doctor_advise(finding, "groupadd --system " GROUP
				       " && udevadm trigger --subsystem-match=" DRIVER_MODULE);
	else if (strcmp(group, GROUP) || (st->st_mode & 060) != 060)
		doctor_advise(finding, "udevadm trigger --subsystem-match=" DRIVER_MODULE
				       ", with 60-ihsm.rules among udev's rules");
	return doctor_say(finding, DOCTOR_FAILED,
			  "this user (%u) may not open %s: group %s, mode %03o",
			  (unsigned int)geteuid(), path, group, (unsigned int)(st->st_mode & 0777));
}

int doctor_driver_permission(struct doctor *doctor, struct doctor_finding *finding)
{
	char node[NAME_MAX + 1], path[PATH_MAX];
	struct stat st;
	size_t at = 0;

	while (next_node(doctor, &at, node)) {
		snprintf(path, sizeof(path), "%s/%s", doctor->system->dev, node);
		if (stat(path, &st))
			continue;
		if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS))
			return may_not_open(finding, path, &st);
		if (st.st_mode & 06)
			return doctor_say(finding, DOCTOR_WARNING,
					  "everybody may open %s: mode %03o", path,
					  (unsigned int)(st.st_mode & 0777));
	}
	return doctor_say(finding, DOCTOR_OK, "this user may open the device files");
}

/* ---- what driver and device say ---- */

int doctor_device_state(struct doctor *doctor, struct doctor_finding *finding)
{
	char node[NAME_MAX + 1], value[DRIVER_VALUE_MAX];
	size_t at = 0;

	while (next_node(doctor, &at, node)) {
		if (!attribute(doctor, node, "state", value) || !strcmp(value, "live"))
			continue;
		return doctor_say(finding,
				  strcmp(value, "resetting") ? DOCTOR_FAILED : DOCTOR_WARNING,
				  "%s is %s", node, value);
	}
	return doctor_say(finding, DOCTOR_OK, "live");
}

static const struct {
	const char *state;
	enum doctor_verdict verdict;
	const char *text;
	const char *advice;
} conditions[] = {
	{ "operational", DOCTOR_OK, "operational", "" },
	{ "unclaimed", DOCTOR_WARNING, "nobody administers the board yet", "hsmctl claim" },
	{ "tampered", DOCTOR_FAILED, "the board was tampered with, and its keys are gone",
	  "hsmctl device show tells what happened; hsmctl device recover goes on without the keys" },
	{ "recovery", DOCTOR_FAILED, "the board's firmware or storage does not verify",
	  "the board's log says what; hsmctl firmware status, hsmctl device recover" },
	{ "error", DOCTOR_FAILED, "a self-test failed, and no command is served",
	  "hsmctl self-test names the test; start the board anew, and replace it if that does not help" },
	{ "retired", DOCTOR_FAILED, "the board's life with keys is over", "use another board" },
};

/* Also of what the device itself says over libhsm: the same words */
static int condition_of(const char *where, const char *state, struct doctor_finding *finding)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (strcmp(conditions[i].state, state))
			continue;
		doctor_advise(finding, "%s", conditions[i].advice);
		return doctor_say(finding, conditions[i].verdict, "%s%s%s", where,
				  *where ? ": " : "", conditions[i].text);
	}
	return doctor_say(finding, DOCTOR_WARNING,
			  "%s%sits state is '%s', of which nothing is known here", where,
			  *where ? ": " : "", state);
}

int doctor_device_condition(struct doctor *doctor, struct doctor_finding *finding)
{
	char node[NAME_MAX + 1], value[DRIVER_VALUE_MAX];
	int verdict = DOCTOR_OK;
	size_t at = 0;

	while (verdict == DOCTOR_OK && next_node(doctor, &at, node))
		if (attribute(doctor, node, "device_state", value))
			verdict = condition_of(node, value, finding);
	return verdict == DOCTOR_OK ? doctor_say(finding, DOCTOR_OK, "operational") : verdict;
}

int doctor_device_itself(struct doctor *doctor, struct doctor_finding *finding)
{
	return condition_of("", state_name(doctor->device.info.state), finding);
}

int doctor_device_self_test(struct doctor *doctor, struct doctor_finding *finding)
{
	char node[NAME_MAX + 1], value[DRIVER_VALUE_MAX];
	size_t at = 0, told = 0;

	while (next_node(doctor, &at, node)) {
		if (!attribute(doctor, node, "self_test", value))
			continue;
		told++;
		if (!strcmp(value, "failed"))
			return doctor_say(finding, DOCTOR_FAILED, "%s: its last self-test failed",
					  node);
	}
	return told ? doctor_say(finding, DOCTOR_OK, "not failed") : DOCTOR_NOTHING;
}

/* The alarms of one hwmon directory, NAME_alarm files that say 1. Return: false: none */
static bool alarm_in(const char *directory, char name[NAME_MAX + 1])
{
	struct dirent *entry;
	DIR *all = opendir(directory);
	char path[PATH_MAX + NAME_MAX + 2], value[8];
	bool found = false;
	FILE *file;

	while (all && !found && (entry = readdir(all))) {
		const char *end = strstr(entry->d_name, "_alarm");

		if (!end || end[6])
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		file = fopen(path, "re");
		found = file && fgets(value, sizeof(value), file) && value[0] == '1';
		if (file)
			fclose(file);
		snprintf(name, NAME_MAX + 1, "%.*s", (int)(end - entry->d_name), entry->d_name);
	}
	if (all)
		closedir(all);
	return found;
}

static bool alarm_of(const struct doctor *doctor, const char *address, char name[NAME_MAX + 1])
{
	char path[PATH_MAX / 2], chip[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *all;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/hwmon", doctor->system->sys, address);
	all = opendir(path);
	while (all && !found && (entry = readdir(all))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(chip, sizeof(chip), "%s/%s", path, entry->d_name);
		found = alarm_in(chip, name);
	}
	if (all)
		closedir(all);
	return found;
}

int doctor_device_sensors(struct doctor *doctor, struct doctor_finding *finding)
{
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < doctor->functions; i++)
		if (alarm_of(doctor, doctor->addresses[i], name))
			return doctor_say(finding, DOCTOR_FAILED, "%s: alarm of the sensor %s",
					  doctor->addresses[i], name);
	return doctor_say(finding, DOCTOR_OK, "no alarm");
}

int doctor_device_counters(struct doctor *doctor, struct doctor_finding *finding)
{
	static const struct {
		const char *name;
		const char *text;
	} counters[] = {
		{ "bogus", "answers that made no sense; each led to a reset" },
		{ "timeouts", "commands that did not end in their time" },
	};
	char node[NAME_MAX + 1], value[DRIVER_VALUE_MAX];
	size_t at = 0;

	while (next_node(doctor, &at, node))
		for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
			if (attribute(doctor, node, counters[i].name, value) &&
			    strtoull(value, NULL, 10))
				return doctor_say(finding, DOCTOR_WARNING, "%s: %s %s", node, value,
						  counters[i].text);
	return doctor_say(finding, DOCTOR_OK, "no timeouts, no wrong answers");
}
