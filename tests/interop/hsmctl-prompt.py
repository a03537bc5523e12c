#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hsmctl asks for PINs on the terminal: without echo, a new one twice, and the terminal is as before."""

import atexit
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios

LIMIT = 20  # seconds for any one answer: only a hang comes near
points = 0
failed = False


def point(good, name):
    global points, failed
    points += 1
    failed |= not good
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)


class Terminal:
    """A program with a terminal of its own, and what it wrote there."""

    def __init__(self, *args):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(args[0], args)

    def read(self):
        if not select.select([self.fd], [], [], LIMIT)[0]:
            raise TimeoutError(self.seen)
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, pattern):
        while not re.search(pattern, self.seen):
            if not self.read():
                raise EOFError(f"no {pattern!r} in {self.seen!r}")

    def answer(self, pattern, text):
        self.until(pattern)
        os.write(self.fd, text.encode() + b"\n")

    def end(self):
        while self.read():
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        print(self.seen, file=sys.stderr)
        return status


def init(label):
    t = Terminal("hsmctl", "partition", "init", "--label", label)
    t.answer("New SO PIN: ", "so-secret-1")
    t.answer("New SO PIN again: ", "so-secret-1")
    t.answer("New user PIN: ", "user-secret-1")
    t.answer("New user PIN again: ", "user-secret-1")
    return t.end(), t.seen


def echo_is_on(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def stop_board():
    found = subprocess.run(["pgrep", "-f", "vhsm .*" + os.environ["TMPDIR"]], capture_output=True, text=True, check=False)
    for pid in found.stdout.split():
        os.kill(int(pid), signal.SIGTERM)


atexit.register(stop_board)
os.environ["HSM_DEVICE"] = "vhsm:" + os.environ["TMPDIR"] + "/p"

status, seen = init("prompted")
point(status == 0, "a token is initialized with PINs from the terminal")
point("secret" not in seen, "no PIN is echoed")

t = Terminal("hsmctl", "pin", "set")
t.answer("User PIN: ", "user-secret-1")
t.answer("New user PIN: ", "user-secret-2")
t.answer("New user PIN again: ", "user-secret-3")
point(t.end() == 2, "two different new PINs are refused")

t = Terminal("hsmctl", "pin", "set")
t.answer("User PIN: ", "user-secret-1")
t.answer("New user PIN: ", "user-secret-2")
t.answer("New user PIN again: ", "user-secret-2")
point(t.end() == 0, "the PIN is changed")

# The shell stays on the terminal after hsmctl was interrupted.
t = Terminal("sh", "-c", "trap : INT; hsmctl pin set; echo ended; read answer")
t.until("User PIN: ")
os.write(t.fd, b"\x03")
t.until("ended")
point(echo_is_on(t.fd), "an interrupt puts the echo back")
os.write(t.fd, b"\n")
t.end()

t = Terminal("hsmctl", "partition", "init", "--label", "again")
t.answer("Type yes to go on: ", "no")
point(t.end() == 2 and "nothing was changed" in t.seen, "a token is not overwritten without a yes")

t = Terminal("hsmctl", "partition", "init", "--label", "again")
t.answer("Type yes to go on: ", "yes")
t.answer("SO PIN: ", "so-secret-1")
t.answer("New user PIN: ", "user-secret-1")
t.answer("New user PIN again: ", "user-secret-1")
point(t.end() == 0, "with a yes it is")

print(f"1..{points}")
sys.exit(failed)
