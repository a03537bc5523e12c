#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the vfio-user socket against the real board and firmware: the firmware's process is
killed at bad moments and its successor goes on; clients that do not behave harm only themselves.
The numbers come from the hardware header."""

import array
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

HEADER = "include/uapi/linux/ihsm_hw.h"
VERSION, DMA_MAP, REGION_READ, REGION_WRITE = 1, 2, 9, 10
CONFIG_REGION = 7
BASE = 1 << 32
SIZE = 1 << 20
points = 0
failed = False


def constants():
    """Plain numbers that the header defines."""
    found = {}
    with open(HEADER, encoding="ascii") as text:
        for line in text:
            match = re.match(r"#define\s+(IHSM_\w+)\s+\(?(0x[0-9a-fA-F]+|1U << \d+|\d+)U?\)?(\s|$)", line)
            if match:
                found[match[1]] = eval(match[2].replace("U", ""))  # pylint: disable=eval-used
            match = re.match(r"\s(IHSM_\w+)\s*=\s*(0x[0-9a-f]+),", line)
            if match:
                found[match[1]] = int(match[2], 0)
    return found


H = constants()


def point(good, name):
    global points, failed
    points += 1
    failed |= not good
    print(("ok" if good else "not ok"), points, "-", name, flush=True)


class Client:
    """One connection with memory of its own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.memfd = os.memfd_create("client", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.memfd, SIZE)
        self.memory = mmap.mmap(self.memfd, SIZE)
        self.tail = {}

    def close(self):
        self.socket.close()
        os.close(self.memfd)

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    @staticmethod
    def message(command, body, flags=0):
        return struct.pack("=HHIII", 5, command, 16 + len(body), flags, 0) + body

    def reply(self):
        _, _, size, flags, error = struct.unpack("=HHIII", self.read(16))
        body = self.read(size - 16)
        return (error if flags & 0x20 else 0), body

    def call(self, command, body, fds=()):
        if fds:
            self.socket.sendmsg([self.message(command, body)],
                                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        else:
            self.socket.sendall(self.message(command, body))
        return self.reply()

    def version(self):
        return self.call(VERSION, struct.pack("=HH", 0, 1) + b'{"capabilities":{}}\0')[0]

    def map(self):
        return self.call(DMA_MAP, struct.pack("=IIQQQ", 32, 3, 0, BASE, SIZE), [self.memfd])[0]

    def get(self, region, offset, count):
        error, body = self.call(REGION_READ, struct.pack("=QII", offset, region, count))
        return None if error else int.from_bytes(body[16:], "little")

    def put(self, region, offset, value, count):
        return self.call(REGION_WRITE,
                         struct.pack("=QII", offset, region, count) + value.to_bytes(count, "little"))[0]

    def reg(self, name):
        return self.get(0, H[name], 4)

    def enable(self):
        self.memory[0:0x2000] = bytes(0x2000)
        self.tail[0] = 0
        self.put(CONFIG_REGION, 4, 6, 2)
        self.put(0, H["IHSM_REG_ADMIN_ATTR"], 0x0404, 4)
        self.put(0, H["IHSM_REG_ADMIN_SQ"], BASE, 8)
        self.put(0, H["IHSM_REG_ADMIN_CQ"], BASE + 0x1000, 8)
        self.put(0, H["IHSM_REG_CONFIG"], H["IHSM_CONFIG_ENABLE"], 4)
        return self.reg("IHSM_REG_STATUS") & 0xff == H["IHSM_STATUS_READY"]

    def create_context(self):
        """One admin command by the rings; returns its status and the id."""
        at = self.tail[0] * 64
        entry = struct.pack("<BBHIQQQIIHH20x", H["IHSM_ADMIN_CREATE_CONTEXT"], 0, 9, 0, 0, 0, BASE + 0x4000, 0, 8,
                            0, 0)
        self.memory[at:at + 64] = entry
        done = 0x1000 + self.tail[0] * 16 + 14
        self.tail[0] += 1
        self.put(0, H["IHSM_DOORBELL_OFFSET"], self.tail[0], 4)
        end = time.monotonic() + 20
        while not self.memory[done] & 1 and time.monotonic() < end:
            os.sched_yield()
        return (struct.unpack_from("<H", self.memory, done)[0] >> 1,
                struct.unpack_from("<Q", self.memory, 0x4000)[0])

    def start(self):
        return self.version() == 0 and self.map() == 0 and self.enable()


def firmware_of(board):
    """Process numbers of the board's firmware."""
    with open(f"/proc/{board}/task/{board}/children", encoding="ascii") as text:
        return [int(pid) for pid in text.read().split()]


def kill_firmware(board):
    """Kill all of it and wait until the old processes are gone."""
    victims = firmware_of(board)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    while set(victims) & set(firmware_of(board)):
        os.sched_yield()
    return bool(victims)


def test_killed(board, path):
    client = Client(path)
    point(client.start(), "a client starts its controller")
    status, context = client.create_context()
    point(status == 0, "and opens a context")
    epoch = client.reg("IHSM_REG_EPOCH")
    config = client.get(CONFIG_REGION, 0, 64)
    # A request of which the firmware has read a part, with the rest in the socket's buffer or still to come.
    request = client.message(REGION_READ, struct.pack("=QII", H["IHSM_REG_VERSION"], 0, 4))
    client.socket.sendall(request[:20])
    point(kill_firmware(board), "the firmware is killed in the middle of a request")
    began = time.monotonic()
    client.socket.sendall(request[20:])
    error, body = client.reply()
    point(time.monotonic() - began < 5, "the request is answered within 5 s")
    point(error != 0 or int.from_bytes(body[16:], "little") == H["IHSM_VERSION"],
          "with an error or the right value")
    point(client.reg("IHSM_REG_STATUS") & 0xff == H["IHSM_STATUS_FATAL"], "the controller shows FATAL")
    point(client.get(CONFIG_REGION, 0, 64) == config, "configuration space is as it was")
    client.put(0, H["IHSM_REG_RESET"], H["IHSM_RESET_MAGIC"], 4)
    point(client.reg("IHSM_REG_EPOCH") not in (epoch, 0), "the epoch is another one")
    point(client.enable(), "after a reset it starts again, in the memory that it had mapped")
    status, other = client.create_context()
    point(status == 0 and other != context, "and opens another context")
    return client


def test_killed_many_times(board, client):
    good = True
    for _ in range(4):
        good &= kill_firmware(board)
        good &= client.reg("IHSM_REG_STATUS") & 0xff == H["IHSM_STATUS_FATAL"]
        client.put(0, H["IHSM_REG_RESET"], H["IHSM_RESET_MAGIC"], 4)
        good &= client.enable()
        good &= client.create_context()[0] == 0
    point(good, "four more times")


def test_truncated(path, other):
    client = Client(path)
    client.start()
    os.ftruncate(client.memfd, 0)
    client.put(0, H["IHSM_DOORBELL_OFFSET"], 1, 4)
    end = time.monotonic() + 20
    while client.reg("IHSM_REG_STATUS") & 0xff != H["IHSM_STATUS_FATAL"] and time.monotonic() < end:
        os.sched_yield()
    point(client.reg("IHSM_REG_STATUS") & 0xff == H["IHSM_STATUS_FATAL"],
          "memory truncated under the device is fatal to its own controller")
    point(other.create_context()[0] == 0, "and to nobody else")
    client.socket.close()


def test_misbehaving(board, path, other):
    before = firmware_of(board)
    deaf = Client(path)
    deaf.version()
    deaf.socket.setblocking(False)
    try:
        while True:
            deaf.socket.send(deaf.message(REGION_READ, struct.pack("=QII", 0, CONFIG_REGION, 4096)))
    except BlockingIOError:
        pass
    half = Client(path)
    half.socket.sendall(b"\1\0\1")
    silent = Client(path)
    broken = Client(path)
    broken.socket.sendall(b"\xff" * 64)
    try:
        closed = broken.socket.recv(1) == b""
    except ConnectionResetError:
        closed = True
    point(closed, "a stream of nonsense is closed")
    point(other.create_context()[0] == 0, "clients that stop reading, or stop half-way, block nobody")
    for client in (deaf, half, silent, broken):
        client.close()
    point(firmware_of(board) == before, "the firmware has survived all of it")


def start_board(state):
    ready, write = os.pipe()
    os.set_inheritable(write, True)
    board = subprocess.Popen([os.environ.get("HSM_VHSM", "vhsm"), "--state", state, "--embedded", "--idle-exit", "0",
                              "--ready-fd", str(write), "--log", os.path.join(os.environ["TMPDIR"], "board.log")],
                             close_fds=False)
    os.close(write)
    with os.fdopen(ready) as text:
        good = text.readline().strip() == "ready"
    return board, good


def run(board, state):
    path = os.path.join(state, "run", "fn1.sock")
    client = test_killed(board, path)
    test_killed_many_times(board, client)
    test_truncated(path, client)
    test_misbehaving(board, path, client)


def main():
    state = os.path.join(os.environ["TMPDIR"], "state")
    os.mkdir(state, 0o700)
    board, good = start_board(state)
    point(good, "the board starts")
    try:
        if good:
            run(board.pid, state)
    finally:
        board.terminate()
        board.wait()
        with open(os.path.join(os.environ["TMPDIR"], "board.log"), encoding="utf-8") as log:
            sys.stderr.write(log.read())
    print(f"1..{points}")
    return int(failed)


sys.exit(main())
