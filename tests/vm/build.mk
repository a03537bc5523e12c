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

# The tests in guests are part of all tests.
check: kernel
