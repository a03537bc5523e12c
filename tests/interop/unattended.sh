#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on services that start with nobody by. No systemd runs where tests do: a directory stands for
# that of its credentials.

. tests/interop/howto.sh
need pkcs11-tool
need ssh-add

alone root
page token tls
mkdir credentials && mv .pin credentials/hsm-pin
export CREDENTIALS_DIRECTORY="$PWD/credentials"
unset OPENSSL_CONF PIN
page unattended
servers="$servers $(pgrep -f "ssh-agent -a $PWD/host-keys")"

without() {
	! OPENSSL_CONF=$PWD/unattended.cnf CREDENTIALS_DIRECTORY=$PWD openssl dgst -sha256 -sign tls.pem page </dev/null
}

# The units' own lines: what stands after ExecStart is what the page has run.
credential_lines() {
	[ "$(grep -c 'LoadCredentialEncrypted=hsm-pin$' "$top/Documentation/howto/unattended.rst")" -eq 2 ]
}

point "another directory has no PIN" without
point "both units load the credential" credential_lines
finish
