#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# PyKCS11, which is near to the C functions: the token is made, keys are generated, found, used,
# wrapped and destroyed through it.

import os
import sys

try:
    import PyKCS11 as p11
except ImportError:
    print("1..0 # SKIP python3-pykcs11 is not installed")
    sys.exit(0)

SO_PIN, PIN = "87654321", "1234567"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def is_true(condition):
    if not condition:
        raise AssertionError(f"line {sys._getframe(1).f_lineno}")


def raises(code, function, *args):
    try:
        function(*args)
    except p11.PyKCS11Error as error:
        if error.value == code:
            return
        raise
    raise AssertionError("no error")


class Token:
    """A module with an initialized token and a session of its user"""

    def __init__(self):
        self.lib = p11.PyKCS11Lib()
        self.lib.load(os.environ["HSM_PKCS11_MODULE"])
        slot = self.lib.getSlotList(tokenPresent=True)[0]
        self.lib.initToken(slot, SO_PIN, "pykcs11".ljust(32))
        self.slot = self.lib.getSlotList(tokenPresent=True)[0]
        session = self.lib.openSession(self.slot, p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION)
        session.login(SO_PIN, p11.CKU_SO)
        session.initPin(PIN)
        session.logout()
        session.closeSession()
        self.session = self.lib.openSession(self.slot, p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION)
        self.session.login(PIN)

    def pair(self, mechanism, public, private):
        return self.session.generateKeyPair(public, private, mecha=mechanism)

    def rsa(self, label):
        public = [(p11.CKA_TOKEN, p11.CK_FALSE), (p11.CKA_MODULUS_BITS, 2048),
                  (p11.CKA_PUBLIC_EXPONENT, (1, 0, 1)), (p11.CKA_VERIFY, p11.CK_TRUE),
                  (p11.CKA_ENCRYPT, p11.CK_TRUE), (p11.CKA_LABEL, label)]
        private = [(p11.CKA_TOKEN, p11.CK_FALSE), (p11.CKA_SIGN, p11.CK_TRUE),
                   (p11.CKA_DECRYPT, p11.CK_TRUE), (p11.CKA_LABEL, label)]
        return self.pair(p11.MechanismRSAGENERATEKEYPAIR, public, private)

    def aes(self, **more):
        attributes = {p11.CKA_TOKEN: p11.CK_FALSE, p11.CKA_VALUE_LEN: 32, p11.CKA_ENCRYPT: p11.CK_TRUE,
                      p11.CKA_DECRYPT: p11.CK_TRUE}
        attributes.update({getattr(p11, name): value for name, value in more.items()})
        return self.session.generateKey(list(attributes.items()))


@test
def information(token):
    is_true(token.lib.getTokenInfo(token.slot).label.rstrip(" \0") == "pykcs11")
    # Its getMechanismList() knows no mechanism that is newer than itself, and raises KeyError.
    is_true(token.lib.getMechanismInfo(token.slot, "CKM_RSA_PKCS").ulMaxKeySize >= 2048)
    is_true(token.session.getSessionInfo().flags2text() == ["CKF_RW_SESSION", "CKF_SERIAL_SESSION"])


@test
def rsa_signs(token):
    public, private = token.rsa("rsa")
    for name in ("CKM_SHA256_RSA_PKCS", "CKM_SHA384_RSA_PKCS"):
        mechanism = p11.Mechanism(getattr(p11, name), None)
        signature = token.session.sign(private, b"data", mechanism)
        is_true(token.session.verify(public, b"data", signature, mechanism))
        is_true(not token.session.verify(public, b"date", signature, mechanism))
    pss = p11.RSA_PSS_Mechanism(p11.CKM_SHA256_RSA_PKCS_PSS, p11.CKM_SHA256, p11.CKG_MGF1_SHA256, 32)
    signature = token.session.sign(private, b"data", pss)
    is_true(token.session.verify(public, b"data", signature, pss))


@test
def rsa_encrypts(token):
    public, private = token.rsa("oaep")
    oaep = p11.RSAOAEPMechanism(p11.CKM_SHA256, p11.CKG_MGF1_SHA256)
    sealed = token.session.encrypt(public, b"text", oaep)
    is_true(bytes(token.session.decrypt(private, sealed, oaep)) == b"text")


@test
def ec_signs(token):
    oid = bytes.fromhex("06082a8648ce3d030107")
    public = [(p11.CKA_TOKEN, p11.CK_FALSE), (p11.CKA_EC_PARAMS, oid), (p11.CKA_VERIFY, p11.CK_TRUE)]
    private = [(p11.CKA_TOKEN, p11.CK_FALSE), (p11.CKA_SIGN, p11.CK_TRUE)]
    keys = token.pair(p11.Mechanism(p11.CKM_EC_KEY_PAIR_GEN, None), public, private)
    mechanism = p11.Mechanism(p11.CKM_ECDSA, None)
    signature = token.session.sign(keys[1], bytes(32), mechanism)
    is_true(len(signature) == 64 and token.session.verify(keys[0], bytes(32), signature, mechanism))


@test
def aes_encrypts(token):
    key = token.aes()
    for mechanism in (p11.Mechanism(p11.CKM_AES_CBC_PAD, bytes(16)),
                      p11.AES_GCM_Mechanism(bytes(12), b"aad", 128),
                      p11.AES_CTR_Mechanism(128, bytes(16))):
        sealed = token.session.encrypt(key, b"some text", mechanism)
        is_true(bytes(token.session.decrypt(key, sealed, mechanism)) == b"some text")


@test
def digests(token):
    is_true(bytes(token.session.digest(b"data", p11.Mechanism(p11.CKM_SHA256, None))).hex()
            .startswith("3a6eb0790f39ac87"))


@test
def keys_are_wrapped(token):
    """What a key that nobody has read unwraps is sensitive (policy.rst), so this one can be read."""
    wrapping = token.aes(CKA_WRAP=p11.CK_TRUE, CKA_UNWRAP=p11.CK_TRUE, CKA_SENSITIVE=p11.CK_FALSE,
                         CKA_EXTRACTABLE=p11.CK_TRUE)
    key = token.aes(CKA_EXTRACTABLE=p11.CK_TRUE, CKA_SENSITIVE=p11.CK_FALSE)
    mechanism = p11.Mechanism(p11.CKM_AES_KEY_WRAP, None)
    wrapped = token.session.wrapKey(wrapping, key, mechanism)
    again = token.session.unwrapKey(wrapping, wrapped, [
        (p11.CKA_CLASS, p11.CKO_SECRET_KEY), (p11.CKA_KEY_TYPE, p11.CKK_AES), (p11.CKA_TOKEN, p11.CK_FALSE),
        (p11.CKA_SENSITIVE, p11.CK_FALSE), (p11.CKA_EXTRACTABLE, p11.CK_TRUE)], mechanism)
    values = [token.session.getAttributeValue(handle, [p11.CKA_VALUE])[0] for handle in (key, again)]
    is_true(values[0] == values[1])


@test
def objects_are_found(token):
    key = token.aes(CKA_TOKEN=p11.CK_TRUE, CKA_LABEL="kept", CKA_ID=(7, 8))
    other = token.lib.openSession(token.slot)
    is_true(len(other.findObjects([(p11.CKA_LABEL, "kept")])) == 1)
    is_true(len(token.session.findObjects([(p11.CKA_ID, (7, 8))])) == 1)
    other.closeSession()
    token.session.destroyObject(key)
    is_true(not token.session.findObjects([(p11.CKA_LABEL, "kept")]))


@test
def attributes_change(token):
    key = token.aes(CKA_LABEL="before")
    token.session.setAttributeValue(key, [(p11.CKA_LABEL, "after")])
    is_true(token.session.getAttributeValue(key, [p11.CKA_LABEL]) == ["after"])
    is_true(token.session.getAttributeValue(key, [p11.CKA_VALUE]) == [None])


@test
def random_bytes(token):
    is_true(len(token.session.generateRandom(100)) == 100)
    token.session.seedRandom(b"seed")


@test
def errors_are_the_standards(token):
    other = token.lib.openSession(token.slot)
    raises(p11.CKR_USER_ALREADY_LOGGED_IN, other.login, PIN)
    raises(p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, token.session.login, SO_PIN, p11.CKU_SO)
    raises(p11.CKR_SESSION_EXISTS, token.lib.initToken, token.slot, SO_PIN, "again".ljust(32))
    other.closeSession()
    token.session.logout()
    raises(p11.CKR_PIN_INCORRECT, token.session.login, "wrong-pin")
    token.session.login(PIN)
    token.session.setPin(PIN, "7654321")
    token.session.logout()
    raises(p11.CKR_PIN_INCORRECT, token.session.login, PIN)
    token.session.login("7654321")


def main():
    token = Token()
    bad = 0
    for number, function in enumerate(TESTS, 1):
        try:
            function(token)
            print(f"ok {number} - {function.__name__}")
        except Exception as error:  # pylint: disable=broad-except
            bad += 1
            print(f"not ok {number} - {function.__name__}: {error!r}")
    print(f"1..{len(TESTS)}\n# PyKCS11: {len(TESTS)} run, {bad} failed")
    return 1 if bad else 0


os.environ["HSM_DEVICE"] = "vhsm:" + os.path.join(os.environ["TMPDIR"], "hsm")
sys.exit(main())
