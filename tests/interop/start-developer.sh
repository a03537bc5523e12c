#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first page for a developer, with nothing before it.

. tests/interop/howto.sh
need pkcs11-tool

alone www-data
page start/developer
finish
