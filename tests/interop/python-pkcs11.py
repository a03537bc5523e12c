#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# python3-pkcs11, as its users write programs: keys are made, found, used, wrapped and destroyed.

import os
import subprocess
import sys

try:
    import pkcs11
except ImportError:
    print("1..0 # SKIP python3-pkcs11 is not installed")
    sys.exit(0)
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import decode_ec_public_key, encode_named_curve_parameters

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def is_true(condition, what="the condition"):
    if not condition:
        raise AssertionError(what)


def raises(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


@test
def slots_and_mechanisms(session, token):
    slot = token.slot
    is_true(Mechanism.AES_CBC_PAD in slot.get_mechanisms())
    info = slot.get_mechanism_info(Mechanism.RSA_PKCS_KEY_PAIR_GEN)
    is_true(info.min_key_length <= 2048 <= info.max_key_length)
    is_true(token.label == "python")


@test
def aes_encrypts(session, token):
    key = session.generate_key(KeyType.AES, 256)
    iv = session.generate_random(128)
    for text in (b"", b"short", bytes(100000)):
        sealed = key.encrypt(text, mechanism_param=iv)
        is_true(key.decrypt(sealed, mechanism_param=iv) == text)
    parts = list(key.encrypt(iter([b"a" * 20, b"b" * 30]), mechanism_param=iv))
    is_true(b"".join(key.decrypt(iter(parts), mechanism_param=iv)) == b"a" * 20 + b"b" * 30)


@test
def rsa_signs_and_encrypts(session, token):
    public, private = session.generate_keypair(KeyType.RSA, 2048)
    for mechanism in (Mechanism.SHA256_RSA_PKCS, Mechanism.SHA512_RSA_PKCS):
        signature = private.sign(b"data", mechanism=mechanism)
        is_true(public.verify(b"data", signature, mechanism=mechanism))
        is_true(not public.verify(b"date", signature, mechanism=mechanism))
    sealed = public.encrypt(b"text", mechanism=Mechanism.RSA_PKCS_OAEP)
    is_true(private.decrypt(sealed, mechanism=Mechanism.RSA_PKCS_OAEP) == b"text")


@test
def ec_signs_and_agrees(session, token):
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True)
    public, private = parameters.generate_keypair()
    signature = private.sign(b"data", mechanism=Mechanism.ECDSA_SHA256)
    is_true(public.verify(b"data", signature, mechanism=Mechanism.ECDSA_SHA256))
    other_public, other_private = parameters.generate_keypair()
    secrets = []
    for mine, theirs in ((private, other_public), (other_private, public)):
        key = mine.derive_key(KeyType.AES, 128, mechanism_param=(
            pkcs11.KDF.NULL, None, decode_ec_point(theirs)))
        iv = bytes(16)
        secrets.append(key.encrypt(b"the same", mechanism_param=iv))
    is_true(secrets[0] == secrets[1])


def decode_ec_point(key):
    """The point itself, out of its OCTET STRING"""
    point = key[Attribute.EC_POINT]
    return point[2:] if point[0] == 4 and point[1] == len(point) - 2 else point


@test
def hmac_and_digest(session, token):
    key = session.generate_key(KeyType.GENERIC_SECRET, 256, mechanism=Mechanism.GENERIC_SECRET_KEY_GEN,
                               template={Attribute.SIGN: True, Attribute.VERIFY: True,
                                         Attribute.VALUE_LEN: 32})
    mac = key.sign(b"data", mechanism=Mechanism.SHA256_HMAC)
    is_true(len(mac) == 32 and key.verify(b"data", mac, mechanism=Mechanism.SHA256_HMAC))
    digest = session.digest(b"data", mechanism=Mechanism.SHA256)
    is_true(digest.hex().startswith("3a6eb0790f39ac87"))


@test
def keys_are_wrapped(session, token):
    """What a key that nobody has read unwraps is sensitive (policy.rst), so this one can be read."""
    wrapping = session.generate_key(KeyType.AES, 256, capabilities=pkcs11.MechanismFlag.WRAP |
                                    pkcs11.MechanismFlag.UNWRAP,
                                    template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True})
    key = session.generate_key(KeyType.AES, 128, template={Attribute.EXTRACTABLE: True,
                                                            Attribute.SENSITIVE: False})
    wrapped = wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)
    again = wrapping.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, wrapped,
                                mechanism=Mechanism.AES_KEY_WRAP,
                                template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False})
    is_true(again[Attribute.VALUE] == key[Attribute.VALUE])


@test
def token_objects_are_found(session, token):
    session.generate_key(KeyType.AES, 256, label="kept", id=b"\1\2", store=True)
    key = session.get_key(label="kept", key_type=KeyType.AES)
    is_true(key.id == b"\1\2" and key.key_length == 256)
    with token.open() as other:
        is_true(len(list(other.get_objects({Attribute.LABEL: "kept"}))) == 1)
    is_true(len(list(session.get_objects({Attribute.ID: b"\1\2"}))) == 1)
    key.destroy()
    raises(pkcs11.NoSuchKey, session.get_key, label="kept")


@test
def a_copy_differs(session, token):
    key = session.generate_key(KeyType.AES, 128, label="first")
    copy = key.copy({Attribute.LABEL: "second"})
    is_true(copy.label == "second" and key.label == "first")


@test
def data_and_certificates(session, token):
    stored = session.create_object({Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: False,
                                    Attribute.LABEL: "data", Attribute.VALUE: b"content"})
    is_true(stored[Attribute.VALUE] == b"content")


@test
def errors_are_what_they_should_be(session, token):
    key = session.generate_key(KeyType.AES, 128)
    raises(pkcs11.exceptions.AttributeSensitive, lambda: key[Attribute.VALUE])
    raises(pkcs11.exceptions.MechanismParamInvalid, key.encrypt, b"x", mechanism_param=b"short")


def main():
    subprocess.run(["pkcs11-tool", "--module", os.environ["HSM_PKCS11_MODULE"], "--init-token",
                    "--label", "python", "--so-pin", "87654321"], check=True, stdout=sys.stderr)
    subprocess.run(["pkcs11-tool", "--module", os.environ["HSM_PKCS11_MODULE"], "--token-label", "python",
                    "--login", "--login-type", "so", "--so-pin", "87654321", "--init-pin", "--new-pin",
                    "1234567"], check=True, stdout=sys.stderr)
    token = pkcs11.lib(os.environ["HSM_PKCS11_MODULE"]).get_token(token_label="python")
    bad = 0
    with token.open(user_pin="1234567", rw=True) as session:
        for number, function in enumerate(TESTS, 1):
            try:
                function(session, token)
                print(f"ok {number} - {function.__name__}")
            except Exception as error:  # pylint: disable=broad-except
                bad += 1
                print(f"not ok {number} - {function.__name__}: {error!r}")
    print(f"1..{len(TESTS)}\n# python3-pkcs11: {len(TESTS)} run, {bad} failed")
    return 1 if bad else 0


os.environ["HSM_DEVICE"] = "vhsm:" + os.path.join(os.environ["TMPDIR"], "hsm")
sys.exit(main())
