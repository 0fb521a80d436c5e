"""The pages of the site, in the order of its navigation."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .api import room_page, rooms
from .commands_page import commands_page
from .settings_page import settings_page

ROOT = Path(__file__).parents[2]

HOW_TO = (
    "own_data",
    "own_backbone",
    "own_strategy",
    "choose_a_budget",
    "read_a_report",
    "when_not_to_trust_it",
    "run_on_a_cluster",
    "deploy",
    "reproduce_the_results",
)
EXPLANATIONS = (
    "nas/README.md",
    "nas/howto/maths.md",
    "nas/data/README.md",
    "nas/networks/backbone/README.md",
    "nas/launch/README.md",
    "nas/launch/clusters/README.md",
)
PROJECT = ("CONTRIBUTING.md", "CHANGELOG.md", "runs/LOG.md")

_FOUND_LAST = "---\nsearch:\n  boost: 0.2\n---\n\n"
"""How a page begins whose hits come after those of other pages: the log names everything."""


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: in the navigation.
        path: in the site, and in the repository if it is one of its files.
        text: makes its Markdown.
    """

    title: str
    path: str
    text: Callable[[], str]


def contents() -> Mapping[str, Sequence[Page]]:
    """The pages by section."""
    return {
        "Start": [file_page("README.md")],
        "How to": [file_page(f"nas/howto/{name}.md") for name in HOW_TO],
        "How it works": [file_page(path) for path in EXPLANATIONS],
        "Reference": [
            Page("Commands", "reference/commands.md", commands_page),
            Page("Settings", "reference/settings.md", settings_page),
            *(Page(room, f"reference/{room}.md", partial(room_page, room)) for room in rooms()),
        ],
        "Project": [file_page(path, before=_FOUND_LAST) for path in PROJECT],
    }


def file_page(path: str, *, before: str = "") -> Page:
    """A Markdown file of the repository, with its first heading as title, and what MkDocs reads before its text."""
    file = ROOT / path
    heading = re.search(r"^# (.*)$", file.read_text(), re.MULTILINE)
    assert heading is not None, f"{path} has no heading"
    return Page(heading[1].replace("`", ""), path, lambda: before + file.read_text())
