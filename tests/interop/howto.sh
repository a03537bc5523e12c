# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Runs the pages of Documentation/howto/ as their reader would: the commands in their order, in one
# shell, in an empty home directory. Each is a TAP point. Sourced from the top of the tree by a test
# of each page, which first says what it needs and can look closer afterwards.

. tests/lint/lib.sh

umask 077
top=$PWD
shown=$TMPDIR/shown	# what the last command has said
servers=''
patient=''

# What a page names by a path that is not its reader's; HOWTO_EDIT is what a test changes besides.
howto_local() {
	printf '%s\n' "$1" | sed -e "s|/usr/local/lib/pkcs11/hsm-pkcs11.so|$HSM_PKCS11_MODULE|g" -e "s|/home/user|$HOME|g" \
		-e "${HOWTO_EDIT:-}"
}

howto_file() {
	howto_local "$2" >"$1"
	echo "--- $1 written" >&2
}

howto_shows() {
	[ -n "$1" ] || return 0
	printf '%s\n' "$1" | while IFS= read -r line; do
		tr -s ' \t' ' ' <"$shown" | grep -qF -e "$(printf '%s\n' "$line" | tr -s ' ')" || { echo "its output lacks: $line" >&2; exit 1; }
	done
}

# In this shell, so that variables and directories stay. A server that was sent to the background may
# need a moment: the first command after it is tried again.
howto_run() {
	printf '$ %s\n' "$1" >&2
	case $1 in
	*' &')
		eval "$1" >"$TMPDIR/server.$points" 2>&1 </dev/null
		servers="$servers $!"
		patient=300
		return 0
		;;
	esac
	tries=0
	until eval "$1" >"$shown" 2>&1 </dev/null && howto_shows "$2"; do
		tries=$((tries + 1))
		[ "$tries" -lt "${patient:-1}" ] || { cat "$shown" >&2; return 1; }
		sleep 0.1
	done
	patient=''
	cat "$shown" >&2
}

# HOWTO_SKIP is how a command begins that a test cannot run where it is.
howto_step() {
	case $2 in
	"${HOWTO_SKIP:-none}"*)
		report 0 "$1: $HOWTO_SKIP # SKIP not possible here"
		return 0
		;;
	esac
	howto_run "$(howto_local "$2")" "$3"
	report $? "$1: $(printf '%s' "$2" | tr -s '#\\\n ' ' ' | cut -c 1-90)"
}

# What only root of a machine of one's own can do: HOWTO_ROOT is set where that is so, in a guest.
howto_root() {
	[ -z "${HOWTO_ROOT:-}" ] || howto_step "$@"
}

# page NAME...: all that these pages say, in this order
page() {
	commands=$(cd "$top" && python3 tests/interop/howto.py "$@") || exit 1
	eval "$commands"
}

howto_boards() {
	pgrep -f -x "[^ ]*vhsm .*$HOME/.*" || true
}

# Whatever happens, no server and no board stays behind.
howto_end() {
	status=$?
	trap - EXIT
	for pid in $servers $(howto_boards); do
		kill "$pid" 2>/dev/null && timeout 20 tail -s 0.05 --pid="$pid" -f /dev/null
	done
	if [ "$status" -ne 0 ]; then
		tail -n 20 "$TMPDIR"/server.* "$HOME"/*.log "$HOME"/.hsm/vhsm.log >&2 2>/dev/null
	fi
	exit "$status"
}
trap howto_end EXIT
trap 'exit 143' TERM

# alone USER: the script runs again in a network of its own, so that every port is free, and as an
# ordinary user, whom some servers demand. He may not be able to reach the tree where it is.
alone() {
	if [ -z "${HSM_ALONE:-}" ] && [ "$(id -u)" -eq 0 ]; then
		export HSM_ALONE=1 HSM_USER="$1" HSM_BUILD_NAME="${HSM_BUILD#"$top"/}"
		[ "$HSM_USER" = root ] || chown -R "$HSM_USER:" "${TMPDIR%/tmp}"
		# In a chroot the root is no mount, whose propagation could be changed.
		for how in "--mount" "--mount --propagation unchanged"; do
			# shellcheck disable=SC2086	# a list of words
			unshare --net $how true 2>/dev/null || continue
			# shellcheck disable=SC2086,SC2016	# expanded by the shell inside
			exec unshare --net $how -- sh -c 'ip link set lo up && mount --bind "$1" /mnt && cd /mnt &&
				exec setpriv --reuid "$HSM_USER" --regid "$(id -g "$HSM_USER")" --clear-groups \
				scripts/env "/mnt/$HSM_BUILD_NAME" sh "$0"' "$0" "$top"
		done
		echo "1..0 # SKIP no network namespace here"
		exit 0
	fi
	cd "$HOME" || exit 1
}
