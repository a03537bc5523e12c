#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# The driver in guests with other kernels than the reference's, behind an IOMMU in strict mode, and with
# bus addresses of 32 bits in a guest that has more memory: it is found by its alias and loaded, keys
# are made and used, long messages go both ways, and it goes again.

. tests/vm/lib.sh

vm_driver
hsm_new kernels
point "io_uring's program is built" vm_program uring
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1

# guest NAME OPTION...: one more guest
guest() {
	echo "# $1" >&2
	shift
	vm_test --device "$(socket 1)" --smp 2 --limit 120 "$@" sh tests/vm/guest/kernel
}

for release in 6.1 newest; do
	if scripts/kernel-build "$HSM_BUILD/kernel-$release" KVER="$release" >&2; then
		report 0 "the module is built for $release"
		guest "$release" --release "$release"
	else
		report 1 "the module is built for $release"
	fi
done
guest "IOMMU" --iommu --memory 768
guest "IOMMU and bounce buffers" --iommu --memory 768 --append swiotlb=force
kill "$board"
wait "$board"
point "a board with addresses of 32 bits starts" vm_board --dma-bits 32
guest "32 bits" --memory 6144
finish
