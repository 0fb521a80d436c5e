"""Runs the blocks of code of a Markdown page, as a reader would: one after the other, in one folder.

- ``sh``: each line is a command. Those of ``nas`` run in this process, with small settings.
- ``python``: runs in the names of the page's blocks before it. With ``title="NAME"`` it is that file.
- ``text``: a layout or an output. It is not run.
"""

import importlib
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nas.cli.main import run

ROOT = Path(__file__).parents[1]
LANGUAGES = {"sh", "python", "text"}

ELSEWHERE = {
    *("nas", "tools/nas", "tools/cluster", "eval", "ray", "export", "docker", "kubectl", "sbatch"),
    *("tools/test", "tools/docs", ".venv/bin/pre-commit"),
}
"""First words of the commands that need a cluster or a cloud, and of those that check or write the project itself."""

_BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code; ``file`` is the name of the file that it is, if any."""

    language: str
    file: str | None
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """The blocks of a page, which is a path from the root."""
    text = (ROOT / page).read_text()
    return [
        Block(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 2) for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block of ``sh``."""
    for line in block.text.splitlines():
        if words := shlex.split(line, comments=True):
            yield words


Small = Callable[[list[str]], dict[str, object]]
"""Settings that make a command of nas small, as ``--set`` takes them."""


def is_nas(words: list[str]) -> bool:
    return words[0] in ("nas", "tools/nas")


def needs_cluster(block: Block) -> bool:
    """Whether a command of the block talks to a cluster, or to where it keeps its runs."""
    return block.language == "sh" and any({"--address", "--storage"} & set(words) for words in commands(block))


def run_page(page: str, folder: Path, monkeypatch, small: Small = lambda words: {}) -> None:
    """Run a page in a folder, which has what the page takes for granted.

    Blocks that need a cluster are left to the tests that have one.
    """
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    names: dict[str, object] = {"__name__": "page"}
    try:
        for block in blocks(page):
            where = f"{page}:{block.line}"
            if block.file is not None:
                (folder / block.file).write_text(block.text)
                importlib.invalidate_caches()
            elif block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
            elif block.language == "sh" and not needs_cluster(block):
                for words in commands(block):
                    if is_nas(words):
                        more = [part for name, value in small(words).items() for part in ("--set", f"{name}={value}")]
                        assert run([*words[1:], *more]) == 0, f"{where}: {shlex.join(words)}"
                    else:
                        assert words[0] in ELSEWHERE, f"{where}: nothing runs {shlex.join(words)}"
    finally:
        # Modules of the folder must not be those of the next page.
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]
