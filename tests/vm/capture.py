#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
capture.py [OPTIONS] LISTEN SERVER [FILE]: stands between a vfio-user client and a function's
socket, and writes to FILE all that crosses it: each buffer that a command names, before the device
sees the command, and each answer's when the host has taken it.

The device's shadow doorbells are hidden from the client. Then every command rings a doorbell, which
is a message that waits here until its buffers are copied: nothing escapes. One line "ready" when it
listens.

--register OFFSET=VALUE  what the client reads there in BAR 0, 32 bits, instead of what the device
                         says
--count                  write nothing down and hide nothing; at each SIGUSR1 print the accesses to
                         BAR 0 since the last one, as "reads N writes N"
"""
import argparse
import mmap
import os
import signal
import socket
import struct
import threading

VERSION, DMA_MAP, DMA_UNMAP, REGION_READ, REGION_WRITE = 1, 2, 3, 9, 10
NO_REPLY = 0x10
REPLY = 1
HEADER = struct.Struct("=HHIII")
ACCESS = struct.Struct("=QII")
SQE = struct.Struct("<BBHIQQQIIHH5I")
CAP_SHADOW = 1 << 40
CREATE_QUEUE = 2
DOORBELL = 0x10000


def receive(sock):
    """One message: header and body as bytes, descriptors. None at the end."""
    data, fds = b"", []
    size = HEADER.size
    while len(data) < size:
        part, more, _, _ = socket.recv_fds(sock, size - len(data), 16)
        fds += more
        if not part:
            return None
        data += part
        if len(data) == HEADER.size:
            size = HEADER.unpack(data)[2]
    return data, fds


def send(sock, data, fds):
    sent = socket.send_fds(sock, [data], fds)
    sock.sendall(data[sent:])
    for fd in fds:
        os.close(fd)


class Memory:
    """The guest's memory as the device sees it."""

    def __init__(self):
        self.maps = []

    def add(self, body, fds):
        _, _, offset, address, size = struct.unpack_from("=IIQQQ", body)
        if fds:
            memory = mmap.mmap(fds[0], size, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)
            self.maps.append((address, size, memory))

    def remove(self, body):
        _, _, address, size = struct.unpack_from("=IIQQ", body)
        self.maps = [m for m in self.maps if m[0] != address or m[1] != size]

    def read(self, address, size):
        for start, length, memory in self.maps:
            if start <= address and address + size <= start + length:
                return memory[address - start:address - start + size]
        return b""


class Queue:
    def __init__(self, sq, cq, sq_log2, cq_log2):
        self.sq, self.cq = sq, cq
        self.sq_entries, self.cq_entries = 1 << sq_log2, 1 << cq_log2
        self.tail = self.head = 0
        self.out = {}


class Capture:
    def __init__(self, client, server, log, registers):
        self.client, self.server, self.log, self.registers = client, server, log, registers
        self.counts = {REGION_READ: 0, REGION_WRITE: 0}
        self.memory = Memory()
        self.regs = bytearray(0x30)
        self.queues = {}
        self.reads = {}

    def record(self, kind, queue, data):
        self.log.write(b"\n%s queue %d, %d bytes\n" % (kind, queue, len(data)))
        self.log.write(data)
        self.log.flush()

    def buffer(self, address, length, segments):
        if not segments:
            return self.memory.read(address, length)
        table = self.memory.read(address, 16 * segments)
        pieces = (struct.unpack_from("<QI", table, at) for at in range(0, len(table) - 15, 16))
        return b"".join(self.memory.read(address, size) for address, size in pieces)

    def command(self, number, queue, index):
        raw = self.memory.read(queue.sq + 64 * (index % queue.sq_entries), 64)
        if len(raw) != 64:
            return
        opcode, _, cid, _, _, in_addr, out_addr, in_len, out_len, ins, outs, *arg = SQE.unpack(raw)
        if number == 0 and opcode == CREATE_QUEUE:
            self.queues[arg[0]] = Queue(in_addr, out_addr, arg[1] & 15, arg[1] >> 8 & 15)
        elif number != 0:
            self.record(b"request", number, self.buffer(in_addr, in_len, ins))
            queue.out[cid] = (out_addr, out_len, outs)

    def answer(self, number, queue, index):
        raw = self.memory.read(queue.cq + 16 * (index % queue.cq_entries), 16)
        if len(raw) == 16 and number != 0:
            cid = struct.unpack("<IIHHHH", raw)[3]
            if cid in queue.out:
                self.record(b"response", number, self.buffer(*queue.out.pop(cid)))

    def doorbell(self, offset, value):
        number, completion = divmod(offset - DOORBELL, 8)
        queue = self.queues.get(number)
        if not queue:
            return
        if completion:
            while queue.head != value:
                self.answer(number, queue, queue.head)
                queue.head = (queue.head + 1) & 0xffffffff
        else:
            while queue.tail != value:
                self.command(number, queue, queue.tail)
                queue.tail = (queue.tail + 1) & 0xffffffff

    def register(self, offset, data):
        self.regs[offset:offset + len(data)] = data
        if offset in (0x0c, 0x28):
            attr, sq, cq = struct.unpack_from("<IQQ", self.regs, 0x14)
            self.queues = {0: Queue(sq, cq, attr & 15, attr >> 8 & 15)}

    def write(self, body):
        offset, region, count = ACCESS.unpack_from(body)
        data = body[ACCESS.size:ACCESS.size + count]
        if region != 0:
            return
        if offset >= DOORBELL and count == 4:
            self.doorbell(offset, struct.unpack("<I", data)[0])
        elif offset + count <= len(self.regs):
            self.register(offset, data)

    def from_client(self, data, fds):
        ident, command, _, _, _ = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        if command in self.counts and ACCESS.unpack_from(body)[1] == 0:
            self.counts[command] += 1
        if command == DMA_MAP:
            self.memory.add(body, fds)
        elif command == DMA_UNMAP:
            self.memory.remove(body)
        elif command == REGION_WRITE and self.log:
            self.write(body)
        elif command == REGION_READ:
            self.reads[ident] = ACCESS.unpack_from(body)

    def instead(self, offset, data):
        """What the client gets for these bytes of BAR 0: other registers, no shadow doorbells."""
        if self.log and offset + len(data) <= 8:
            cap = int.from_bytes(data, "little") & ~(CAP_SHADOW >> 8 * offset)
            data = cap.to_bytes(len(data), "little")
        changed = bytearray(data)
        for place, value in self.registers:
            for i, byte in enumerate(struct.pack("<I", value)):
                if offset <= place + i < offset + len(data):
                    changed[place + i - offset] = byte
        return bytes(changed)

    def from_server(self, data):
        ident, command, _, _, error = HEADER.unpack_from(data)
        if command != REGION_READ or error:
            return data
        offset, region, count = self.reads.pop(ident, (0, 1, 0))
        if region != 0:
            return data
        start = HEADER.size + ACCESS.size
        return data[:start] + self.instead(offset, data[start:start + count])

    def pump(self, source, target, handle):
        while True:
            message = receive(source)
            if message is None:
                break
            data, fds = message
            send(target, handle(data, fds), fds)
        target.shutdown(socket.SHUT_WR)

    def run(self):
        def inward(data, fds):
            self.from_client(data, fds)
            return data

        def outward(data, _):
            return self.from_server(data)

        other = threading.Thread(target=self.pump, args=(self.server, self.client, outward))
        other.start()
        self.pump(self.client, self.server, inward)
        other.join()


def register(text):
    offset, value = text.split("=")
    return int(offset, 0), int(value, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--register", type=register, action="append", default=[])
    parser.add_argument("--count", action="store_true")
    parser.add_argument("listen")
    parser.add_argument("server")
    parser.add_argument("file", nargs="?", default=os.devnull)
    args = parser.parse_args()
    current = []

    def tell(*_):
        for capture in current:
            counts = capture.counts[REGION_READ], capture.counts[REGION_WRITE]
            print("reads %d writes %d" % counts, flush=True)
            capture.counts = dict.fromkeys(capture.counts, 0)

    signal.signal(signal.SIGUSR1, tell)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(args.listen)
    listener.listen(1)
    print("ready", flush=True)
    with open(args.file, "wb") as log:
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(args.server)
            current[:] = [Capture(client, server, None if args.count else log, args.register)]
            current[0].run()


main()
