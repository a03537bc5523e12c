#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
search.py [--own] PID NEEDLE...: looks for the contents of the files NEEDLE in all memory of a process, byte for byte, also with
their bytes in reverse and for either half of them alone, and prints for each file how often it was there. With --own, not in what
the process shares with others: a device has its guest's memory mapped.
"""
import sys

CHUNK = 1 << 24


def forms(needle):
    """What a secret may look like: a library's numbers have their lowest byte first"""
    half = len(needle) // 2
    parts = {needle[:half], needle[half:]} if half >= 8 else {needle}
    return parts | {part[::-1] for part in parts}


def count(memory, start, end, wanted, overlap):
    """Occurrences of each file's forms between two addresses"""
    found = [0] * len(wanted)
    tail = b""
    memory.seek(start)
    while start < end:
        try:
            data = memory.read(min(CHUNK, end - start))
        except OSError:  # the kernel's own pages, and what a device has
            break
        if not data:
            break
        text = tail + data
        for i, parts in enumerate(wanted):
            found[i] += sum(text.count(part) for part in parts)
        tail = text[-overlap:]
        start += len(data)
    return found


def main():
    own = sys.argv[1] == "--own"
    pid, names = sys.argv[1 + own], sys.argv[2 + own:]
    wanted = [forms(open(name, "rb").read()) for name in names]
    overlap = max(len(part) for parts in wanted for part in parts) - 1
    total = [0] * len(names)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if "r" not in mode or (own and "s" in mode) or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            for i, hits in enumerate(count(memory, start, end, wanted, overlap)):
                total[i] += hits
    for name, hits in zip(names, total):
        print(name.rsplit("/", 1)[-1], hits)


main()
