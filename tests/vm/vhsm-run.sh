#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# vhsm-run: the arguments that it makes are QEMU's own, of which the page on libvirt shows the same; QEMU
# has the functions.

. tests/hsm.sh

run=system/vhsm-run
need python3

shows() {
	"$run" -n -m 256 /run/vhsm/main/fn1.sock,/run/b/fn2.sock -nic 'user,id=it'\''s' >"$out" && cat "$out" &&
		eval "set -- $(cat "$out")" && [ "$1" = "qemu-system-$(uname -m)" ] &&
		grep -F "hotplug=off" "$out" && grep -F '/run/b/fn2.sock' "$out" && grep -F "size=256M,share=on" "$out"
}

# Each argument of the page's XML is one of those that are made here.
same_as_page() {
	"$run" -n /run/vhsm/main/fn1.sock >"$out"
	python3 - "$out" <<-EOF2
		import shlex, sys, textwrap
		from xml.etree import ElementTree
		page = open("Documentation/howto/libvirt.rst").read()
		text = textwrap.dedent(page.split(":caption: guest.xml\n")[1].split("\n\`\`vhsm-run")[0])
		tree = ElementTree.fromstring(text)
		have = [a.get("value") for a in tree.iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]
		made = shlex.split(open(sys.argv[1]).read())
		assert len(have) == 4 and all(a in made for a in have), (have, made)
		assert tree.find("memoryBacking/access").get("mode") == "shared"
	EOF2
}

refuses() {
	says 2 "is not a socket" "$run" "$TMPDIR/nothing" && says 2 "no such characters" "$run" "/tmp/a b" &&
		says 2 "usage" "$run" && says 2 "megabytes" "$run" -m much /x
}

# QEMU itself, stopped before the guest runs, tells what devices it has.
attached() {
	hsm_new run
	chmod 700 "$dir"
	hsmctl list >/dev/null || return 1
	printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"qom-list","arguments":{"path":"/machine/peripheral"}}' '{"execute":"quit"}' |
		VHSM_QEMU=qemu-system-x86_64 timeout 120 "$run" -m 128 "$dir/run/fn1.sock,$dir/run/fn2.sock" -S -accel tcg \
			-nodefaults -display none -qmp stdio >"$out" 2>&1
	cat "$out"
	[ "$(grep -oE '"vhsm[12]", "type": "child<vfio-user-pci>"' "$out" | sort -u | wc -l)" -eq 2 ]
}

point "it shows the command" shows
point "the page on libvirt has the same" same_as_page
point "it refuses what cannot be" refuses
if command -v qemu-system-x86_64 >/dev/null; then
	point "QEMU has two functions" attached
fi
finish
