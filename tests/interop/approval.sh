#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Officers, quorums and approvals by hsmctl, with keys that openssl made: what officers of a device do, and what they
# are stopped from.

. tests/hsm.sh

need openssl

hsm_new approval
point "the token is initialized" hsm_init

new_key() {
	openssl genpkey -algorithm "$2" ${3:+-pkeyopt "$3"} -out "$TMPDIR/$1.key" 2>/dev/null &&
		openssl pkey -in "$TMPDIR/$1.key" -pubout -out "$TMPDIR/$1.pub"
}
printf 'pin-of-anna\n' >"$TMPDIR/anna.pin"
printf 'pin-of-bert\n' >"$TMPDIR/bert.pin"
point "a P-256 key" new_key anna EC ec_paramgen_curve:P-256
point "an Ed25519 key" new_key bert ED25519
if openssl list -signature-algorithms 2>/dev/null | grep -q ML-DSA-65; then
	point "an ML-DSA key" new_key owner ML-DSA-65
else
	point "a P-384 key" new_key owner EC ec_paramgen_curve:P-384
fi
point "an RSA key" new_key rsa RSA rsa_keygen_bits:2048

# --- officers ---

point "an officer" says 0 "" hsmctl officer add anna --new-pin-file "$TMPDIR/anna.pin"
point "another" says 0 "" hsmctl officer add bert --new-pin-file "$TMPDIR/bert.pin"
point "an auditor" says 0 "" hsmctl officer add arno --role auditor --new-pin-file "$TMPDIR/anna.pin"
point "no such role" says 2 "no role at a device" hsmctl officer add eve --role queen --new-pin-file "$TMPDIR/anna.pin"
point "one of that name is there" says 1 "CKR_ARGUMENTS_BAD" hsmctl officer add anna --new-pin-file "$TMPDIR/anna.pin"
point "a key" says 0 "" hsmctl officer enroll "$TMPDIR/anna.pub" anna
point "another key, in its private file" says 0 "" hsmctl officer enroll "$TMPDIR/bert.key" bert
point "a key that cannot approve" says 1 "CKR_ARGUMENTS_BAD" hsmctl officer enroll "$TMPDIR/rsa.pub"
point "an auditor does not" says 1 "CKR_USER_TYPE_INVALID" hsmctl officer enroll "$TMPDIR/owner.pub" arno
point "they are listed" says 0 "arno +auditor +set +none" hsmctl officer list
point "a quorum" says 0 "" hsmctl quorum set destroy 2
point "another quorum" says 0 "" hsmctl quorum set relax 1
point "is shown" says 0 "destroy +2 +2 " hsmctl quorum show
point "of more than there are" says 1 "CKR_ARGUMENTS_BAD" hsmctl quorum set destroy 3
point "of no class" says 2 "no class of actions" hsmctl quorum set everything 1

# --- a partition that two destroy ---

point "a partition" says 0 "" hsmctl partition create tenant --function 2
point "nobody destroys it alone" says 1 "destroy needs the approval of 2 officers, 0 were given" \
	hsmctl partition destroy tenant --yes
point "what has to be signed" says 0 "PARTITION_DESTROY" hsmctl partition destroy tenant --request "$TMPDIR/request"
point "a file that is there stays" says 2 "File exists" hsmctl partition destroy tenant --request "$TMPDIR/request"
point "anna approves" says 0 "destroy a partition" hsmctl approve "$TMPDIR/request" --key "$TMPDIR/anna.key" --yes \
	--output "$TMPDIR/anna.ok"
point "one is too few" says 1 "approval of 2 officers, 1 was given" \
	hsmctl partition destroy tenant --yes --approval "$TMPDIR/anna.ok"
point "twice the same too" says 1 "signature 2: by somebody who has approved already" \
	hsmctl partition destroy tenant --yes --approval "$TMPDIR/anna.ok" --approval "$TMPDIR/anna.ok"
point "a stranger too" says 0 "" hsmctl approve "$TMPDIR/request" --key "$TMPDIR/owner.key" --yes --output "$TMPDIR/owner.ok"
point "whose key is told" says 1 "signature 2: by a key that is not enrolled" \
	hsmctl partition destroy tenant --yes --approval "$TMPDIR/anna.ok" --approval "$TMPDIR/owner.ok"
point "bert approves" says 0 "" hsmctl approve "$TMPDIR/request" --key "$TMPDIR/bert.key" --yes
point "that an RSA key does not" says 2 "sign no approvals" \
	hsmctl approve "$TMPDIR/request" --key "$TMPDIR/rsa.key" --yes --output "$TMPDIR/rsa.ok"
point "another partition" says 0 "" hsmctl partition create other --function 2
point "is another request" says 1 "signature 1: approves another request; signature 2: approves another request" \
	hsmctl partition destroy other --yes --approval "$TMPDIR/anna.ok" --approval "$TMPDIR/request.approval"
point "kill -9 of everything" hsm_kill
point "two are enough, also later" says 0 "" \
	hsmctl partition destroy tenant --yes --approval "$TMPDIR/anna.ok" --approval "$TMPDIR/request.approval"
point "it is gone" says 1 "no partition 'tenant'" hsmctl partition show tenant

# --- replay ---

point "a weaker policy to approve" says 0 "" \
	hsmctl partition update other --profile legacy --relax --request "$TMPDIR/relax"
point "it is shown in words" says 0 "PROFILE +legacy" hsmctl approve "$TMPDIR/relax" --key "$TMPDIR/anna.key" --yes
point "other words are not approved" says 1 "approves another request" \
	hsmctl partition update other --profile compatible --relax --approval "$TMPDIR/relax.approval"
point "these are" says 0 "" hsmctl partition update other --profile legacy --relax --approval "$TMPDIR/relax.approval"
point "and back" says 0 "" hsmctl partition update other --profile strict
point "not a second time" says 1 "nonce was used" \
	hsmctl partition update other --profile legacy --relax --approval "$TMPDIR/relax.approval"
point "rubbish is no approval" says 2 "not an approval" \
	hsmctl partition destroy other --yes --approval "$TMPDIR/anna.pub"
point "nor a request" says 2 "not a request" hsmctl approve "$TMPDIR/anna.pub" --key "$TMPDIR/anna.key" --yes

# --- who decides who decides ---

point "one does not lower it" says 1 "roles needs the approval of 2" hsmctl quorum set destroy 0
point "nor make officers" says 1 "roles needs the approval of 2" hsmctl officer add eve --new-pin-file "$TMPDIR/anna.pin"
point "nor give a key" says 1 "roles needs the approval of 2" hsmctl officer enroll "$TMPDIR/owner.pub"
point "a request tells no PIN" says 0 "PIN_COMMITMENT +sha384:" \
	hsmctl officer add dora --new-pin-file "$TMPDIR/anna.pin" --request "$TMPDIR/dora"
point "what opens it is private" [ "$(stat -c %a "$TMPDIR/dora.opening")" = 600 ]
for who in anna bert; do
	point "$who approves" says 0 "" hsmctl approve "$TMPDIR/dora" --key "$TMPDIR/$who.key" --yes --output "$TMPDIR/dora.$who"
done
point "who lacks it cannot go on" says 2 "opening names the file" hsmctl officer add dora --new-pin-file "$TMPDIR/anna.pin" \
	--approval "$TMPDIR/dora.anna" --approval "$TMPDIR/dora.bert"
point "another PIN was not approved" says 1 "approves another request" hsmctl officer add dora --new-pin-file "$TMPDIR/bert.pin" \
	--opening "$TMPDIR/dora.opening" --approval "$TMPDIR/dora.anna" --approval "$TMPDIR/dora.bert"
point "two make a third" says 0 "" hsmctl officer add dora --new-pin-file "$TMPDIR/anna.pin" \
	--opening "$TMPDIR/dora.opening" --approval "$TMPDIR/dora.anna" --approval "$TMPDIR/dora.bert"
point "who has a PIN" says 0 "" hsmctl pin set --role officer --as dora --pin-file "$TMPDIR/anna.pin" --new-pin-file "$TMPDIR/bert.pin"
point "the former one is wrong" says 1 "CKR_PIN_INCORRECT" \
	hsmctl pin set --role officer --as dora --pin-file "$TMPDIR/anna.pin" --new-pin-file "$TMPDIR/bert.pin"

# --- owners ---

point "a partition with an owner" says 0 "" hsmctl partition create owned --function 2 --owner-key "$TMPDIR/owner.pub"
point "who is shown" says 0 "owner_key +[0-9a-f]{96}" hsmctl partition show owned
point "also to the tenant" says 0 "owner_approves +7" hsmctl -d "$HSM_DEVICE,function=2" policy owned
point "two officers ask" says 0 "" hsmctl partition destroy owned --request "$TMPDIR/owned"
for who in anna bert owner; do
	point "$who approves" says 0 "" hsmctl approve "$TMPDIR/owned" --key "$TMPDIR/$who.key" --yes --output "$TMPDIR/owned.$who"
done
point "without the owner nothing" says 1 "and the partition's owner's, which was not" \
	hsmctl partition destroy owned --yes --approval "$TMPDIR/owned.anna" --approval "$TMPDIR/owned.bert"
point "with all three it goes" says 0 "" hsmctl partition destroy owned --yes --approval "$TMPDIR/owned.anna" \
	--approval "$TMPDIR/owned.bert" --approval "$TMPDIR/owned.owner"

finish
