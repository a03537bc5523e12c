#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The tables in Documentation/commands.rst and policy.rst are those of the sources.

. tests/lint/lib.sh

need python3

point "commands.rst, policy.rst: tables" python3 scripts/commands-doc --check
finish
