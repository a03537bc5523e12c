# SPDX-License-Identifier: GPL-2.0-only
#
# The module: `make kernel`, against installed headers, or KDIR=... or KVER=6.1 | 6.12 | newest.
# `make kernel-patch` writes the series for the kernel's own tree.

kernel_sources := $(wildcard kernel/*.[ch]) kernel/Kbuild kernel/Makefile \
	include/uapi/linux/ihsm.h include/uapi/linux/ihsm_hw.h
kernel_dir := $(O)/kernel$(if $(KVER),-$(KVER))

.PHONY: kernel
kernel:
	@mkdir -p $(kernel_dir)
	@scripts/kernel-build $(kernel_dir) $(if $(KDIR),KDIR=$(KDIR)) $(if $(KVER),KVER=$(KVER))
	@echo $(kernel_dir)/ihsm.ko

.PHONY: kernel-patch
kernel-patch:
	@scripts/kernel-patch $(O)/kernel-patch
