# SPDX-License-Identifier: Apache-2.0
#
# Published vectors through the module: `make check-vectors`. Each suite is a program of its own
# of several files; what they share is linked into both.

vectors_pkgs := cmocka libcrypto json-c
vectors_shared := token report hashes checks checks_public records
vectors_dir := $(O)/obj/tests/vectors
# One minute each when nothing else runs
vectors_timeout := 600
vectors_programs := $(O)/tests/vectors/wycheproof $(O)/tests/vectors/cavp

test_src += $(wildcard tests/vectors/*.c)
$(vectors_dir)/%.o: cflags_extra := $(call pkg_cflags,$(vectors_pkgs))

# $(call vectors_program,NAME): of NAME*.c and the shared files
define vectors_program
$(O)/tests/vectors/$(1): $$(addprefix $$(vectors_dir)/,$$(addsuffix .o,$$(vectors_shared) \
	$$(basename $$(notdir $$(wildcard tests/vectors/$(1)*.c))))) $(O)/.flags-ld
	$$(q_ld)mkdir -p $$(@D) && $$(CC) $$(pie_ldflags) $$(ldflags) -o $$@ $$(filter %.o,$$^) \
		$$(call pkg_libs,$$(vectors_pkgs)) -ldl
endef
$(eval $(call vectors_program,wycheproof))
$(eval $(call vectors_program,cavp))

.PHONY: vectors-programs
vectors-programs: $(vectors_programs)
	@:
