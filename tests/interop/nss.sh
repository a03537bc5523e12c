#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on NSS: a database that knows the module, a key made in the token, one imported.

. tests/interop/howto.sh
need pkcs11-tool
need certutil

alone www-data
page token nss
finish
