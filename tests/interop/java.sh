#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on Java: keytool, jarsigner and a TLS server by SunPKCS11; then the same by many connections.

. tests/interop/howto.sh
. tests/interop/server.sh
need pkcs11-tool
need keytool
need curl

alone www-data
page token java
certificate=$HOME/java.crt
point "200 handshakes by 16 connections" handshakes 8445 200
finish
