# SPDX-License-Identifier: Apache-2.0
#
# hsm-firmware, and the bundle that the board verifies and runs: the program, the dynamic
# loader, every library, and a signed manifest of them.

ifneq ($(wildcard vhsm/firmware/*.c),)

$(eval $(call component,firmware,vhsm/firmware,$(wildcard vhsm/firmware/*.c),libssl libcrypto libseccomp libcap-ng))

ifneq ($(wildcard vhsm/firmware/main.c),)
$(eval $(call program,hsm-firmware,$(O)/obj/vhsm/firmware/main.o,firmware attestation common))

# Raised when firmware of before must not run any more on a board that has its minimum set.
security_version ?= 1

# Whoever builds without keys of a vendor's own gets some of this build's, made once. No board in
# production takes what they sign. They are kept by `make clean`: boards were made to believe them.
vendor_keys := $(or $(VENDOR_KEYS),$(O)/dev-keys)

$(O)/dev-keys/es384.pem: | $(O)/hsm-fw-sign
	@echo "  GEN   $(@D)"; rm -rf $(@D) && $(O)/hsm-fw-sign keygen --development $(@D)

$(O)/gen/hsm-vendor.h: $(vendor_keys)/es384.pem scripts/vendor-header | $(O)/hsm-fw-sign
	@echo "  GEN   $@"; mkdir -p $(@D) && scripts/vendor-header $(O)/hsm-fw-sign $(vendor_keys) >$@.new && mv $@.new $@

$(O)/obj/vhsm/board/vendor.o: $(O)/gen/hsm-vendor.h

$(O)/firmware/manifest: $(O)/hsm-firmware scripts/firmware-bundle $(vendor_keys)/es384.pem $(O)/.firmware-version | $(O)/hsm-fw-sign
	@echo "  GEN   $@"; scripts/firmware-bundle $(O)/hsm-firmware $(O)/firmware $(O) $(vendor_keys) \
		$(version) $(security_version)

$(O)/.firmware-version: FORCE
	@mkdir -p $(O) && printf '%s\n' '$(version) $(security_version) $(vendor_keys)' | scripts/if-changed $@

products += $(O)/firmware/manifest
endif

endif
