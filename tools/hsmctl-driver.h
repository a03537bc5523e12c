/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver verbs look at and do outside of this process, so that their tests can be the
 * system.
 */
#ifndef HSMCTL_DRIVER_H
#define HSMCTL_DRIVER_H

#include <libkmod.h>
#include "hsmctl.h"

/**
 * struct driver_system - the machine
 * @modules: directory of the kernel's modules, NULL for that of the running kernel
 * @sys: where sysfs is mounted
 * @kmsg: the kernel's log, as /dev/kmsg
 * @release: of the running kernel
 * @insert: load @module with what it depends on. Return: 0 or a negative errno
 * @remove: unload it. Return: 0 or a negative errno
 */
struct driver_system {
	const char *modules;
	const char *sys;
	const char *kmsg;
	const char *release;
	int (*insert)(struct kmod_module *module);
	int (*remove)(struct kmod_module *module);
};

/*
 * The verbs on a given machine. @file: a module file to look at or load instead of the installed
 * one, or NULL. Return: enum ctl_exit
 */
int driver_status(struct ctl *ctl, const struct driver_system *system, const char *file);
int driver_load(struct ctl *ctl, const struct driver_system *system, const char *file);
int driver_unload(struct ctl *ctl, const struct driver_system *system);

#endif /* HSMCTL_DRIVER_H */
