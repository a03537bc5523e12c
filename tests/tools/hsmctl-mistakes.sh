#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What a new user of hsmctl gets wrong, and what the message says to do.

. tests/hsm.sh

hsm_new mistakes

# wrong STATUS PATTERN ARGUMENT...
wrong() {
	want=$1 pattern=$2
	shift 2
	point "hsmctl $*" says "$want" "$pattern" hsmctl "$@"
}

# --- verbs and options ---

wrong 2 "did you mean 'hsmctl list'" lits
wrong 2 "did you mean 'hsmctl status'" statsu
wrong 2 "usage: hsmctl .*VERB"
wrong 2 "no verb; hsmctl --help" --json
wrong 2 "which 'partition'\? create, update" partition
wrong 2 "which 'backup'\? allow, share" backup --json
wrong 2 "no verb 'partition lst'; did you mean 'hsmctl partition list'" partition lst
wrong 2 "did you mean 'hsmctl partition create'" create partition x
wrong 2 "did you mean 'hsmctl partition list'" partitions list
wrong 2 "did you mean 'hsmctl pin set'" pni set
wrong 2 "there are: export keys" keys list
wrong 2 "there are: .*migrate-softhsm" migrate
wrong 2 "no verb 'rotate'; hsmctl --help" rotate
wrong 2 "no option --jsn; did you mean --json" list --jsn
wrong 2 "did you mean --profile" partition create x --proflie=strict
wrong 2 "no option --colossal; --help" list --colossal
wrong 2 "--pi is short for more than one: --pin-min" list --pi
wrong 2 "no option -x" list -x
wrong 2 "--device needs an argument: NAME" list --device
wrong 2 "--device needs an argument: NAME" list -d
wrong 2 "--json takes no argument" list --json=yes
wrong 2 "usage: hsmctl partition show PARTITION" partition show
wrong 2 "usage: hsmctl list" list partition
wrong 2 "takes no option like --partition; hsmctl info --help" info --partition x
wrong 2 "give only one of --pin-file" partition init --pin-file a --pin-fd 3
wrong 0 "usage: hsmctl" help
wrong 0 "usage: hsmctl .*partition create NAME" help partition create

# --- values ---

wrong 2 "neither strict, compatible nor legacy" partition create x --profile stict
wrong 2 "'two' is no number" partition create x --function two
wrong 2 "'many' is no number" partition create x --max-objects many
wrong 2 "no mechanism 'CKM_ECDSAA'; did you mean 'CKM_ECDSA'" partition create x --mechanisms CKM_ECDSAA
wrong 2 "did you mean 'AES_GCM'" partition create x --mechanisms aes_gmc
wrong 2 "mechanisms.rst lists them" partition create x --mechanisms nonsense
wrong 1 "no partition 'defalt'; did you mean 'default'" partition show defalt
wrong 3 "no partition 'defualt'; did you mean 'default'\? hsmctl list" policy defualt
wrong 3 "no partition 'other'; hsmctl list" policy other
wrong 2 "none of user, so, officer" pin set --role usr
wrong 2 "user, manager, read-only or auditor" user add bob --role admin --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
wrong 2 "--pin-file, --pin-fd or --pin-credential" user list </dev/null
wrong 2 "no command 'inventroy'; did you mean 'inventory'" bmc inventroy --sideband /x
wrong 2 "production, returned or decommissioned" device lifecycle prod
wrong 2 "is not a device name: use /dev/ihsmN" list -d vhms:/x
wrong 3 "there is no /dev/ihsm9: hsmctl driver status" info -d /dev/ihsm9
finish
