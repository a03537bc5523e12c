#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on GnuPG: a signed message with a key of the token.

. tests/interop/howto.sh
need pkcs11-tool
need gpgsm
need gnupg-pkcs11-scd

alone www-data
export GNUPGHOME="$HOME/.gnupg"
page token tls gnupg
gpgconf --kill all
finish
