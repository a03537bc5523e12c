# SPDX-License-Identifier: Apache-2.0
#
# hsm-pkcs11.so. It finds libhsm.so.0 beside itself in the tree, and one directory up
# where it is installed.

ifneq ($(wildcard pkcs11/*.c),)

$(eval $(call component,pkcs11,pkcs11,$(wildcard pkcs11/*.c),))
$(eval $(call shared,hsm-pkcs11.so,,$(pkcs11_obj),$(O)/libhsm.so.0 $(O)/common.a,pkcs11/hsm-pkcs11.map,libcrypto,\
	-Wl$(comma)-Bsymbolic $$(call rpath,%:%/..)))

endif
