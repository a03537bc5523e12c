#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The completions in the shells themselves: verbs, a verb's own options, and nothing that is not its own.

. tests/lint/lib.sh

made=$HSM_BUILD/completions

# offers LINE: what the shell offers after it, one a line
bash_offers() {
	bash --norc --noprofile -c '
		compopt() { :; }
		. "$1"
		line=$2
		read -ra COMP_WORDS <<<"$line"
		[[ $line != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		function=$(complete -p "${COMP_WORDS[0]}" | sed "s/.*-F \([^ ]*\).*/\1/")
		"$function"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$made/bash/${1%% *}" "$1"
}

# Its own functions for output stand in: they need a line editor.
zsh_offers() {
	zsh -f -c '
		_describe() { while [[ $1 == -* || $1 == option || $1 == verb ]]; do shift; done; print -l -- ${(P)1%%:*} }
		_files() { print -- "<files>" }
		_message() { print -- "<text>" }
		complete_it() { eval "$(<$1)" }
		words=(${(s: :)2})
		[[ $2 == *" " ]] && words+=("")
		CURRENT=$#words
		complete_it $1' zsh "$made/zsh/_${1%% *}" "$1" | grep "^${1##* }\|^<"
}

fish_offers() {
	# shellcheck disable=SC2016	# fish expands it
	fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$made/fish/${1%% *}.fish" "$1" | cut -f 1
}

# offered SHELL LINE WORD...: WORD is among what SHELL offers; !WORD is not.
offered() {
	shell=$1
	line=$2
	shift 2
	"${shell}_offers" "$line" >"$TMPDIR/out"
	for word; do
		case $word in
		!*) ! grep -qxF -e "${word#!}" "$TMPDIR/out" ;;
		*) grep -qxF -e "$word" "$TMPDIR/out" ;;
		esac || { echo "$shell, '$line': $word"; cat "$TMPDIR/out"; return 1; }
	done
}

# Every verb and every option of every verb that hsmctl's help names
complete_list() {
	for verb in $(hsmctl --help | sed -n 's/^  \([a-z-]*\) \{2,\}.*/\1/p'); do
		offered "$1" "hsmctl ${verb%?}" "$verb" || return 1
	done
	for option in $(hsmctl partition create --help | sed -n 's/^ .*--\([a-z0-9-]*\) .*/\1/p'); do
		offered "$1" "hsmctl partition create --$option" "--$option" || return 1
	done
}

for shell in bash zsh fish; do
	if ! command -v "$shell" >/dev/null; then
		point "$shell # SKIP it is not installed" true
		continue
	fi
	point "$shell: verbs" offered $shell "hsmctl " list partition firmware !create !--json
	point "$shell: second words" offered $shell "hsmctl partition m" migrate-status migrate-export !create
	point "$shell: options before the verb" offered $shell "hsmctl --device /dev/ihsm0 audit e" export !release
	point "$shell: a verb's options" offered $shell "hsmctl audit export --f" --from --format !--function
	point "$shell: all of them" complete_list $shell
	point "$shell: hsm-verify" offered $shell "hsm-verify evidence --po" --policy
	point "$shell: hsm-fw-sign" offered $shell "hsm-fw-sign s" sign !keygen
	point "$shell: vhsm" offered $shell "vhsm --i" --idle-exit --inject-sensors !--state
	point "$shell: two on a line" offered $shell "vhsm --v" --version --vendor-hash
	point "$shell: hsm-bench" offered $shell "hsm-bench --s" --slot --seconds !--module
done
finish
