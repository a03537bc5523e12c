#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 60
#
# The page on pkcs11-tool. pkcs11-tool.sh beside this tries more.

. tests/interop/howto.sh
need pkcs11-tool

alone www-data
page token pkcs11-tool
finish
