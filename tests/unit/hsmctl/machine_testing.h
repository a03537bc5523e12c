/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that a test makes: a sysfs of files, a module file with what libkmod reads, a kernel log, and a kernel
 * that takes the module or does not.
 */
#ifndef MACHINE_TESTING_H
#define MACHINE_TESTING_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
/* cmocka has a macro of the name of hsmctl's fail(). */
#include "hsmctl-driver.h"
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELEASE "6.12.1-test"
#define FITS	"vermagic=" RELEASE " SMP preempt mod_unload modversions"

/* The machine; insert and remove have no other way to it. */
static struct machine {
	char root[64]; /* everything below it goes at the end */
	char modules[96], sys[96], dev[96], kmsg[96], file[96];
	struct driver_system system;
	int insert_error, remove_error;
	unsigned int inserted, removed;
	const char *kernel_says;
} machine;

/* ---- making files ---- */

static void make_parents(const char *path)
{
	char part[256];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		mkdir(part, 0755);
	}
}

static void fake_file(const char *path, const char *how, const void *data, size_t length)
{
	FILE *file;

	make_parents(path);
	file = fopen(path, how);
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, length, file), length);
	fclose(file);
}

static void put(const char *path, const char *text)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", machine.sys, path);
	fake_file(whole, "w", text, strlen(text));
}

/* A module file: an ELF object that has nothing but a section .modinfo of strings */
static void write_module(const char *path, const char *const *strings)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	struct {
		Elf64_Ehdr header;
		Elf64_Shdr section[3];
		char names[32];
		char info[512];
	} module = {
		.header = { .e_type = ET_REL,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_shoff = sizeof(Elf64_Ehdr),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3,
			    .e_shstrndx = 2 },
	};
	size_t used = 0;

	memcpy(module.header.e_ident, ELFMAG, SELFMAG);
	module.header.e_ident[EI_CLASS] = ELFCLASS64;
	module.header.e_ident[EI_DATA] = ELFDATA2LSB;
	module.header.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(module.names, names, sizeof(names));
	for (; *strings; strings++) {
		strcpy(module.info + used, *strings);
		used += strlen(*strings) + 1;
	}
	module.section[1] = (Elf64_Shdr){ .sh_name = 1,
					  .sh_type = SHT_PROGBITS,
					  .sh_offset = offsetof(typeof(module), info),
					  .sh_size = used };
	module.section[2] = (Elf64_Shdr){ .sh_name = 10,
					  .sh_type = SHT_STRTAB,
					  .sh_offset = offsetof(typeof(module), names),
					  .sh_size = sizeof(names) };
	fake_file(path, "w", &module, sizeof(module));
}

/* ---- the kernel ---- */

static void become_loaded(void)
{
	put("module/ihsm/initstate", "live\n");
	put("module/ihsm/refcnt", "2\n");
	put("module/ihsm/version", "0.2\n");
}

static int insert(struct kmod_module *module)
{
	assert_string_equal(kmod_module_get_name(module), "ihsm");
	machine.inserted++;
	if (machine.kernel_says)
		fake_file(machine.kmsg, "a", machine.kernel_says, strlen(machine.kernel_says));
	if (!machine.insert_error)
		become_loaded();
	return machine.insert_error;
}

static int unload(struct kmod_module *module)
{
	assert_string_equal(kmod_module_get_name(module), "ihsm");
	machine.removed++;
	return machine.remove_error;
}

static int setup(void **state)
{
	static const char *const info[] = { FITS " ", "version=0.2", "license=GPL", NULL };

	memset(&machine, 0, sizeof(machine));
	snprintf(machine.root, sizeof(machine.root), "%s/hsm-driver-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	assert_non_null(mkdtemp(machine.root));
	snprintf(machine.modules, sizeof(machine.modules), "%s/modules", machine.root);
	snprintf(machine.sys, sizeof(machine.sys), "%s/sys", machine.root);
	snprintf(machine.dev, sizeof(machine.dev), "%s/dev", machine.root);
	snprintf(machine.kmsg, sizeof(machine.kmsg), "%s/kmsg", machine.root);
	snprintf(machine.file, sizeof(machine.file), "%s/ihsm.ko", machine.root);
	machine.system = (struct driver_system){
		.modules = machine.modules,
		.sys = machine.sys,
		.dev = machine.dev,
		.kmsg = machine.kmsg,
		.release = RELEASE,
		.insert = insert,
		.remove = unload,
	};
	mkdir(machine.modules, 0755);
	mkdir(machine.dev, 0755);
	fake_file(machine.kmsg, "w", "6,1,2,-;ihsm: from before\n", 26);
	write_module(machine.file, info);
	(void)state;
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(machine.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif /* MACHINE_TESTING_H */
