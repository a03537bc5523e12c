/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver verbs look at and do outside of this process, so that their tests can be the
 * system.
 */
#ifndef HSMCTL_DRIVER_H
#define HSMCTL_DRIVER_H

#include <limits.h>
#include <libkmod.h>
#include "hsmctl.h"

/**
 * struct driver_system - the machine
 * @modules: directory of the kernel's modules, NULL for that of the running kernel
 * @sys: where sysfs is mounted
 * @dev: where the device files are
 * @kmsg: the kernel's log, as /dev/kmsg
 * @release: of the running kernel
 * @insert: load @module with what it depends on. Return: 0 or a negative errno
 * @remove: unload it. Return: 0 or a negative errno
 */
struct driver_system {
	const char *modules;
	const char *sys;
	const char *dev;
	const char *kmsg;
	const char *release;
	int (*insert)(struct kmod_module *module);
	int (*remove)(struct kmod_module *module);
};

#define DRIVER_MODULE	 "ihsm"
#define DRIVER_VALUE_MAX 256

/**
 * struct driver_module - the module and what it says of itself
 * @module: NULL when there is none
 * @vermagic: the kernel that it was built for, and how
 */
struct driver_module {
	struct kmod_ctx *ctx;
	struct kmod_module *module;
	char version[DRIVER_VALUE_MAX];
	char vermagic[DRIVER_VALUE_MAX];
	char signer[DRIVER_VALUE_MAX];
	char hash[DRIVER_VALUE_MAX];
};

/* driver_this_machine - the one that this process runs on */
struct driver_system driver_this_machine(void);

/* driver_find - the installed module, or that in @file. driver_forget() is due in any case. Return: 0 or a negative errno */
int driver_find(const struct driver_system *system, const char *file, struct driver_module *found);
void driver_forget(struct driver_module *found);

/* driver_fits - was it built for this kernel? */
bool driver_fits(const struct driver_module *found, const char *release);

/* driver_signature_needed - does the kernel take signed modules only? */
bool driver_signature_needed(const struct driver_system *system);
bool driver_is_loaded(const struct driver_system *system);

/* driver_read - the first line of a file of sysfs. Return: false when it cannot be read */
bool driver_read(const struct driver_system *system, char value[DRIVER_VALUE_MAX],
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* driver_is_ours - is the PCI function at this address one of an HSM? */
bool driver_is_ours(const struct driver_system *system, const char *address);

/* driver_bound - name of the driver that the function is bound to, "none" */
void driver_bound(const struct driver_system *system, const char *address,
		  char name[NAME_MAX + 1]);

/* driver_node - name of the function's device file, "" when there is none */
void driver_node(const struct driver_system *system, const char *address,
		 char node[NAME_MAX + 1]);

/*
 * The verbs on a given machine. @file: a module file to look at or load instead of the installed
 * one, or NULL. Return: enum ctl_exit
 */
int driver_status(struct ctl *ctl, const struct driver_system *system, const char *file);
int driver_load(struct ctl *ctl, const struct driver_system *system, const char *file);
int driver_unload(struct ctl *ctl, const struct driver_system *system);

#endif /* HSMCTL_DRIVER_H */
