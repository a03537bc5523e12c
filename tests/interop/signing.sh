#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The page on signing: osslsigncode, sbsign and sign-file of the kernel.

. tests/interop/howto.sh
need pkcs11-tool
need osslsigncode
need sbsign

alone root
page token tls signing
finish
