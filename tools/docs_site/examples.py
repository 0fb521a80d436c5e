"""Examples in docstrings, as Markdown."""

import re

_EXAMPLE = re.compile(r"^( *)>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)


def fenced(docstring: str) -> str:
    """The docstring with a fence around each example, up to the next empty line.

    Markdown would take ``>>>`` for a quotation in a quotation.
    """
    return _EXAMPLE.sub(lambda found: f"{found[1]}```pycon\n{found[0]}\n{found[1]}```", docstring)
