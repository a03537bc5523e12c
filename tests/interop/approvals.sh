#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page of that name. approval.sh tries what it does not show.

. tests/interop/howto.sh
need pkcs11-tool
need openssl

alone www-data
page token approvals
finish
