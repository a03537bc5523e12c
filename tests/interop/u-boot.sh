#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 60
#
# The page on U-Boot: mkimage signs a FIT image.

. tests/interop/howto.sh
need pkcs11-tool
need mkimage
need dtc

alone root
page token tls u-boot
finish
