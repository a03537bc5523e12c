# SPDX-License-Identifier: GPL-2.0-only
#
# The module: `make kernel`, against installed headers, or KDIR=... or KVER=6.1 | 6.12 | newest.
# `make kernel-patch` writes the series for the kernel's own tree, `make check-in-tree` builds it there.
# `make install-kernel` installs the sources for DKMS; udev's rule comes with `make install`.

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

.PHONY: check-in-tree
check-in-tree:
	@scripts/check-in-tree

DKMSDIR ?= /usr/src/ihsm-$(version)
.PHONY: install-kernel
install-kernel:
	install -d $(DESTDIR)$(DKMSDIR)/kernel $(DESTDIR)$(DKMSDIR)/include/uapi/linux
	install -m 644 $(filter-out %_test.c %_test.h kernel/ihsm_test%,$(filter kernel/%,$(kernel_sources))) \
		$(DESTDIR)$(DKMSDIR)/kernel
	install -m 644 $(filter include/%,$(kernel_sources)) $(DESTDIR)$(DKMSDIR)/include/uapi/linux
	sed 's/#MODULE_VERSION#/$(version)/' kernel/dkms.conf >$(DESTDIR)$(DKMSDIR)/dkms.conf
