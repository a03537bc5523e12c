# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes pages of these documents; `make docs` says what it is given.

The sources name each other as they are read in a directory: board.rst, howto/nginx.rst, hsmctl(1).
Here these names become links, and a name that leads nowhere is a warning, which ends the build.
"""

import os
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

project = "An integrated HSM for Linux"
with open(os.environ.get("HSM_VERSION_FILE", "../VERSION"), encoding="utf-8") as file:
    release = version = file.read().strip()
html_theme = "nature"
html_title = project
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"sidebarwidth": "17em"}
smartquotes = False
highlight_language = "none"
nitpicky = True

NAME = re.compile(r"(?P<page>(?:[\w-]+/)*[\w.-]+)\.rst\b|\b(?P<manual>[a-z][a-z0-9.-]*)\((?P<section>[1-8])\)")
# Where a page is looked for that is not beside the one that names it
PLACES = ("", "howto/", "man/", "start/")


class Names(SphinxTransform):
    """Names of pages in running text are links to them."""

    default_priority = 400

    def find(self, match):
        if match["manual"]:
            page = f"man/{match['manual']}.{match['section']}"
            return page if page in self.env.found_docs else None
        name = re.sub(r"^Documentation/", "", match["page"])
        here = os.path.dirname(self.env.docname)
        for place in (here + "/" if here else "", *PLACES):
            page = os.path.normpath(place + name)
            if page in self.env.found_docs:
                return page
        logging.getLogger(__name__).warning("there is no %s.rst", name, location=self.env.docname)
        return None

    def linked(self, text):
        """The nodes that stand for a piece of text, or nothing when no name is in it"""
        made, end = [], 0
        for match in NAME.finditer(text):
            page = self.find(match)
            if not page:
                continue
            link = addnodes.pending_xref(match[0], nodes.inline(match[0], match[0]), refdomain="std", reftype="doc",
                                         refdoc=self.env.docname, reftarget="/" + page, refexplicit=True, refwarn=True)
            made += [nodes.Text(text[end:match.start()]), link]
            end = match.end()
        return made and made + [nodes.Text(text[end:])]

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, (nodes.paragraph, nodes.term, nodes.emphasis, nodes.strong)):
                made = self.linked(text.astext())
                if made:
                    text.parent.replace(text, made)


def setup(app):
    app.add_transform(Names)
    return {"parallel_read_safe": True}
