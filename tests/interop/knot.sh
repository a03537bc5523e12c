#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on Knot DNS: a zone that the server signs.

. tests/interop/howto.sh
need pkcs11-tool
need knotd
need keymgr

alone www-data
page token knot
finish
