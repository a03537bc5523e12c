#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The table in Documentation/mechanisms.rst is that of include/hsm/mechanisms.h.

. tests/lint/lib.sh

need python3

point "mechanisms.rst: table" python3 scripts/mechanisms-doc --check
finish
