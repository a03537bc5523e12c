# SPDX-License-Identifier: Apache-2.0
"""
tsm-standin.py serve ENTRY KEY      stand in for the kernel's configfs-tsm and a guest's processor: an entry
                                    whose inblob and outblob are pipes, and reports signed by KEY
tsm-standin.py check CERT REPORT    verify such a report, and print its report data in hexadecimal

A report is the measurement of a made-up guest (48 bytes), the report data (64 bytes) and the signature.
"""

import os
import subprocess
import sys
import tempfile

MEASUREMENT = b"\x6d" * 48


def report(key, data):
    body = MEASUREMENT + data
    signature = subprocess.run(["openssl", "dgst", "-sha384", "-sign", key], input=body, check=True,
                               capture_output=True).stdout
    return body + signature


def put(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)


def serve(entry, key):
    generation = 0
    while True:
        with open(os.path.join(entry, "inblob"), "rb") as f:
            data = f.read()
        generation += 1
        put(os.path.join(entry, "generation"), f"{generation}\n".encode())
        answer = report(key, data) if len(data) <= 64 else b""
        with open(os.path.join(entry, "outblob"), "wb") as f:
            f.write(answer)


def check(key, path):
    with open(path, "rb") as f:
        data = f.read()
    body, signature = data[:112], data[112:]
    with tempfile.NamedTemporaryFile() as f:
        f.write(signature)
        f.flush()
        subprocess.run(["openssl", "dgst", "-sha384", "-verify", key, "-signature", f.name], input=body, check=True,
                       capture_output=True)
    if body[:48] != MEASUREMENT:
        sys.exit("another guest")
    print(body[48:].hex())


{"serve": serve, "check": check}[sys.argv[1]](*sys.argv[2:])
