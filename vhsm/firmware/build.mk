# SPDX-License-Identifier: Apache-2.0
#
# hsm-firmware, and the bundle that the board verifies and runs: the program, the dynamic
# loader, every library, and a manifest of them.

ifneq ($(wildcard vhsm/firmware/*.c),)

$(eval $(call component,firmware,vhsm/firmware,$(wildcard vhsm/firmware/*.c),libssl libcrypto libseccomp libcap-ng))

ifneq ($(wildcard vhsm/firmware/main.c),)
$(eval $(call program,hsm-firmware,$(O)/obj/vhsm/firmware/main.o,firmware attestation common))

$(O)/firmware/manifest: $(O)/hsm-firmware scripts/firmware-bundle
	@echo "  GEN   $@"; scripts/firmware-bundle $(O)/hsm-firmware $(O)/firmware

products += $(O)/firmware/manifest
endif

endif
