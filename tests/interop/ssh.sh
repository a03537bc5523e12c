#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on OpenSSH: a user's key, an agent, a certification authority, a host's key, and a login
# by all of them.

. tests/interop/howto.sh
need pkcs11-tool
need ssh-add
[ -x /usr/sbin/sshd ] || {
	echo "1..0 # SKIP sshd is not installed"
	exit 0
}

alone root
[ -d /run/sshd ] || mkdir /run/sshd
page token ssh
servers="$servers $(cat sshd.pid) $(pgrep -f "ssh-agent .*$HSM_PKCS11_MODULE")"
finish
