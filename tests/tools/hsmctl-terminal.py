#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""Colours and bars are for terminals: what hsmctl writes to one, to a pipe, and when it is told otherwise."""

import atexit
import os
import pty
import re
import signal
import subprocess
import sys

TMP = os.environ["TMPDIR"]
BUILD = os.environ["HSM_BUILD"]
points = 0
failed = False


def point(good, name, seen=""):
    global points, failed
    points += 1
    failed |= not good
    print(name, repr(seen), file=sys.stderr)
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)


def run(*args, terminal=("out", "err"), **env):
    """What is written to a terminal, and what to a pipe"""
    master, slave = pty.openpty()
    streams = {"stdout": slave if "out" in terminal else subprocess.PIPE, "stderr": slave if "err" in terminal else subprocess.PIPE}
    environ = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")} | {"TERM": "xterm"} | env
    with subprocess.Popen(["hsmctl", *args], stdin=subprocess.DEVNULL, env=environ, **streams) as child:
        os.close(slave)
        seen = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        piped = b"".join(s.read() for s in (child.stdout, child.stderr) if s)
    os.close(master)
    return seen.decode(), piped.decode()


def stop():
    found = subprocess.run(["pgrep", "-f", "-x", f"[^ ]*vhsm .*{TMP}/hsm( .*)?"], capture_output=True, text=True, check=False)
    for pid in found.stdout.split():
        try:
            os.kill(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            continue
        subprocess.run(["timeout", "20", "tail", "-s", "0.05", f"--pid={pid}", "-f", "/dev/null"], check=False)


os.environ["HSM_DEVICE"] = f"vhsm:{TMP}/hsm"
atexit.register(stop)
ESCAPE = "\033"

seen, _ = run("list")
point(f"{ESCAPE}[1mdevice" in seen, "a heading on a terminal", seen)
seen, _ = run("status")
point(f"{ESCAPE}[32moperational{ESCAPE}[0m" in seen, "a state on a terminal", seen)
point(re.search(r"claimed +\S* (yes|no)", seen), "yes and no", seen)
_, piped = run("list", terminal=())
point("default" in piped and ESCAPE not in piped, "none in a pipe", piped)
seen, piped = run("list", terminal=("err",))
point("default" in piped and ESCAPE not in seen + piped, "none in a pipe beside a terminal", piped)
for name, env, args in (("NO_COLOR", {"NO_COLOR": "1"}, ()), ("TERM=dumb", {"TERM": "dumb"}, ()), ("no TERM", {"TERM": ""}, ()),
                        ("--color=never", {}, ("--color=never",)), ("--json", {}, ("--json",))):
    seen, _ = run("list", *args, **env)
    point("default" in seen and ESCAPE not in seen, f"none with {name}", seen)
seen, _ = run("list", NO_COLOR="")
point(ESCAPE in seen, "an empty NO_COLOR says nothing", seen)
_, piped = run("list", "--color", "always", terminal=(), NO_COLOR="1")
point(ESCAPE in piped, "--color=always in a pipe", piped)
_, piped = run("list", "--color", "sometimes", terminal=())
point("none of auto, always, never" in piped, "no other --color", piped)
seen, _ = run("lits", terminal=("err",))
point(f"{ESCAPE}[31mhsmctl:{ESCAPE}[0m no verb" in seen, "an error on a terminal", seen)
_, piped = run("lits", terminal=("out",))
point(piped.startswith("hsmctl: no verb"), "and in a pipe", piped)

bundle = f"scripts/firmware-bundle {BUILD}/hsm-firmware {TMP}/next {BUILD} {BUILD}/dev-keys 99.1 1"
subprocess.run(f"{bundle} && hsm-fw-sign image {TMP}/next {TMP}/next.img", shell=True, check=True, stdout=sys.stderr)
BAR = re.compile(r"\rimage \[([#.]{30})\] +(\d+) %")
seen, _ = run("firmware", "stage", f"{TMP}/next.img")
shown = [int(m[2]) for m in BAR.finditer(seen)]
point(len(shown) > 3 and shown == sorted(set(shown)) and shown[-1] == 100, "a bar grows to its end", seen)
point(BAR.findall(seen)[-1][0] == "#" * 30 if shown else False, "which is full")
for name, terminal, args, env in (("a pipe", (), (), {}), ("a pipe beside a terminal", ("out",), (), {}),
                                  ("--json", ("out", "err"), ("--json",), {}), ("TERM=dumb", ("out", "err"), (), {"TERM": "dumb"})):
    seen, piped = run("firmware", "stage", f"{TMP}/next.img", *args, terminal=terminal, **env)
    point("99.1" in seen + piped and "image [" not in seen + piped, f"no bar with {name}", seen + piped)
print(f"1..{points}")
sys.exit(failed)
