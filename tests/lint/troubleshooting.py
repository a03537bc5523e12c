#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Documentation/troubleshooting.rst quotes the sources: each message stands in one of their strings,
and what there are tables of in the sources has an entry: the device's status, the layers of libhsm's
errors, hsmctl's refusals and its exit codes."""

import glob
import re
import sys

PAGE = "Documentation/troubleshooting.rst"
SOURCES = ("libhsm", "tools", "pkcs11", "vhsm/board", "vhsm/firmware", "kernel", "common", "attestation", "include/uapi/linux")
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\\n]|\\.)*")*')
points = failed = 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def point(name, missing):
    """A TAP point that is good when nothing is missing"""
    global points, failed
    points += 1
    for what in missing:
        print(f"{name}: {what}", file=sys.stderr)
    failed |= bool(missing)
    print(f"{'not ok' if missing else 'ok'} {points} - {name}")


def strings():
    """For each source file its strings, those that C joins as one, formats shown as the page has them"""
    for directory in SOURCES:
        for path in glob.glob(f"{directory}/*.[ch]"):
            found = []
            for match in STRING.finditer(read(path)):
                text = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', match[0]))
                found.append(re.sub(r"%[-#0]*[\d.*]*(?:ll|l|z|h)*[a-zA-Z]", "...", text.replace('\\"', '"')))
            yield path, found


def cells(text):
    """The first cell of each row of the page's tables"""
    for match in re.finditer(r"^   \* - (``.*?)\n     - ", text, re.M | re.S):
        yield " ".join(match[1].split())


def quoted(text):
    """Messages: what is quoted in the first cells, but for names of return values"""
    for cell in cells(text):
        for message in re.findall(r"``(.*?)``", cell):
            if not re.fullmatch(r"CKR_\w+", message):
                yield message


def found_in(message, sources):
    """All fragments of a message in the strings of one file"""
    fragments = [part for part in re.split(r"\.\.\.", message) if part.strip(" :;().,'")]
    return any(all(any(part in text for text in found) for part in fragments) for found in sources)


def main():
    page = read(PAGE)
    sources = [found for _, found in strings()]
    messages = list(quoted(page))
    if len(messages) < 50:
        sys.exit(f"{PAGE}: only {len(messages)} messages were found in it")
    point("every message is one of the sources", [m for m in messages if not found_in(m, sources)])

    status = re.findall(r'^\tX\(0x\w+, (\w+),\s*\w+,\s*"([^"]*)"\)', read("include/uapi/linux/ihsm_hw.h"), re.M)
    point("the device's status", [t for name, t in status if name != "SUCCESS" and f"``{t}``" not in page] or
          ([] if len(status) > 10 else ["no table of status"]))

    layers = re.findall(r'\[HSM_LAYER_\w+\] = "(\w+)"', read("libhsm/error.c"))
    point("the layers of libhsm", [l for l in layers if l != "none" and not re.search(f"^``{l}`` ", page, re.M)] or
          ([] if len(layers) > 5 else ["no table of layers"]))

    refusals = {name for path in glob.glob("tools/hsmctl*.c") for name in re.findall(r'\{ CKR_\w+, "(CKR_\w+)"', read(path))}
    point("hsmctl's refusals", [r for r in sorted(refusals) if f"``{r}``" not in page] or
          ([] if len(refusals) > 10 else ["no table of refusals"]))

    codes = re.findall(r"^\tX\([A-Z]+,\s*(\d+),", read("tools/hsmctl.h"), re.M)
    point("hsmctl's exit codes", [c for c in codes if not re.search(f"^``{c}`` ", page, re.M)] or
          ([] if len(codes) > 4 else ["no exit codes"]))
    print(f"1..{points}")
    sys.exit(failed)


main()
