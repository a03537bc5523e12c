# SPDX-License-Identifier: Apache-2.0
#
# What is signed and what is checked, for both sides: CBOR, COSE, and what they carry.

$(eval $(call component,attestation,attestation,$(wildcard attestation/*.c),libcbor libcrypto))
