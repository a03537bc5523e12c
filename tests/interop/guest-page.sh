#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The host's part of the page on guests; the guest's is in tests/vm.

. tests/interop/howto.sh
need openssl

alone www-data
HOWTO_EDIT="s|/var/lib/vhsm|$HOME/vhsm|g; s|/run/vhsm|$HOME/run|g"
page guest
finish
