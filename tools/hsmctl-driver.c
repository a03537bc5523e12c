// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about the kernel driver: where its module is, whether this kernel will take it,
 * why it did not, and which functions it drives. libkmod finds, loads and unloads; sysfs tells the
 * rest.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ihsm_hw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "hsmctl-driver.h"

#define MODULE	   DRIVER_MODULE
#define RECORD_MAX 8192 /* the kernel's longest log record */

/* ---- sysfs ---- */

/* The first line of a file. Return: false when it cannot be read */
static bool read_line(const char *path, char value[DRIVER_VALUE_MAX])
{
	FILE *file = fopen(path, "re");
	bool got;

	value[0] = '\0';
	if (!file)
		return false;
	got = fgets(value, DRIVER_VALUE_MAX, file) != NULL;
	fclose(file);
	value[strcspn(value, "\n")] = '\0';
	return got;
}

bool driver_read(const struct driver_system *system, char value[DRIVER_VALUE_MAX],
		 const char *format, ...)
{
	char path[PATH_MAX];
	size_t root = (size_t)snprintf(path, sizeof(path), "%s/", system->sys);
	va_list args;

	va_start(args, format);
	vsnprintf(path + root, sizeof(path) - root, format, args);
	va_end(args);
	return read_line(path, value);
}

/* A built-in driver has a directory too, but no state: it is always there. */
bool driver_is_loaded(const struct driver_system *system)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/module/%s", system->sys, MODULE);
	return access(path, F_OK) == 0;
}

static bool is_builtin(const struct driver_system *system)
{
	char state[DRIVER_VALUE_MAX];

	return driver_is_loaded(system) &&
	       !driver_read(system, state, "module/%s/initstate", MODULE);
}

/* ---- the module ---- */

void driver_forget(struct driver_module *found)
{
	kmod_module_unref(found->module);
	kmod_unref(found->ctx);
}

/* Length of a text without the blanks at its end: a version magic has one */
static int trimmed(const char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == ' ')
		length--;
	return (int)length;
}

static void take_info(struct driver_module *found, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *to;
	} wanted[] = {
		{ "version", found->version },
		{ "vermagic", found->vermagic },
		{ "signer", found->signer },
		{ "sig_hashalgo", found->hash },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strcmp(key, wanted[i].key))
			snprintf(wanted[i].to, DRIVER_VALUE_MAX, "%.*s", trimmed(value), value);
}

static int read_info(struct driver_module *found)
{
	struct kmod_list *list = NULL;
	struct kmod_list *entry;
	int err = kmod_module_get_info(found->module, &list);

	if (err < 0)
		return err;
	for (entry = list; entry; entry = kmod_list_next(list, entry))
		take_info(found, kmod_module_info_get_key(entry),
			  kmod_module_info_get_value(entry));
	kmod_module_info_free_list(list);
	return 0;
}

static int look_up(struct driver_module *found, const char *file)
{
	struct kmod_list *list = NULL;
	char path[PATH_MAX];
	int err;

	if (file) {
		if (!realpath(file, path))
			return -errno;
		return kmod_module_new_from_path(found->ctx, path, &found->module);
	}
	err = kmod_module_new_from_lookup(found->ctx, MODULE, &list);
	if (err < 0 || !list)
		return -ENOENT;
	found->module = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	/* What is built into the kernel has no file. */
	return kmod_module_get_path(found->module) ? 0 : -ENOENT;
}

static void quiet(void *data, int priority, const char *file, int line, const char *fn,
		  const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

static int no_module(struct ctl *ctl, const struct driver_system *system, const char *file, int err)
{
	if (file)
		return fail(ctl, CTL_USAGE, "%s cannot be read as a kernel module: %s", file,
			    strerror(-err));
	return fail(ctl, CTL_DEVICE,
		    "there is no module " MODULE
		    " for kernel %s: build it for this kernel and install it, or name its file",
		    system->release);
}

int driver_find(const struct driver_system *system, const char *file, struct driver_module *found)
{
	static const char *const no_configuration[] = { NULL };
	int err;

	memset(found, 0, sizeof(*found));
	found->ctx = kmod_new(system->modules, file ? no_configuration : NULL);
	if (!found->ctx)
		return -ENOMEM;
	/* Errors come back as numbers, and are said once. */
	kmod_set_log_fn(found->ctx, quiet, NULL);
	err = look_up(found, file);
	if (!err)
		err = read_info(found);
	if (!err)
		return 0;
	kmod_module_unref(found->module);
	found->module = NULL;
	return err;
}

/* Find the module; what is wrong was reported. driver_forget() is due in any case. */
static int find(struct ctl *ctl, const struct driver_system *system, const char *file,
		struct driver_module *found)
{
	int err = driver_find(system, file, found);

	if (err == -ENOMEM && !found->ctx)
		return fail(ctl, CTL_DEVICE, "out of memory");
	if (err)
		return no_module(ctl, system, file, err);
	if (strcmp(kmod_module_get_name(found->module), MODULE))
		return fail(ctl, CTL_USAGE, "%s is the module %s, not " MODULE, file,
			    kmod_module_get_name(found->module));
	return CTL_OK;
}

/* ---- will this kernel take it? ---- */

/* The first word of the version magic is the kernel's release. */
bool driver_fits(const struct driver_module *found, const char *release)
{
	size_t length = strcspn(found->vermagic, " ");

	return strlen(release) == length && !strncmp(found->vermagic, release, length);
}

/* "[none] integrity confidentiality": the one in brackets counts */
static void lockdown(const struct driver_system *system, char mode[DRIVER_VALUE_MAX])
{
	char line[DRIVER_VALUE_MAX];
	char *start, *end;

	strcpy(mode, "none");
	if (!driver_read(system, line, "kernel/security/lockdown"))
		return;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end)
		return;
	*end = '\0';
	strcpy(mode, start + 1);
}

bool driver_signature_needed(const struct driver_system *system)
{
	char value[DRIVER_VALUE_MAX];

	lockdown(system, value);
	if (strcmp(value, "none"))
		return true;
	return driver_read(system, value, "module/module/parameters/sig_enforce") &&
	       value[0] == 'Y';
}

static void put_module(struct json_object *result, const struct driver_system *system,
		       const struct driver_module *found)
{
	char value[DRIVER_VALUE_MAX];

	put_string(result, "module", kmod_module_get_path(found->module));
	if (*found->version)
		put_string(result, "version", found->version);
	put_string(result, "vermagic", found->vermagic);
	put_bool(result, "fits_kernel", driver_fits(found, system->release));
	put_string(result, "signature", *found->hash ? found->hash : "none");
	if (*found->signer)
		put_string(result, "signer", found->signer);
	put_bool(result, "signature_needed", driver_signature_needed(system));
	lockdown(system, value);
	put_string(result, "lockdown", value);
}

/* ---- what it drives ---- */

bool driver_is_ours(const struct driver_system *system, const char *address)
{
	char vendor[DRIVER_VALUE_MAX], device[DRIVER_VALUE_MAX];
	unsigned long id;

	if (!driver_read(system, vendor, "bus/pci/devices/%s/vendor", address) ||
	    !driver_read(system, device, "bus/pci/devices/%s/device", address))
		return false;
	id = strtoul(device, NULL, 16);
	return strtoul(vendor, NULL, 16) == IHSM_PCI_VENDOR_ID &&
	       (id == IHSM_PCI_DEVICE_ID_PF || id == IHSM_PCI_DEVICE_ID_VF);
}

void driver_bound(const struct driver_system *system, const char *address, char name[NAME_MAX + 1])
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", system->sys, address);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX,
		 length < 0 ? "none"
		 : slash    ? slash + 1
			    : target);
}

static void put_attribute(struct json_object *row, const struct driver_system *system,
			  const char *node, const char *key)
{
	char value[DRIVER_VALUE_MAX];

	if (*node && driver_read(system, value, "class/%s/%s/%s", MODULE, node, key))
		put_string(row, key, value);
	else
		json_object_object_add(row, key, NULL);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The function's /dev name: the one entry of the class below it */
void driver_node(const struct driver_system *system, const char *address, char node[NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct dirent **entries;
	int count;

	node[0] = '\0';
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", system->sys, address, MODULE);
	count = scandir(path, &entries, visible, versionsort);
	if (count < 0)
		return;
	if (count > 0)
		snprintf(node, NAME_MAX + 1, "%s", entries[0]->d_name);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

static void put_function(struct json_object *rows, const struct driver_system *system,
			 const char *address)
{
	struct json_object *row = json_object_new_object();
	char node[NAME_MAX + 1], driver[NAME_MAX + 1];
	char path[NAME_MAX + 8];

	driver_node(system, address, node);
	put_string(row, "address", address);
	driver_bound(system, address, driver);
	put_string(row, "driver", driver);
	snprintf(path, sizeof(path), "/dev/%s", node);
	json_object_object_add(row, "device", *node ? json_object_new_string(path) : NULL);
	put_attribute(row, system, node, "state");
	put_attribute(row, system, node, "function");
	put_attribute(row, system, node, "firmware");
	json_object_array_add(rows, row);
}

static void put_functions(struct json_object *result, const struct driver_system *system)
{
	struct json_object *rows = json_object_new_array();
	struct dirent **entries;
	char path[PATH_MAX];
	int count;

	json_object_object_add(result, "functions", rows);
	snprintf(path, sizeof(path), "%s/bus/pci/devices", system->sys);
	count = scandir(path, &entries, visible, versionsort);
	for (int i = 0; i < count; i++) {
		if (driver_is_ours(system, entries[i]->d_name))
			put_function(rows, system, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* ---- status ---- */

static void put_loaded(struct json_object *result, const struct driver_system *system)
{
	char value[DRIVER_VALUE_MAX];
	bool loaded = driver_is_loaded(system);

	put_string(result, "kernel", system->release);
	put_bool(result, "loaded", loaded);
	if (!loaded)
		return;
	put_bool(result, "builtin", is_builtin(system));
	if (driver_read(system, value, "module/%s/initstate", MODULE))
		put_string(result, "module_state", value);
	if (driver_read(system, value, "module/%s/version", MODULE))
		put_string(result, "loaded_version", value);
	if (driver_read(system, value, "module/%s/refcnt", MODULE))
		put_number(result, "users", strtoul(value, NULL, 10));
}

int driver_status(struct ctl *ctl, const struct driver_system *system, const char *file)
{
	struct driver_module found;
	int code = CTL_OK;

	put_loaded(ctl->result, system);
	memset(&found, 0, sizeof(found));
	if (file || !is_builtin(system))
		code = find(ctl, system, file, &found);
	if (!code && found.module)
		put_module(ctl->result, system, &found);
	put_functions(ctl->result, system);
	/* What is loaded works, whether its file is still there or not. */
	if (!code && found.module && !driver_is_loaded(system) &&
	    !driver_fits(&found, system->release))
		code = fail(ctl, CTL_DEVICE, "the module was built for kernel %.*s, and this is %s",
			    (int)strcspn(found.vermagic, " "), found.vermagic, system->release);
	driver_forget(&found);
	return code;
}

/* ---- why a load failed ---- */

static const struct {
	int error;
	const char *text;
} reasons[] = {
	{ -ENOEXEC, "it was not built for this kernel, or its symbols' versions differ" },
	{ -EKEYREJECTED, "its signature is missing or not by a key that this kernel knows" },
	{ -ENOKEY, "it is signed with a key that this kernel does not know" },
	{ -EBADMSG, "its signature is damaged" },
	{ -EPERM, "only root may load modules, and nobody where the kernel is locked down" },
	{ -EACCES, "only root may load modules" },
	{ -ENOSYS, "this kernel takes no modules" },
	{ -EEXIST, "it is loaded already" },
	{ -ENOENT, "the kernel has not all symbols that it needs" },
	{ -EINVAL, "the kernel does not take one of its parameters or symbols" },
	{ -EBUSY, "the driver's name is taken" },
};

static const char *reason_of(int err)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == err)
			return reasons[i].text;
	return strerror(-err);
}

static int open_log(const struct driver_system *system)
{
	int fd = open(system->kmsg, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* "6,339,5140900,-;TEXT\n KEY=VALUE...": what the kernel said of the module since open_log() */
static void last_word(int log, char text[DRIVER_VALUE_MAX])
{
	char record[RECORD_MAX + 1];
	const char *start;
	ssize_t length;

	text[0] = '\0';
	while (log >= 0 && ((length = read(log, record, RECORD_MAX)) > 0 || errno == EPIPE)) {
		if (length <= 0)
			continue;
		record[length] = '\0';
		start = strchr(record, ';');
		if (!start || !(strstr(start, MODULE) || strstr(start, "odule")))
			continue;
		snprintf(text, DRIVER_VALUE_MAX, "%.*s", (int)strcspn(start + 1, "\n"), start + 1);
	}
}

static int load_failed(struct ctl *ctl, const struct driver_system *system,
		       const struct driver_module *found, int err, int log)
{
	char said[DRIVER_VALUE_MAX], mode[DRIVER_VALUE_MAX];
	char built_for[DRIVER_VALUE_MAX + 64] = "";

	last_word(log, said);
	lockdown(system, mode);
	if (!driver_fits(found, system->release))
		snprintf(built_for, sizeof(built_for), "; it was built for %s, this is %s",
			 found->vermagic, system->release);
	return fail(ctl, CTL_DEVICE, "the module was not loaded: %s%s%s%s%s%s", reason_of(err),
		    built_for, strcmp(mode, "none") ? "; kernel lockdown: " : "",
		    strcmp(mode, "none") ? mode : "", *said ? "; the kernel says: " : "", said);
}

int driver_load(struct ctl *ctl, const struct driver_system *system, const char *file)
{
	struct driver_module found;
	int err, log;
	int code;

	if (driver_is_loaded(system)) {
		put_loaded(ctl->result, system);
		put_functions(ctl->result, system);
		return CTL_OK;
	}
	code = find(ctl, system, file, &found);
	if (!code) {
		log = open_log(system);
		err = system->insert(found.module);
		if (err)
			code = load_failed(ctl, system, &found, err, log);
		if (log >= 0)
			close(log);
		put_loaded(ctl->result, system);
		put_module(ctl->result, system, &found);
		put_functions(ctl->result, system);
	}
	driver_forget(&found);
	return code;
}

/* ---- unloading ---- */

static int unload_failed(struct ctl *ctl, const struct driver_system *system, int err)
{
	char users[DRIVER_VALUE_MAX];

	if (err == -EAGAIN || err == -EBUSY) {
		driver_read(system, users, "module/%s/refcnt", MODULE);
		return fail(
			ctl, CTL_DEVICE,
			"the module is in use (%s): end the programs that have a device open first",
			*users ? users : "?");
	}
	if (err == -EPERM)
		return fail(ctl, CTL_DEVICE, "only root may unload modules");
	return fail(ctl, CTL_DEVICE, "the module was not unloaded: %s", strerror(-err));
}

static int unload(struct ctl *ctl, const struct driver_system *system, struct kmod_ctx *kmod)
{
	struct kmod_module *module = NULL;
	int err = kmod_module_new_from_name(kmod, MODULE, &module);

	if (!err)
		err = system->remove(module);
	kmod_module_unref(module);
	return err ? unload_failed(ctl, system, err) : CTL_OK;
}

int driver_unload(struct ctl *ctl, const struct driver_system *system)
{
	struct kmod_ctx *kmod;
	int code;

	if (!driver_is_loaded(system))
		return CTL_OK;
	if (is_builtin(system))
		return fail(ctl, CTL_DEVICE, "the driver is built into this kernel");
	kmod = kmod_new(system->modules, NULL);
	if (!kmod)
		return fail(ctl, CTL_DEVICE, "out of memory");
	kmod_set_log_fn(kmod, quiet, NULL);
	code = unload(ctl, system, kmod);
	kmod_unref(kmod);
	return code;
}

/* ---- the verbs ---- */

static int insert_module(struct kmod_module *module)
{
	int err = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);

	return err > 0 ? -EPERM : err;
}

static int remove_module(struct kmod_module *module)
{
	return kmod_module_remove_module(module, 0);
}

static const char *release(void)
{
	static struct utsname name;

	return uname(&name) ? "?" : name.release;
}

struct driver_system driver_this_machine(void)
{
	return (struct driver_system){
		.sys = "/sys",
		.dev = "/dev",
		.kmsg = "/dev/kmsg",
		.release = release(),
		.insert = insert_module,
		.remove = remove_module,
	};
}

int verb_driver_status(struct ctl *ctl, char **args)
{
	struct driver_system system = driver_this_machine();

	return driver_status(ctl, &system, args[0]);
}

int verb_driver_load(struct ctl *ctl, char **args)
{
	struct driver_system system = driver_this_machine();

	return driver_load(ctl, &system, args[0]);
}

int verb_driver_unload(struct ctl *ctl, char **args)
{
	struct driver_system system = driver_this_machine();

	(void)args;
	return driver_unload(ctl, &system);
}
