#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rst.py FILE: fail on any warning of docutils; Sphinx's own markup counts as known."""

import sys

from docutils import core, nodes
from docutils.parsers.rst import Directive, directives, roles


class Sphinx(Directive):
    """A directive that docutils lacks: its content is not looked into."""

    has_content = True
    optional_arguments = 100

    def run(self):
        return []


def role(name, rawtext, text, lineno, inliner, options=None, content=None):
    return [nodes.literal(rawtext, text)], []


for known in ("toctree", "kernel-doc", "code-block", "c:function", "c:struct", "flat-table"):
    directives.register_directive(known, Sphinx)
for known in ("ref", "doc", "c:func", "c:type", "c:struct", "manpage", "file", "term"):
    roles.register_local_role(known, role)

with open(sys.argv[1], encoding="utf-8") as source:
    text = source.read()
try:
    core.publish_doctree(
        text, source_path=sys.argv[1],
        settings_overrides={"report_level": 2, "halt_level": 2, "file_insertion_enabled": False})
except Exception as error:  # docutils raises SystemMessage, and more for bad input
    sys.exit(f"{sys.argv[1]}: {error}")
