#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on strongSwan: two IKE daemons, one of which has its key in the token.

. tests/interop/howto.sh
need pkcs11-tool
need swanctl
[ -x /usr/lib/ipsec/charon ] || {
	echo "1..0 # SKIP charon is not installed"
	exit 0
}

# The other side: a key file, a network of its own, and a /run of its own, where a daemon's number lies.
peer() {
	mkdir -p peer/private
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout peer/private/peer.pem \
		-out peer.crt -subj /CN=peer -days 30
	cat >peer.conf <<-END
		charon {
			load = random nonce openssl kdf pem pkcs1 pkcs8 pubkey x509 constraints kernel-netlink socket-default vici
			plugins {
				vici {
					socket = unix://$HOME/peer.vici
				}
			}
		}
	END
	cat >peer/swanctl.conf <<-END
		connections {
			peer {
				remote_addrs = 192.0.2.1
				childless = force
				local {
					certs = $HOME/peer.crt
				}
				remote {
					certs = $HOME/tls.crt
				}
			}
		}
	END
	mkfifo ready go
	STRONGSWAN_CONF=$HOME/peer.conf unshare --net --mount --propagation unchanged sh -c \
		'ip link set lo up && mount -t tmpfs tmpfs /run &&
			echo >ready && read -r go <go && exec /usr/lib/ipsec/charon' >peer.log 2>&1 &
	servers="$servers $!"
	read -r _ <ready
	ip link add here type veth peer name there netns "$!" || return 1
	ip address add 192.0.2.1/24 dev here && ip link set here up || return 1
	nsenter --net --target "$!" sh -c 'ip address add 192.0.2.2/24 dev there && ip link set there up' || return 1
	echo >go
	tries=0
	until SWANCTL_DIR=$HOME/peer swanctl --load-all --uri "unix://$HOME/peer.vici"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return 1
		sleep 0.2
	done
}

alone root
mount -t tmpfs tmpfs /run
page token tls
unset OPENSSL_CONF
point "the other side" peer
page strongswan
finish
