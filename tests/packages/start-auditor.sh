#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The page for auditors; the sources that it builds again are a copy of this tree, in another directory.

. tests/interop/howto.sh
need pkcs11-tool
need openssl

sources=$HOME/sources
[ -n "${HSM_ALONE:-}" ] || {
	mkdir "$sources"
	project_files | cpio --quiet -pdm "$sources" || exit 1
}
alone www-data
HOWTO_EDIT="s|/usr/libexec/hsm/firmware|$HSM_BUILD/firmware|g; s|build/debian-13|build/$(basename "$HSM_BUILD")|g"
page start/auditor
finish
