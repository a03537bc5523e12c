#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on systemd-cryptenroll and cryptsetup: a volume that opens by a key of the token. No
# volume is mapped: that needs the device mapper, and root's, which tests leave alone.

. tests/interop/howto.sh
need pkcs11-tool
need cryptsetup
need systemd-cryptenroll

alone www-data
# p11-kit takes the home directory from the list of users.
export XDG_CONFIG_HOME="$HOME/.config"
mkdir -p .config/pkcs11/modules
echo "module: $HSM_PKCS11_MODULE" >.config/pkcs11/modules/hsm.module
page token tls cryptsetup
finish
