#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page that the others begin with, as a user without rights.

. tests/interop/howto.sh
need pkcs11-tool

alone www-data
page token
finish
