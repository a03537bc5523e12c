# SPDX-License-Identifier: Apache-2.0
#
# vhsm, the board.

ifneq ($(wildcard vhsm/board/*.c),)

$(eval $(call component,board,vhsm/board,$(wildcard vhsm/board/*.c),sqlite3 libcrypto libseccomp libcap-ng))

ifneq ($(wildcard vhsm/board/main.c),)
$(eval $(call program,vhsm,$(O)/obj/vhsm/board/main.o,board attestation common))
endif

endif
