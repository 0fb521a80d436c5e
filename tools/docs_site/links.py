"""Links in Markdown: where they lead, and how they are written in the site."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

_CODE = re.compile(r"^(`{3,}).*?^\1$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_OUTSIDE = re.compile(r"[a-z]+:")


def links_of(text: str, page: str) -> Iterator[str]:
    """The files to which a page links, as paths from the root; links to other sites and within the page are left out.

    Args:
        text: the page's Markdown.
        page: its path from the root.
    """
    for link in _LINK.finditer(_CODE.sub("", text)):
        if (target := target_of(link[2], page)) is not None:
            yield target


def target_of(link: str, page: str) -> str | None:
    """The path from the root of what a link in a page leads to; None for other sites and places in the page."""
    path = link.partition("#")[0]
    if not path or _OUTSIDE.match(link):
        return None
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / path).parts:
        if part == "..":
            if not parts:
                raise ValueError(f"{page}: the link {link} leads out of the project")
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def with_links(text: str, change: Callable[[str], str]) -> str:
    """The text with each link changed, except in code."""
    found, end = [], 0
    for code in _CODE.finditer(text):
        found += [_changed(text[end : code.start()], change), code[0]]
        end = code.end()
    return "".join([*found, _changed(text[end:], change)])


def _changed(text: str, change: Callable[[str], str]) -> str:
    return _LINK.sub(lambda link: f"{link[1]}{change(link[2])}{link[3]}", text)
