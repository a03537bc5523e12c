#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on OpenSSL: provider and engine. tests/interop/openssl.sh tries more kinds of keys.

. tests/interop/howto.sh
need pkcs11-tool
need curl

alone www-data
page token tls openssl
finish
