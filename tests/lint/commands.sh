#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The tables in Documentation/commands.rst policy.rst and json.rst are those of the sources.

. tests/lint/lib.sh

need python3

point "commands.rst, policy.rst: tables" python3 scripts/commands-doc --check
if [ -x "$HSM_BUILD/hsmctl" ]; then
	point "json.rst: tables" python3 scripts/json-doc --check "$HSM_BUILD/hsmctl"
fi
finish
