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

ifneq ($(shell command -v rst2man),)
products += $(man_pages)
endif
