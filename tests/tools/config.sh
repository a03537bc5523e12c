#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 60
#
# hsmctl config check: each thing that can be wrong in hsm.conf is found before a device is opened.

. tests/hsm.sh
need openssl

conf=$TMPDIR/hsm.conf
HSM_CONF=$conf
export HSM_CONF
unset HSM_DEVICE

# found PATTERN: the file, from standard input, is refused so
found() {
	cat >"$conf"
	says 2 "$1" hsmctl config check
}

good() {
	cat >"$conf"
	says 0 "$1" hsmctl config check
}

shipped() {
	good "file +$conf" <system/hsm.conf
}

# With the marks of comments away, but for what it says of files that are not there
uncommented() {
	sed -e '/^# /d' -e 's/^#//' -e "s|/etc/hsm/vendor.pem|$TMPDIR/root.pem|" system/hsm.conf | good "sections +1"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMPDIR/key.pem" -out "$TMPDIR/root.pem" \
	-subj /CN=root -days 2 2>/dev/null
chmod 600 "$TMPDIR/key.pem"

point "the file that is installed" shipped
point "each of its lines" uncommented
point "a line that is none" found "hsm.conf:1: .*hello" <<END
hello
END
point "an unknown key, on its line" found "hsm.conf:3: unknown key 'pim'" <<END

# a comment
pim = x
END
point "a device that cannot be" found "nowhere" <<END
device = nowhere
END
point "a section's device, likewise" found "nowhere" <<END
device = /dev/ihsm0
[device nowhere]
END
point "certificates that are not there" found "cannot read certificates from /nonexistent/root.pem" <<END
root-certificate = /nonexistent/root.pem
END
point "of one device alone" found "cannot read certificates from $conf" <<END
device = /dev/ihsm0
root-certificate = $TMPDIR/root.pem
[device /dev/ihsm1]
root-certificate = $conf
END
point "a demand without roots" found "root-certificate" <<END
minimum-security-version = 2
END
point "a client certificate without key" found "client-key" <<END
client-certificate = $TMPDIR/root.pem
END
chmod 644 "$TMPDIR/key.pem"
point "a key that others can read" found "key.pem" <<END
client-certificate = $TMPDIR/root.pem
client-key = $TMPDIR/key.pem
END
chmod 600 "$TMPDIR/key.pem"
point "and one that is right" good "/dev/ihsm7" <<END
device = /dev/ihsm7
client-certificate = $TMPDIR/root.pem
client-key = $TMPDIR/key.pem
END
rm "$conf"
point "a file that HSM_CONF names and that is not there" says 2 "does not exist" hsmctl config check
point "JSON" sh -c 'unset HSM_CONF; hsmctl --json config check | python3 -c "import json, sys; assert json.load(sys.stdin)[\"sections\"] == 0"'
finish
