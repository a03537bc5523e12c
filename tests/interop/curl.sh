#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on curl: a client's key.

. tests/interop/howto.sh
need pkcs11-tool
need curl

alone www-data
page token tls curl
finish
