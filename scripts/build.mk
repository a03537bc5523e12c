# SPDX-License-Identifier: Apache-2.0
#
# Rules and variables of the build. Each directory's build.mk names its sources and
# products with the two macros below; paths are relative to the top.

include scripts/flags.mk
include scripts/install.mk

# --- macros for build.mk files ---

# $(call component,NAME,DIR,SOURCES,PACKAGES): objects of SOURCES, and $(O)/NAME.a of them without main.c
# and with what NAME_more lists. PACKAGES are pkg-config names; whoever links the archive gets them too.
define component
components += $(1)
$(1)_src := $(sort $(3))
$(1)_obj := $$(patsubst %.c,$(O)/obj/%.o,$$(filter-out %/main.c,$$($(1)_src)))
$(1)_pkgs := $(4)
$(1)_dir := $(2)
$$(patsubst %.c,$(O)/obj/%.o,$$($(1)_src)): cflags_extra := -I$(2) $$(call pkg_cflags,$(4))
$(O)/$(1).a: $$($(1)_obj) $$($(1)_more)
	$$(q_ar)rm -f $$@ && $$(AR) rcs $$@ $$($(1)_obj) $$($(1)_more)
endef

# Programs and libraries appear whole: what runs meanwhile keeps the old ones.

# $(call program,NAME,OBJECTS,COMPONENTS,PACKAGES,LIBRARIES): $(O)/NAME, linked from objects, component
# archives and our own shared libraries; PACKAGES are those of the program beyond its components'.
define program
programs += $(O)/$(1)
$(O)/$(1): $(2) $$(foreach c,$(3),$(O)/$$(c).a) $(5) $(O)/.flags-ld
	$$(q_ld)$$(CC) $$(pie_ldflags) $$(ldflags) -o $$@.new $(2) $$(foreach c,$(3),$(O)/$$(c).a) \
		$(if $(5),$(5) $$(call rpath,%:%/../lib$(if $(multiarch),:%/../lib/$(multiarch)))) \
		$$(call pkg_libs,$$(foreach c,$(3),$$($$(c)_pkgs)) $(4)) -lpthread -ldl -lm && mv $$@.new $$@
endef

# $(call shared,FILE,SONAME or nothing,OBJECTS,ARCHIVES,MAP,PACKAGES,MORE FLAGS)
define shared
libraries += $(O)/$(1)
$(O)/$(1): $(3) $(4) $(wildcard $(5)) $(O)/.flags-ld
	$$(q_ld)$$(CC) -shared $$(if $(2),-Wl$$(comma)-soname$$(comma)$(2)) $$(ldflags) $(7) -Wl,--exclude-libs,ALL \
		$$(if $(wildcard $(5)),-Wl$$(comma)--version-script=$(5)) \
		-o $$@.new $(3) $(4) $$(call pkg_libs,$(6)) -lpthread && mv $$@.new $$@
endef

# --- compiling ---

$(O)/obj/%.o: %.c $(O)/.flags-cc | $(O)/gen/hsm-paths.h
	$(q_cc)mkdir -p $(@D) && $(CC) $(cppflags) $(cflags) $(cflags_extra) -MMD -MP -c -o $@ $<

# Rewritten only when the flags change, so that what was made with others is made again.
.PHONY: FORCE
$(O)/.flags-cc: FORCE
	@mkdir -p $(O) && printf '%s\n' '$(CC) $(cppflags) $(cflags)' | scripts/if-changed $@
$(O)/.flags-ld: FORCE
	@mkdir -p $(O) && printf '%s\n' '$(CC) $(pie_ldflags) $(ldflags)' | scripts/if-changed $@

# Where installed files are, in a header of its own: another PREFIX compiles only what asks.
$(O)/gen/hsm-paths.h: FORCE
	@mkdir -p $(@D) && printf '#define HSM_%s "%s"\n' LIBEXECDIR '$(LIBEXECDIR)/hsm' \
		SYSCONFDIR '$(SYSCONFDIR)' BINDIR '$(BINDIR)' \
		MODULEDIR '$(MODULEDIR)' P11KITDIR '$(P11KITDIR)' P11KIT_MODULES '$(p11kit_modules)' | scripts/if-changed $@

# --- directories ---

include $(wildcard $(patsubst %,%/build.mk,common attestation libhsm pkcs11 vhsm/board vhsm/firmware tools system kernel Documentation))
include $(wildcard tests/build.mk)

.PHONY: all
all: $(programs) $(libraries) $(products)
	@mkdir -p $(O)

-include $(shell test -d $(O)/obj && find $(O)/obj -name '*.d')

# --- using what was built ---

# The program's own output is all there is on standard output: it may be piped on.
.PHONY: run shell demo bench bench-scale bench-plots bench-figures
export HSM_CMD := $(value CMD)
run:
	+@$(MAKE) --no-print-directory all >&2
	@test -n "$$HSM_CMD" || { echo "usage: make run CMD='...'" >&2; exit 2; }
	@scripts/env $(O) sh -c "$$HSM_CMD"

shell: all
	@scripts/env $(O) scripts/interactive

demo: all
	@scripts/env $(O) scripts/demo

bench: all
	@scripts/env $(O) scripts/bench

# The pictures of the documents: drawn, and measured before
bench-plots:
	@scripts/bench-plots

bench-figures: all
	@scripts/env $(O) scripts/bench --rounds 5 --wait-idle 60
	@cp $(O)/bench/bench.json Documentation/figures/bench/bench.json
	@scripts/bench-plots

bench-scale: all
	@scripts/env $(O) scripts/bench-scale --capacity

.PHONY: print-build
print-build:
	@echo $(O)

# --- for editors and formatting ---

c_files = $(shell find common libhsm pkcs11 tests tools vhsm -name '*.c')

.PHONY: format
format:
	$(if $(c_files),clang-format -i $(c_files))

.PHONY: compile_commands.json
compile_commands.json:
	@{ $(foreach c,$(components),scripts/compile-commands $(CC) $(cppflags) $(cflags) -I$($(c)_dir) \
		$(call pkg_cflags,$($(c)_pkgs)) -- $($(c)_src);) \
	scripts/compile-commands $(CC) $(cppflags) $(cflags) -Itests/unit \
		$(foreach c,$(components),-I$($(c)_dir)) -- $(test_src); } | \
		sed -e '1s/^,/[/' -e '$$s/$$/]/' >$@
