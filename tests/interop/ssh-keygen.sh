#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# OpenSSH: a token's public keys are listed, an agent takes them, a file is signed by way of the
# agent.

. tests/lint/lib.sh
need ssh-keygen
need ssh-agent
need pkcs11-tool

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567
root=$PWD
cd "$TMPDIR" || exit 1

tool() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

# The agent asks for the PIN by a program.
cat >ask <<'END'
#!/bin/sh
echo "$PIN"
END
chmod 700 ask
export SSH_ASKPASS="$PWD/ask" SSH_ASKPASS_REQUIRE=force

listed() {
	ssh-keygen -D "$HSM_PKCS11_MODULE" >hsm.pub 2>err || { cat err; return 1; }
	cat hsm.pub
	grep -q "^$1 " hsm.pub
}

sign_with() {
	grep "^$1 " hsm.pub >"$1.pub" && rm -f page.sig &&
		ssh-keygen -Y sign -n file -f "$1.pub" page &&
		echo "tester $(cat "$1.pub")" >signers &&
		ssh-keygen -Y verify -n file -f signers -I tester -s page.sig <page
}

echo "a page" >page
point "a token" tool --init-token --label ssh --so-pin env:SO_PIN
point "its PIN" tool --token-label ssh --login --login-type so --so-pin env:SO_PIN --init-pin --new-pin env:PIN
point "an EC key" tool --token-label ssh --login --pin env:PIN --keypairgen --key-type EC:prime256v1 --label ec --id 01
point "an RSA key" tool --token-label ssh --login --pin env:PIN --keypairgen --key-type rsa:2048 --label rsa --id 02
point "ssh-keygen lists EC" listed ecdsa-sha2-nistp256
point "ssh-keygen lists RSA" listed ssh-rsa

eval "$(ssh-agent -P "$HSM_PKCS11_MODULE,$(readlink -f "$HSM_PKCS11_MODULE")" -a "$PWD/agent")" >&2
point "an agent takes the token" ssh-add -s "$HSM_PKCS11_MODULE"
point "a file is signed by EC" sign_with ecdsa-sha2-nistp256
point "a file is signed by RSA" sign_with ssh-rsa
kill "$SSH_AGENT_PID"
cd "$root" || exit 1
finish
