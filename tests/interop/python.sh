#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 60
#
# The page on Python. python-pkcs11.py and pykcs11.py beside this try more.

. tests/interop/howto.sh
need pkcs11-tool

alone www-data
page token python
finish
