# SPDX-License-Identifier: Apache-2.0
#
# hsmctl, hsm-verify, hsm-bench and hsm-fw-sign; a tool is its main file and what begins with its name. hsmctl uses
# the library as any application does: by its public symbols. hsm-verify talks to no device and needs
# no libhsm. What begins with tool- is shared.

$(eval $(call component,tool,tools,$(wildcard tools/tool-*.c),json-c libcrypto))

ifneq ($(wildcard tools/hsmctl*.c),)
$(eval $(call component,hsmctl,tools,$(wildcard tools/hsmctl*.c),json-c p11-kit-1 libkmod libcbor))
$(eval $(call program,hsmctl,$(hsmctl_obj),tool attestation common,json-c libcrypto libcbor libkmod,$(O)/libhsm.so.0))
endif

ifneq ($(wildcard tools/hsm-verify*.c),)
$(eval $(call component,hsm-verify,tools,$(wildcard tools/hsm-verify*.c),json-c libcbor libcrypto))
$(eval $(call program,hsm-verify,$(hsm-verify_obj),tool attestation common,json-c libcbor libcrypto))
endif

ifneq ($(and $(wildcard tools/hsm-bench*.c),$(shell grep -ls '^int hsm_connect' libhsm/*.c)),)
$(eval $(call component,hsm-bench,tools,$(wildcard tools/hsm-bench*.c),libssl libcrypto json-c p11-kit-1))
$(eval $(call program,hsm-bench,$(hsm-bench_obj),attestation common,libssl libcrypto json-c,$(O)/libhsm.so.0))
endif

# The firmware vendor's tool
ifneq ($(wildcard tools/hsm-fw-sign.c),)
$(eval $(call component,hsm-fw-sign,tools,$(wildcard tools/hsm-fw-sign*.c),libcrypto libcbor))
$(eval $(call program,hsm-fw-sign,$(hsm-fw-sign_obj),attestation common,libcrypto libcbor))
endif
