# SPDX-License-Identifier: Apache-2.0
#
# Guests: `make vm` for a shell in one, `make demo-vm`, `make bench-vm`. The tests in guests are
# `make check-vm`.

.PHONY: vm demo-vm
vm: all kernel
	@scripts/env $(O) scripts/vm-shell

demo-vm: all kernel
	@scripts/env $(O) scripts/demo-vm

# They run programs of the other tests, and load the module.
check-vm: kernel pkcs11-programs

.PHONY: bench-vm
bench-vm: all kernel
	@scripts/env $(O) scripts/bench-vm

# A hostile device: the firmware's rings, with faults where the linker puts them. For tests only: it is
# no part of `all` and not installed.
fault_src := $(wildcard tests/vm/device/*.c)
fault_wraps := dma_store64 dma_store32 dma_write irq_raise queue_complete controller_read admin_queue_work

$(patsubst %.c,$(O)/obj/%.o,$(fault_src)): cflags_extra := -I$(firmware_dir) $(call pkg_cflags,$(firmware_pkgs))
$(O)/vhsm-fault: $(patsubst %.c,$(O)/obj/%.o,$(fault_src)) $(O)/firmware.a $(O)/common.a $(O)/.flags-ld
	$(q_ld)$(CC) $(pie_ldflags) $(ldflags) $(addprefix -Wl$(comma)--wrap=,$(fault_wraps)) -o $@.new \
		$(filter %.o,$^) -Wl,--start-group $(O)/firmware.a $(O)/common.a -Wl,--end-group \
		$(call pkg_libs,$(firmware_pkgs) $(common_pkgs)) -lpthread -ldl -lm && mv $@.new $@

# A longer run over it, and over the same plan under user-mode Linux: scripts/fuzz-driver. PARTS=uml or guest
# for one of the two, STOCK=1 for Debian's kernel.
PARTS ?= uml guest
.PHONY: fuzz-driver
fuzz-driver: all kernel $(O)/vhsm-fault
	@scripts/fuzz-driver $(if $(STOCK),--stock) $(O) $(PARTS)

check-vm check: $(O)/vhsm-fault

# The same kernel release with instruments, and the tests in its guests: much longer, and by hand.
.PHONY: check-debug-kernel
check-debug-kernel: all pkcs11-programs $(O)/vhsm-fault
	@scripts/check-debug-kernel $(O)

# Which lines of kernel/ run in those guests, and by the KUnit suites.
.PHONY: coverage
coverage: all pkcs11-programs $(O)/vhsm-fault
	@scripts/check-debug-kernel --coverage $(O)

# The tests in guests are part of all tests.
check: kernel
