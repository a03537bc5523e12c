# SPDX-License-Identifier: Apache-2.0
#
# libhsm.so.0, and libhsm.a, which also holds what the library takes from common/ and attestation/.

ifneq ($(wildcard libhsm/*.c),)

# Of attestation/ the check of chains, which needs nothing but libcrypto.
libhsm_dice := $(patsubst %.c,$(O)/obj/%.o,$(wildcard attestation/dice_*.c))
libhsm_more := $(common_obj) $(libhsm_dice)
$(eval $(call component,libhsm,libhsm,$(wildcard libhsm/*.c),libssl libcrypto liburing))
# The codec and the table of operations are part of the public interface: they are linked as they are, the
# rest of common/ from the archive, whose symbols stay inside.
libhsm_public := $(O)/obj/common/codec.o $(O)/obj/common/operations.o
$(eval $(call shared,libhsm.so.0,libhsm.so.0,$(libhsm_obj) $(libhsm_public),$(libhsm_dice) $(O)/common.a,libhsm/libhsm.map,libssl libcrypto liburing))

$(O)/libhsm.so: $(O)/libhsm.so.0
	@ln -sf libhsm.so.0 $@

products += $(O)/libhsm.a $(O)/libhsm.so

endif
