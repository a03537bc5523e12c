#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The page on PostgreSQL: a client's certificate.

. tests/interop/howto.sh
need pkcs11-tool
need psql

alone postgres
page token tls postgresql
finish
