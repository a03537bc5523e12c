#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What attestation.rst has a vendor type. device-certificates.sh tries what boards and programs refuse.

. tests/interop/howto.sh
need pkcs11-tool
need openssl

alone www-data
page token ./attestation
finish
