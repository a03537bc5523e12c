#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Every verb of hsmctl with --json: what it prints, and how it fails, is as `hsmctl schema` says."""

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.getcwd()
TMP = os.environ["TMPDIR"]
BUILD = os.environ["HSM_BUILD"]
# What needs what no test has here; their errors are looked at
ONLY_ERRORS = {"driver load", "driver unload", "driver status", "device recover", "claim", "metrics"}
points = 0
failed = False
seen = {}
boards = []


def point(good, name, why=""):
    global points, failed
    points += 1
    failed |= not good
    if why:
        print(f"{name}: {why}", file=sys.stderr)
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)


# ---- the schema: what of JSON Schema `hsmctl schema` uses ----

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "pattern", "description", "$ref", "minimum", "anyOf"}


def wrong(value, schema, root, where="result"):
    """What of value is not as schema says, in words; None: nothing"""
    unknown = set(schema) - KNOWN
    if unknown:
        return f"{where}: the schema has {unknown}, which this test does not know"
    if "$ref" in schema:
        node = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part.replace("%20", " ")]
        return wrong(value, node, root, where)
    if "anyOf" in schema:
        why = [wrong(value, s, root, where) for s in schema["anyOf"]]
        return None if None in why else " / ".join(why)
    types = schema.get("type", list(TYPES))
    types = types if isinstance(types, list) else [types]
    if not any(TYPES[t](value) for t in types):
        return f"{where}: {value!r} is no {types}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        return f"{where}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and isinstance(value, int) and value < schema["minimum"]:
        return f"{where}: {value} is too small"
    if isinstance(value, dict):
        return wrong_members(value, schema, root, where)
    if isinstance(value, list) and "items" in schema:
        return next(filter(None, (wrong(v, schema["items"], root, f"{where}[{i}]") for i, v in enumerate(value))), None)
    return None


def wrong_members(value, schema, root, where):
    members = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            return f"{where}: no {name}"
    for name, member in value.items():
        if name in members:
            found = wrong(member, members[name], root, f"{where}.{name}")
        else:
            more = schema.get("additionalProperties", True)
            if more is False:
                found = f"{where}: {name} is not in the schema"
            else:
                found = wrong(member, more, root, f"{where}.{name}") if isinstance(more, dict) else None
        if found:
            return found
    return None


# ---- running ----


def run(*args, status=0, device=None, stranger=False, changed=None):
    """A verb with --json; its object, checked"""
    words = next(v for v in sorted(VERBS, key=len, reverse=True) if (" ".join(args) + " ").startswith(v + " "))
    env = dict(os.environ, HSM_DEVICE=device or os.environ["HSM_DEVICE"])
    if changed:
        env["HSM_CONF"] = write("changed.conf", f"[device {device}]\npin = {changed} sha256:{'0' * 64}\n")
    if stranger:
        env["XDG_STATE_HOME"] = path("stranger")
    done = subprocess.run(["hsmctl", "--json", *args], capture_output=True, text=True, env=env, timeout=120, stdin=subprocess.DEVNULL)
    print("$ hsmctl", *args, done.returncode, done.stdout, done.stderr, sep="\n", file=sys.stderr)
    name = " ".join(a.replace(TMP, "") for a in args)
    if done.returncode not in (status if isinstance(status, tuple) else (status,)):
        point(False, name, f"exit status {done.returncode}, not {status}")
        return None
    try:
        result = json.loads(done.stdout)
    except ValueError as error:
        point(False, name, f"no JSON: {error}")
        return None
    good = ("error" in result) == (done.returncode != 0)
    if good and "error" in result:
        good = result["error"].get("exit") == done.returncode
    why = None if good else "error and exit status do not agree"
    why = why or wrong(result, SCHEMA["$defs"].get(words, False) or {"type": "null"}, SCHEMA)
    point(why is None, name, why or "")
    seen.setdefault(words, set()).add(done.returncode)
    return result


def shell(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    print(f"$ {command}", done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return done.returncode == 0


def path(name):
    return os.path.join(TMP, name)


def write(name, text):
    with open(path(name), "w", opener=lambda p, f: os.open(p, f, 0o600), encoding="utf-8") as file:
        file.write(text)
    return path(name)


def stop_boards():
    for directory in boards:
        found = subprocess.run(["pgrep", "-f", "-x", f"[^ ]*vhsm .*{directory}( .*)?"], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():
            try:
                os.kill(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                continue
            subprocess.run(["timeout", "20", "tail", "-s", "0.05", f"--pid={pid}", "-f", "/dev/null"], check=False)


def board(name):
    os.mkdir(path(name), 0o700)
    boards.append(path(name))
    return "vhsm:" + path(name)


def verbs():
    text = subprocess.run(["hsmctl", "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?= |$)", text, re.M))


# ---- the verbs ----


def device_verbs():
    run("config", "check")
    run("list")
    run("partition", "init", "--label", "one", "--pin-file", SO, "--new-pin-file", USER, "--yes")
    run("info")
    run("identity")
    run("status")
    run("self-test")
    run("doctor", status=(0, 1, 2, 3))
    run("top", "--once")
    run("metrics")
    run("policy")
    run("device", "show")
    run("device", "certificate", path("device.pem"))
    run("device", "certificate", path("device-ml.pem"), "--ml-dsa", status=(0, 1))
    run("device", "csr", path("device.csr"))
    run("device", "install-certificate")
    run("device", "install-certificate", path("device.pem"), status=(0, 1))
    run("device", "statement", path("statement"))
    run("device", "recover", "--yes", status=1)
    run("firmware", "status")
    run("driver", "status", status=(0, 3))
    run("driver", "load", "/nonexistent.ko", status=(2, 3))
    run("driver", "unload", status=(0, 3))
    run("claim", "--code-file", USER, "--new-pin-file", SO, status=1)


def partition_verbs():
    run("partition", "create", "two", "--function", "2")
    run("partition", "list")
    run("partition", "show", "two")
    run("partition", "update", "two", "--name", "second", "--max-objects", "10")
    run("partition", "assign", "second", "3")
    run("partition", "destroy", "second", "--request", path("request"))
    run("officer", "add", "anna", "--new-pin-file", USER)
    run("officer", "add", "bert", "--new-pin-file", USER, "--request", path("add"))
    run("officer", "enroll", path("anna.pub"), "anna")
    run("officer", "list")
    run("quorum", "set", "destroy", "1")
    run("quorum", "show")
    run("approve", path("request"), "--key", path("anna.key"), "--yes")
    run("partition", "destroy", "second", "--yes", status=1)
    run("partition", "destroy", "second", "--yes", "--approval", path("request.approval"))
    run("quorum", "set", "destroy", "0", "--request", path("lower"))
    run("approve", path("lower"), "--key", path("anna.key"), "--yes")
    run("quorum", "set", "destroy", "0", "--approval", path("lower.approval"))
    run("officer", "remove", "anna", status=(0, 1))


def user_verbs():
    so = ("--pin-file", SO)
    run("user", "add", "carl", *so, "--new-pin-file", USER)
    run("user", "list", *so)
    run("user", "pin", "carl", *so, "--new-pin-file", NEW)
    run("user", "unlock", "carl", *so)
    run("user", "role", "carl", "read-only", *so)
    run("user", "remove", "carl", *so)
    run("pin", "set", "--pin-file", USER, "--new-pin-file", NEW)
    run("pin", "init", "--pin-file", SO, "--new-pin-file", USER)
    run("pin", "set", "--pin-file", NEW, "--new-pin-file", USER, status=1)


def key_verbs():
    make = f"PIN=$(cat {USER}) pkcs11-tool --module $HSM_PKCS11_MODULE --token-label one --login --pin env:PIN"
    assert shell(f"{make} --keypairgen --key-type EC:prime256v1 --id 01 --label leaves --extractable")
    assert shell(f"{make} --keygen --key-type AES:32 --id 02 --label stays")
    run("attest", "device", path("e1"))
    run("attest", "partition", path("e2"), "--nonce", "0011223344556677")
    run("attest", "key", path("e3"), "--key-id", "01", "--pin-file", USER)
    run("export", "trust", path("rsa.pub"), "--pin-file", SO)
    run("export", "keys", path("exported"), "--to", path("rsa.pub"), "--pin-file", USER)
    run("audit", "status", "default", "--pin-file", SO, status=(0, 1))
    run("audit", "status", "device")
    run("audit", "show", "device")
    run("audit", "export", path("audit"), "device")
    run("audit", "release", "1", "device", status=1)
    run("user", "add", "arno", "--role", "auditor", "--pin-file", SO, "--new-pin-file", USER)
    run("audit", "release", "1", "--as", "arno", "--pin-file", USER)
    if shutil.which("softhsm2-util"):
        soft_verbs()
    else:
        ONLY_ERRORS.add("migrate-softhsm")
        run("migrate-softhsm", "/nonexistent/", "--pin-file", USER, "--token-pin-file", USER, status=2)


def soft_verbs():
    os.mkdir(path("tokens"))
    os.environ["SOFTHSM2_CONF"] = write("softhsm2.conf", f"directories.tokendir = {path('tokens')}\n")
    old = "pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label old --login --pin 4711"
    assert shell("softhsm2-util --init-token --free --label old --so-pin 47114711 --pin 4711")
    assert shell(f"{old} --keypairgen --key-type EC:prime256v1 --id 09 --label old")
    run("migrate-softhsm", "old", "--pin-file", USER, "--token-pin-file", write("old-pin", "4711\n"))


def firmware_verbs():
    bundle = f"scripts/firmware-bundle {BUILD}/hsm-firmware {path('next')} {BUILD} {BUILD}/dev-keys 99.1 1"
    assert shell(f"{bundle} && hsm-fw-sign image {path('next')} {path('next.img')}")
    run("firmware", "stage", path("next.img"))
    run("firmware", "activate")
    run("firmware", "status")
    run("firmware", "activate", "installed")
    run("firmware", "update", path("next.img"))
    run("firmware", "minimum", "1", "--yes", status=(0, 1))
    run("firmware", "update", path("anna.pub"), status=2)


def moving_verbs(source, target):
    if run("device", "certificate", path("b-ml.pem"), "--ml-dsa", device=target) is None:
        return
    run("device", "certificate", path("b.pem"), device=target)
    ident = run("list")["partitions"][0]["id"]
    roots = f"{path('b.pem')},{path('b-ml.pem')}"
    run("partition", "update", "default", "--relax", "--migration-roots", roots, "--backup", "1")
    run("partition", "migrate-request", "--pin-file", SO, "--output", path("move"))
    there = target + ",function=2"
    run("partition", "import", path("move"), "--function", "2", device=target)
    run("partition", "migrate-prepare", path("move"), "--output", path("offer"), device=there, stranger=True)
    run("partition", "migrate-allow", path("offer"), "default")
    run("partition", "migrate-export", path("offer"), "--pin-file", SO, "--yes", "--output", path("package"))
    run("partition", "migrate-status")
    run("partition", "migrate-import", path("package"), "--output", path("receipt"), device=there, stranger=True)
    run("partition", "migrate-status", device=there)
    run("partition", "migrate-status", device=there, changed=ident, status=4)
    run("partition", "migrate-finish", path("receipt"), "--yes")
    run("partition", "receipt", ident, "--output", path("kept"))
    back_up(source, there, target, ident)


def back_up(source, there, target, ident):
    keys = [path("c1.pub"), path("c2.pub")]
    run("backup", "allow", ident, *keys, "--threshold", "1", device=target)
    run("partition", "backup", ident, *keys, "--threshold", "1", "--pin-file", SO, "--output", path("backup"), device=there)
    run("partition", "import", path("backup"), "--function", "1")
    run("partition", "migrate-prepare", path("backup"), "--output", path("restore"), stranger=True)
    roots = f"{path('device.pem')},{path('device-ml.pem')}"
    run("backup", "share", path("backup"), path("restore"), "--key", path("c1.key"), "--yes", "--root", roots, "--output", path("share"))
    run("partition", "restore", path("backup"), path("share"), "--output", path("restored"), stranger=True)
    # And back where it came from, which is then called off
    more = f"{path('b.pem')},{path('b-ml.pem')}"
    run("partition", "destroy", ident, "--yes", device=target)
    run("partition", "update", ident, "--relax", "--migration-roots", more)
    run("partition", "migrate-request", "--pin-file", SO, "--output", path("move2"))
    third = target + ",function=3"
    run("partition", "import", path("move2"), "--function", "3", device=target)
    run("partition", "migrate-prepare", path("move2"), "--output", path("offer2"), device=third, stranger=True)
    run("partition", "migrate-allow", path("offer2"), ident)
    run("partition", "migrate-export", path("offer2"), "--pin-file", SO, "--yes", "--output", path("package2"))
    run("partition", "migrate-abort", "--yes", "--output", path("aborted"), device=third, stranger=True)
    run("partition", "migrate-resume", path("aborted"))


def sideband_verbs():
    os.mkdir(path("fuses"), 0o700)
    state, sock = path("bmc-state"), path("bmc")
    boards.append(state)
    read, ready = os.pipe()
    subprocess.Popen(["vhsm", "--state", state, "--fuses", path("fuses/board"), "--functions", "2", "--ready-fd", str(ready),
                      "--sideband", sock], pass_fds=[ready], stderr=subprocess.DEVNULL)
    os.close(ready)
    assert os.read(read, 100).startswith(b"ready")
    fn0 = f"vfio-user:{state}/run/fn0.sock"
    run("claim", "--code-file", path("fuses/claim-code"), "--new-pin-file", SO, device=fn0)
    ONLY_ERRORS.discard("claim")
    for command in ("inventory", "health", "sensors", "heads", "signed-head", "slots"):
        run("bmc", command, "--sideband", sock)
    run("bmc", "heads", "--sideband", path("none"), status=3)
    run("bmc", "zeroize", "--sideband", sock, "--yes", status=(0, 1))


def keys():
    assert shell(f"cd {TMP} && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out anna.key"
                 " && openssl pkey -in anna.key -pubout -out anna.pub"
                 " && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out rsa.key"
                 " && openssl pkey -in rsa.key -pubout -out rsa.pub")
    for name in ("c1", "c2"):
        shell(f"""cd {TMP} && umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 >{name}.key &&
            openssl pkey -in {name}.key -pubout >{name}.pub && openssl genpkey -algorithm ML-KEM-1024 >kem.key &&
            openssl pkey -in kem.key -pubout >>{name}.pub && cat kem.key >>{name}.key""")


def mistakes():
    """Errors before there is a verb, or a device"""
    for args in ([], ["lits"], ["partition"], ["list", "--lable", "x"], ["list", "--label", "x"], ["list", "more"], ["partition", "show"],
                 ["list", "--device"]):
        done = subprocess.run(["hsmctl", *args, "--json"], capture_output=True, text=True, check=False)
        try:
            result = json.loads(done.stdout)
            why = wrong(result, {"$ref": "#/$defs/error"}, SCHEMA)
            good = why is None and result["error"]["exit"] == done.returncode == 2
        except ValueError as error:
            good, why = False, error
        point(good, f"mistake: {' '.join(args)}", why or "")
    run("list", device="vfio-user:/nonexistent", status=3)


def exit_statuses():
    """Each that --help tells has been seen, and no other"""
    text = subprocess.run(["hsmctl", "--help"], capture_output=True, text=True, check=True).stdout
    told = {int(n) for n in re.findall(r"^  (\d)  ", text, re.M)}
    found = set().union(*seen.values())
    point(told == found, f"exit statuses: {sorted(told)}", f"seen: {sorted(found)}")
    page = open(os.path.join(HERE, "Documentation/man/hsmctl.1.rst"), encoding="utf-8").read()
    for number, meaning in re.findall(r"^  (\d)  (.*)$", text, re.M):
        point(f"{number}\n    {meaning[0].upper()}{meaning[1:]}" in page, f"hsmctl(1) has exit status {number} as --help has it")


VERBS = verbs()
SCHEMA = json.loads(subprocess.run(["hsmctl", "schema"], capture_output=True, text=True, check=True).stdout)
SO = write("so", "so-pin-1234\n")
USER = write("user", "user-pin-1234\n")
NEW = write("new", "user-pin-5678\n")
os.environ["HSM_CONF"] = write("hsm.conf", "")
atexit.register(stop_boards)
os.environ["HSM_DEVICE"] = A = board("a")
os.environ["HSM_CONF"] = write("hsm.conf", f"device = {A}\n")
keys()
mistakes()
run("schema")
device_verbs()
partition_verbs()
user_verbs()
key_verbs()
firmware_verbs()
B = board("b")
moving_verbs(A, B)
run("device", "lifecycle", "decommissioned", "--yes", device=B, status=(0, 1))
sideband_verbs()
exit_statuses()
point(set(SCHEMA["$defs"]) - {"error"} == VERBS, "the schema has each verb", str(VERBS ^ (set(SCHEMA["$defs"]) - {"error"})))
for each in sorted(VERBS):
    point(0 in seen.get(each, set()) or (each in ONLY_ERRORS and each in seen), f"{each} was looked at")
print(f"1..{points}")
sys.exit(failed)
