# SPDX-License-Identifier: Apache-2.0
#
# What both sides of the rings share: codec, tables, rings, channel record layer.

$(eval $(call component,common,common,$(wildcard common/*.c),libssl libcrypto))
