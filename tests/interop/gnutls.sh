#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on GnuTLS. tests/interop/p11tool.sh tries more of its tools.

. tests/interop/howto.sh
need pkcs11-tool
need p11tool
need curl

alone www-data
page token gnutls
finish
