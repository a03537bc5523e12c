#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on Java: keytool, jarsigner and a TLS server by SunPKCS11.

. tests/interop/howto.sh
need pkcs11-tool
need keytool
need curl

alone www-data
page token java
finish
