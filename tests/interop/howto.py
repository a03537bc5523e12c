# SPDX-License-Identifier: Apache-2.0
"""howto.py PAGE...: what a reader of these pages types, as calls of tests/interop/howto.sh.

In a page of Documentation/howto/, or one like start/operator, or in README.md, a block `code-block:: console` holds
commands: a line that begins with "$ ", or with "# " for what only root can do; lines that begin with
"> " or follow a backslash continue it, and all others are lines that must be in its output ("..."
stands for any). A block of another language with a caption is the file of that name.
"""

import re
import shlex
import sys
import textwrap

PROMPTS = {"$ ": "howto_step", "# ": "howto_root"}


def blocks(text):
    """(language, caption, content) of each code block."""
    lines = iter(text.splitlines() + ["end"])
    line = next(lines)
    while line is not None:
        start = re.match(r"( *)\.\. code-block:: (\w+)$", line)
        line = next(lines, None)
        if not start:
            continue
        body = []
        while line is not None and (not line.strip() or line.startswith(start[1] + "   ")):
            body.append(line)
            line = next(lines, None)
        body = textwrap.dedent("\n".join(body)).strip("\n").split("\n")
        caption = None
        if body[0].startswith(":caption: "):
            caption = body[0].removeprefix(":caption: ")
            body = "\n".join(body[1:]).strip("\n").split("\n")
        yield start[2], caption, body


def fenced(text):
    """Markdown's blocks as those of rst"""
    def block(match):
        return f".. code-block:: {match[1]}\n\n" + textwrap.indent(match[2], "   ")
    return re.sub(r"^```(\w+)\n(.*?)^```$", block, text, flags=re.M | re.S)


def source(page):
    if page == "README":
        path = "README.md"
    else:
        path = f"Documentation/{page if '/' in page else 'howto/' + page}.rst"
    with open(path, encoding="utf-8") as file:
        return fenced(file.read()) if page == "README" else file.read()


def steps(body):
    """(who, command, lines of output) of a console block."""
    who, command, output = None, None, []
    for line in body:
        if line[:2] in PROMPTS:
            if command is not None:
                yield who, command, output
            who, command, output = PROMPTS[line[:2]], line[2:], []
        elif command is None:
            sys.exit(f"a console block begins with: {line}")
        elif line.startswith("> ") or line == ">":
            command += "\n" + line[2:]
        elif command.endswith("\\") and not output:
            command += "\n" + line
        elif line.strip() and line.strip() != "...":
            output.append(line.strip())
    yield who, command, output


def main():
    for page in sys.argv[1:]:
        for language, caption, body in blocks(source(page)):
            if caption:
                print("howto_file", shlex.quote(caption), shlex.quote("\n".join(body)))
            elif language == "console":
                for who, command, output in steps(body):
                    print(who, page, shlex.quote(command), shlex.quote("\n".join(output)))


main()
