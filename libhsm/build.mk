# SPDX-License-Identifier: Apache-2.0
#
# libhsm.so.0, and libhsm.a, which also holds what the library takes from common/.

ifneq ($(wildcard libhsm/*.c),)

libhsm_more := $(common_obj)
$(eval $(call component,libhsm,libhsm,$(wildcard libhsm/*.c),libssl libcrypto))
$(eval $(call shared,libhsm.so.0,libhsm.so.0,$(libhsm_obj),$(O)/common.a,libhsm/libhsm.map,libssl libcrypto))

$(O)/libhsm.so: $(O)/libhsm.so.0
	@ln -sf libhsm.so.0 $@

products += $(O)/libhsm.a $(O)/libhsm.so

endif
