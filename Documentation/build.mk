# SPDX-License-Identifier: Apache-2.0
#
# Manual pages from Documentation/man/NAME.SECTION.rst, where docutils are at hand.

man_src := $(wildcard Documentation/man/*.rst)
man_page = $(O)/man/man$(subst .,,$(suffix $(1)))/$(1)
man_pages := $(foreach m,$(patsubst Documentation/man/%.rst,%,$(man_src)),$(call man_page,$(m)))

define manual
$(call man_page,$(1)): Documentation/man/$(1).rst
	$$(q_man)mkdir -p $$(@D) && rst2man --exit-status=2 $$< $$@
endef
$(foreach m,$(patsubst Documentation/man/%.rst,%,$(man_src)),$(eval $(call manual,$(m))))

# One for each call of the library, from its headers.
man3_made := $(O)/man/man3/.made
$(man3_made): include/hsm/hsm.h include/hsm/operations.h include/hsm/wire.h libhsm/libhsm.map scripts/man3 VERSION debian/changelog
	$(q_man)scripts/man3 $(@D) && touch $@

products += $(man3_made)
man_calls = $(patsubst %,$(O)/man/man3/%.3,$(shell sed -n 's/^\t\(hsm_[a-z0-9_]*\);$$/\1/p' libhsm/libhsm.map))

ifneq ($(shell command -v rst2man),)
products += $(man_pages)
endif

# The documents as pages. What Sphinx reads is a copy, with the library's calls from its headers beside it.
docs_src := $(shell find Documentation -name '*.rst' -o -name '*.svg' -o -name conf.py)
.PHONY: docs
docs: $(O)/html/.made
	@echo $(O)/html/index.html
$(O)/html/.made: $(docs_src) scripts/docs scripts/man3 include/hsm/hsm.h include/hsm/operations.h include/hsm/wire.h libhsm/libhsm.map VERSION
	$(q_doc)scripts/docs $(O)/html && touch $@
