#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on BIND: a zone signed by hand, and one by the server's policy.

. tests/interop/howto.sh
need pkcs11-tool
need named

alone www-data
page token tls bind
servers="$servers $(cat named.pid)"
finish
