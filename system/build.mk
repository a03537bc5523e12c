# SPDX-License-Identifier: Apache-2.0
#
# Completions of the shells, from the programs themselves: scripts/completions.

completed := $(filter $(O)/hsmctl $(O)/hsm-verify $(O)/hsm-bench $(O)/hsm-fw-sign $(O)/vhsm,$(programs))

ifneq ($(completed),)
ifndef SANITIZE
$(O)/completions/.made: $(completed) $(O)/libhsm.so.0 scripts/completions
	@echo "  GEN   $(@D)"; rm -rf $(@D) && LD_LIBRARY_PATH=$(O) scripts/completions $(@D) $(completed) && touch $@

products += $(O)/completions/.made
endif
endif
