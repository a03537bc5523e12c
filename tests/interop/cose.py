# SPDX-License-Identifier: Apache-2.0
"""
COSE_Sign as a stranger reads it, who has nothing of ours: CBOR by these few lines, all else by openssl(1).

cose.py roots FILE OUT      the last certificate of each chain, PEM
cose.py verify FILE DIR     the signature by ES384 with its certificates, and the payload into DIR
cose.py first FILE OUT      the message with the first of its signatures alone
"""

import os
import subprocess
import sys

ES384 = -35


def cbor(data, at=0):
    """One item, and where it ends."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[info], at
    if info >= 24:
        size = 1 << (info - 24)
        number, at = int.from_bytes(data[at:at + size], "big"), at + size
    else:
        number = info
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        text = data[at:at + number]
        return (text if major == 2 else text.decode()), at + number
    if major == 6:
        return cbor(data, at)
    items = []
    for _ in range(number * (major - 3)):
        item, at = cbor(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    size = 1 if number < 256 else 2 if number < 65536 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[size]]) + number.to_bytes(size, "big")


def string(data):
    return head(2, len(data)) + data


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


def pem(der):
    return openssl("x509", "-inform", "DER", data=der)


def read(path):
    with open(path, "rb") as f:
        message = cbor(f.read())[0]
    protected, _, payload, signatures = message
    out = []
    for sign_protected, unprotected, signature in signatures:
        headers = {**cbor(sign_protected)[0], **unprotected}
        chain = headers[33]
        out.append((headers[1], sign_protected, signature, chain if isinstance(chain, list) else [chain]))
    return protected, payload, out


def roots(path, out):
    with open(out, "wb") as f:
        for _, _, _, chain in read(path)[2]:
            f.write(pem(chain[-1]))


def integer(number):
    data = number.lstrip(b"\0")
    data = (b"\0" if data[0] & 128 else b"") + data
    return b"\2" + bytes([len(data)]) + data


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def verify(path, directory):
    protected, payload, signatures = read(path)
    _, sign_protected, raw, chain = next(s for s in signatures if s[0] == ES384)
    signed = (head(4, 5) + head(3, 9) + b"Signature" + string(protected) + string(sign_protected) + string(b"") +
              string(payload))
    numbers = integer(raw[:48]) + integer(raw[48:])
    alias = write(directory, "alias.pem", pem(chain[0]))
    device = write(directory, "device.pem", pem(chain[-1]))
    key = write(directory, "alias.key", openssl("x509", "-in", alias, "-noout", "-pubkey"))
    signature = write(directory, "signature", b"\x30" + bytes([len(numbers)]) + numbers)
    write(directory, "payload", payload)
    openssl("verify", "-CAfile", device, "-partial_chain", alias)
    openssl("dgst", "-sha384", "-verify", key, "-signature", signature, data=signed)


def first(path, out):
    with open(path, "rb") as f:
        data = f.read()
    at = 3  # tag 98, an array of four
    for _ in range(3):
        _, at = cbor(data, at)
    _, end = cbor(data, at + 1)
    with open(out, "wb") as f:
        f.write(data[:at] + head(4, 1) + data[at + 1:end])


{"first": first, "roots": roots, "verify": verify}[sys.argv[1]](*sys.argv[2:])
