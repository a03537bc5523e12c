#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The claims and the CDDL in Documentation/attestation.rst are those of include/hsm/evidence.h.

. tests/lint/lib.sh

need python3
need gcc

point "attestation.rst: claims and CDDL" python3 scripts/evidence-doc --check
finish
