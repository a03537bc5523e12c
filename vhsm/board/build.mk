# SPDX-License-Identifier: Apache-2.0
#
# vhsm, the board.

ifneq ($(wildcard vhsm/board/*.c),)

# Fuses in a TPM, where libtss2 is there to build with
tpm_pkgs := tss2-esys tss2-tctildr tss2-rc
tpm_pkgs := $(if $(shell $(PKG_CONFIG) --exists $(tpm_pkgs) && echo yes),$(tpm_pkgs))

$(eval $(call component,board,vhsm/board,$(wildcard vhsm/board/*.c),sqlite3 libcrypto libseccomp libcap-ng $(tpm_pkgs)))
$(O)/obj/vhsm/board/fuses_tpm.o: cflags_extra += $(if $(tpm_pkgs),-DHSM_TPM)

ifneq ($(wildcard vhsm/board/main.c),)
$(eval $(call program,vhsm,$(O)/obj/vhsm/board/main.o,board attestation common))
endif

endif
