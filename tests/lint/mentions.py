#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents name is there: files and tests of this tree, targets of make, and our programs' verbs and
options, by what the programs themselves say with --help."""

import glob
import os
import re
import subprocess
import sys

BUILD = os.environ.get("HSM_BUILD", "")
PROGRAMS = ("hsmctl", "hsm-verify", "vhsm", "hsm-fw-sign", "hsm-bench")
TREE = r"tests|scripts|vhsm|kernel|libhsm|pkcs11|tools|system|debian|include|attestation|common|bindings|Documentation"
PATH = re.compile(rf"(?<![\w/.$*-])((?:{TREE})/[\w./*-]*[\w*])")
# As attestation.rst and others name tests
SHORT = re.compile(r"(?<![\w/.$-])((?:unit|interop|fault|fuzz|vm|pkcs11|packages)/[\w./-]*\w)")
TEST = re.compile(r"(?<![\w/])((?:test|fuzz)_\w+)(?!\()")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
points = failed = 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def point(name, wrong):
    global points, failed
    points += 1
    for what in sorted(set(wrong)):
        print(f"{name}: {what}", file=sys.stderr)
    failed |= bool(wrong)
    print(f"{'not ok' if wrong else 'ok'} {points} - {name}")


def documents():
    return sorted(glob.glob("Documentation/**/*.rst", recursive=True)) + ["README.md", "CONTRIBUTING.md"]


def commands(text):
    """What is typed: literals, and the lines of blocks, a line that ends in a backslash with the next"""
    text = re.sub(r"\\\n *", " ", text)
    for line in re.finditer(rf"^(?: {{3,}}|\t)((?:\w*[$#] )?(?:[A-Z_]+=\S+ )*(?:make|{'|'.join(PROGRAMS)}) .*)$", text, re.M):
        yield line[1]
    for literal in re.finditer(r"`{1,2}([^`]+)`{1,2}", text):
        yield " ".join(literal[1].split())


def exists(path):
    return any(glob.glob(path + end) for end in ("", ".c", ".sh", ".py", ".h"))


def missing_paths(text):
    for path in PATH.findall(text):
        if not re.search(r"[A-Z]{3}", path.replace("Documentation/ABI", "")) and not exists(path):
            yield path
    for path in SHORT.findall(text):
        if not re.search(r"[A-Z]{3}", path) and not exists("tests/" + path):
            yield path


def missing_tests(text):
    """Files of tests, or the functions in them that are cases"""
    there = {os.path.basename(path).split(".")[0] for path in glob.glob("tests/**/*_*.*", recursive=True)}
    for path in glob.glob("kernel/ihsm_test*.c") + glob.glob("tests/**/*.c", recursive=True):
        there |= set(re.findall(r"\btest_\w+(?=\()", read(path)))
    return [name for name in TEST.findall(text) if not any(n.startswith(name) for n in there)]


def make_targets():
    names = set()
    for path in ["Makefile", *glob.glob("**/*.mk", recursive=True)]:
        for line in re.findall(r"^([\w%$(). /-]+):", read(path), re.M):
            names |= set(line.split())
        names |= {word for line in re.findall(r"^\.PHONY: (.*)$", read(path), re.M) for word in line.split()}
    names |= {f"check-{os.path.basename(path)}" for path in glob.glob("tests/*") if os.path.isdir(path)}
    return names


def wrong_targets(text, targets):
    for command in commands(text):
        match = re.match(r"(?:\$ )?make ((?:[A-Z_]+=\S* )*)([a-z][a-z-]*)\b(?!/)", command)
        if match and not match[2].endswith("-") and match[2] not in targets and "check-" + match[2] not in targets:
            yield f"make {match[2]}"


def said(program, *words):
    run = subprocess.run([f"{BUILD}/{program}", *words, "--help"], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def interface(program):
    """Its verbs, and all options of all of them"""
    text = said(program)
    verbs = {" ".join(words) for words in re.findall(r"^  ([a-z][a-z0-9-]*)(?: ([a-z][a-z0-9-]+))?(?= )", text, re.M)}
    verbs = {verb.strip() for verb in verbs}
    if program == "hsmctl":
        text += "".join(said(program, *verb.split()) for verb in verbs)
        verbs = {verb for verb in verbs if "usage" in said(program, *verb.split()).lower()} or verbs
    elif program == "hsm-verify":
        text += "".join(said(program, verb) for verb in verbs)
    return verbs, set(OPTION.findall(text)) | {"help", "version"}


def wrong_uses(text, program, verbs, options):
    for command in commands(text):
        for use in re.findall(rf"(?<![\w/.-]){program} ([^|;&#>]*)", command):
            use = re.sub(r"-(?:d|-device|-sideband) \S+ *", "", use)
            for option in OPTION.findall(use):
                # "--pin-..." stands for all that begin so.
                if option not in options and not any(known.startswith(option) and option.endswith("-") for known in options):
                    yield f"{program} --{option}"
            words = re.match(r"(?:--\w+ )*([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", use)
            if program == "hsmctl" and words:
                one, two = words[1], f"{words[1]} {words[2]}"
                if one not in verbs and two not in verbs and not (words[2] is None and any(v.startswith(one + " ") for v in verbs)):
                    yield f"hsmctl {two if words[2] else one}"


def main():
    if not os.path.exists(f"{BUILD}/hsmctl"):
        print("1..0 # SKIP nothing was built")
        return
    targets = make_targets()
    known = {program: interface(program) for program in PROGRAMS if os.path.exists(f"{BUILD}/{program}")}
    for path in documents():
        text = read(path)
        wrong = [*missing_paths(text), *missing_tests(text), *wrong_targets(text, targets)]
        for program, (verbs, options) in known.items():
            wrong += wrong_uses(text, program, verbs, options)
        point(path, wrong)
    print(f"1..{points}")
    sys.exit(failed)


main()
