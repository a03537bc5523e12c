#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on nginx; then handshakes by many connections, in workers that have forked, and
# after a reload under load.

. tests/interop/howto.sh
. tests/interop/server.sh
need nginx
need curl
need pkcs11-tool

alone www-data
page token tls nginx
servers="$servers $(cat nginx.pid)"

nginx_points
finish
