#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on OpenVPN: a client's key by pkcs11-helper.

. tests/interop/howto.sh
need pkcs11-tool
need openvpn
need socat

alone root
page token tls openvpn
servers="$servers $(cat client.pid)"
finish
