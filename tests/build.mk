# SPDX-License-Identifier: Apache-2.0
#
# Test programs and the targets that run them. A new file needs no line here:
#   tests/unit/COMPONENT/test_*.c   cmocka, linked with the component's and the common archive
#   tests/pkcs11/test_*.c           cmocka, loads the module named in HSM_PKCS11_MODULE
#   tests/conformance/test_*.c      the same: what the standard says, function by function
#   tests/fuzz/fuzz_*.c             libFuzzer
#   tests/DIR/*.sh, *.py            speak TAP; those with the executable bit are tests

# --- what a program needs beside the archive of its directory ---

# NAME_needs: further components; NAME_pkgs: further packages. NAME is the file's, without .c.
fuzz_vfio_user_needs := firmware
fuzz_command_needs := firmware
fuzz_command_pkgs := cmocka
fuzz_evidence_needs := hsm-verify tool
test_softhsm_file_needs := tool libhsm attestation common
fuzz_softhsm_needs := hsmctl tool libhsm attestation common
test_hsmctl_driver_needs := tool libhsm attestation common
test_hsmctl_doctor_needs := tool libhsm attestation common
test_hsmctl_watch_needs := tool libhsm attestation common
test_forged_needs := tool
test_rules_needs := tool
test_audit_export_needs := tool

# --- programs ---

# $(call test_program,SOURCE,COMPONENTS,PACKAGES,COMPILE FLAGS,LINK FLAGS)
define test_program
test_src += $(1)
$(O)/obj/$(1:.c=.o): cflags_extra := $(4) $$(call pkg_cflags,$(3) $$(foreach c,$(2),$$($$(c)_pkgs)))
$(O)/$(1:.c=): $(O)/obj/$(1:.c=.o) $$(foreach c,$(2),$(O)/$$(c).a) $(O)/.flags-ld
	$$(q_ld)mkdir -p $$(@D) && $$(CC) $$(pie_ldflags) $$(ldflags) $(5) -o $$@ $$< \
		-Wl,--start-group $$(foreach c,$(2),$(O)/$$(c).a) -Wl,--end-group \
		$$(call pkg_libs,$$(foreach c,$(2),$$($$(c)_pkgs)) $(3)) -lpthread -ldl -lm
endef

unit_src := $(foreach c,$(components),$(sort $(wildcard tests/unit/$(c)/test_*.c)))
pkcs11_test_src := $(sort $(wildcard tests/pkcs11/test_*.c tests/conformance/test_*.c))
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))

component_of = $(word 3,$(subst /, ,$(1)))
needs_of = $($(basename $(notdir $(1)))_needs)
pkgs_of = $($(basename $(notdir $(1)))_pkgs)
# Private headers of each linked component can be included, the test's own first.
dirs_of = $(addprefix -I,$(foreach c,$(1),$($(c)_dir)))
link_of = $(filter-out attestation common,$(call component_of,$(1)) $(call needs_of,$(1))) attestation common

$(foreach t,$(unit_src),$(eval $(call test_program,$(t),$(call link_of,$(t)),cmocka $(call pkgs_of,$(t)),\
	$(call dirs_of,$(call link_of,$(t))) -Itests/unit)))
$(foreach t,$(pkcs11_test_src),$(eval $(call test_program,$(t),,cmocka libcrypto $(call pkgs_of,$(t)))))

unit_programs := $(patsubst %.c,$(O)/%,$(unit_src))
pkcs11_programs := $(patsubst %.c,$(O)/%,$(pkcs11_test_src))

ifdef FUZZ
$(foreach t,$(fuzz_src),$(eval $(call test_program,$(t),$(call needs_of,$(t)) attestation common,$(call pkgs_of,$(t)),\
	$(call dirs_of,$(call needs_of,$(t)) attestation common) -Itests/unit,-fsanitize=fuzzer)))
fuzz_programs := $(patsubst %.c,$(O)/%,$(fuzz_src))
endif

.PHONY: unit-programs pkcs11-programs fuzz-programs
unit-programs: $(unit_programs)
	@:
pkcs11-programs: $(pkcs11_programs)
	@:
fuzz-programs: $(fuzz_programs)
	@:

# --- variants, each built by a make of its own ---

sanitized := $(O)-address-undefined
fuzz_dir := $(O)-fuzz
FUZZ_TIME ?= 10
export FUZZ_TIME

.PHONY: sanitize-build fuzz-build
sanitize-build:
	+@$(MAKE) --no-print-directory SANITIZE=address,undefined all unit-programs pkcs11-programs
fuzz-build:
	+@$(MAKE) --no-print-directory FUZZ=1 fuzz-programs

# --- running ---

JOBS ?= 2
test_run = tests/run --jobs $(JOBS) $(RUN_FLAGS)

scripts_in = $(sort $(shell find tests/$(1) -maxdepth 1 \( -name '*.sh' -o -name '*.py' \) -perm -u+x 2>/dev/null))
script_dirs := $(filter-out lint unit fuzz bench vectors conformance,$(notdir $(patsubst %/,%,$(wildcard tests/*/))))

unit_list = $(unit_programs)
pkcs11_list = $(pkcs11_programs) $(call scripts_in,pkcs11)
sanitize_list = $(patsubst $(O)/%,$(sanitized)/%,$(unit_programs) $(pkcs11_programs))
fuzz_list = $(foreach f,$(fuzz_src),"tests/fuzz-run $(fuzz_dir)/$(f:.c=)")
lint_list = $(call scripts_in,lint)
other_list = $(foreach d,$(filter-out pkcs11,$(script_dirs)),$(call scripts_in,$(d)))

.PHONY: check check-unit check-pkcs11 check-sanitize check-fuzz check-lint lint fuzz
check: all unit-programs pkcs11-programs vectors-programs sanitize-build $(if $(fuzz_src),fuzz-build)
	@$(test_run) $(addprefix --add ,$(NATIVE_COUNTS)) --build $(O) $(lint_list) $(unit_list) $(pkcs11_list) \
		--timeout $(vectors_timeout) $(vectors_programs) --timeout 180 $(other_list) $(fuzz_list) --build $(sanitized) $(sanitize_list)

check-unit: unit-programs
	@$(test_run) --build $(O) $(unit_list)

check-pkcs11: all pkcs11-programs
	@$(test_run) --build $(O) $(pkcs11_list)

check-sanitize: sanitize-build
	@$(test_run) --build $(sanitized) $(sanitize_list)

check-fuzz fuzz: fuzz-build
	@$(test_run) --timeout $$(($(FUZZ_TIME) + 120)) --build $(O) $(fuzz_list)

check-lint lint:
	@$(test_run) --build $(O) $(lint_list)

.PHONY: check-vectors check-conformance
check-vectors: all vectors-programs
	@$(test_run) --timeout $(vectors_timeout) --build $(O) $(vectors_programs)

check-conformance: all pkcs11-programs
	@$(test_run) --build $(O) $(filter $(O)/tests/conformance/%,$(pkcs11_programs))

# check-interop, check-fault and so on: the scripts of that directory.
check_dirs := $(addprefix check-,$(filter-out pkcs11,$(script_dirs)))
.PHONY: $(check_dirs)
$(check_dirs): check-%: all
	@$(test_run) --build $(O) $(call scripts_in,$*)

include tests/vectors/build.mk
include tests/vm/build.mk
