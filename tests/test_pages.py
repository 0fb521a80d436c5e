"""What the pages say works: their commands and their Python run, small, from the first block to the last."""

import re
from pathlib import Path

import leaves
import numpy as np
import pytest
import typer
from pages import ELSEWHERE, LANGUAGES, ROOT, blocks, commands, is_nas, needs_cluster, run_page

from nas.cli.main import app

PLAIN = {"strategy.batch_size": 8, "strategy.candidates": "plain", "device": "cpu", "num_threads": 1}

ELSEWHERE_PAGES = {"README.md": "tests/test_readme.py"}
"""Pages whose blocks another test runs, with more to check."""


def pages() -> list[str]:
    """All pages with blocks of code."""
    found = [path for places in ("*.md", "nas/**/*.md", "runs/*.md") for path in sorted(ROOT.glob(places))]
    return [page for path in found if blocks(page := str(path.relative_to(ROOT)))]


PAGES = pages()

SLOW = {
    f"nas/howto/{name}.md"
    for name in ("own_data", "choose_a_budget", "when_not_to_trust_it", "run_on_a_cluster", "deploy")
}


def houses(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.1f},{d},{a * 3000 + d * 50000:.0f},{'yes' if a > 100 else 'no'}"
            for a, d in zip(rng.uniform(20, 200, 60), rng.integers(0, 2, 60), strict=True)]  # fmt: skip
    (folder / "houses.csv").write_text("\n".join(["area,garden,price,sold", *rows]) + "\n")


INITIAL = {
    "photos.py": {"data.size": [32, 32], "backbone.width": 0.25},
    "mine.py": {"data.size": [32, 32]},
    "houses.py": {},
}
"""Settings for the recipes that `nas init` writes."""


def small(words: list[str]) -> dict[str, object]:
    """Settings with which a command takes seconds."""
    if words[1] not in ("check", "search") or words[2] not in INITIAL:
        return {}
    return PLAIN | {"strategy.epochs": 1} | INITIAL[words[2]]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """What a page takes for granted: photos with a table, a table, and a recipe."""
    leaves.write_leaves(tmp_path / "photos")
    houses(tmp_path)
    return tmp_path


def marked(page: str) -> object:
    return pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if page not in ELSEWHERE_PAGES])
def test_its_blocks_run(page, world, monkeypatch):
    (world / "recipe.py").write_text(leaves.RECIPE)
    run_page(page, world, monkeypatch, small)


def test_the_pages_are_found():
    assert {"README.md", "nas/howto/own_data.md", "nas/data/README.md", "nas/networks/backbone/README.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_states_its_language(page):
    assert {block.language for block in blocks(page)} <= LANGUAGES
    # No fence is left that is not the beginning or the end of a block.
    assert len(re.findall(r"^ *```", (ROOT / page).read_text(), re.MULTILINE)) == 2 * len(blocks(page))


CLUSTER_COMMANDS = sorted(
    {
        tuple(words[1:])
        for page in PAGES
        for block in blocks(page)
        if needs_cluster(block)
        for words in commands(block)
        if is_nas(words)
    }
)


@pytest.mark.parametrize("words", CLUSTER_COMMANDS, ids=" ".join)
def test_a_command_for_a_cluster_has_arguments_that_exist(words):
    """`tests/launch/test_cluster.py` runs those of the page on clusters."""
    program = typer.main.get_command(app)
    program.commands[words[0]].make_context(words[0], list(words[1:]))


@pytest.mark.parametrize("page", PAGES)
def test_the_tools_that_it_names_exist(page):
    named = [words[0] for block in blocks(page) if block.language == "sh" for words in commands(block)]
    for tool in named:
        assert not tool.startswith("tools/") or (ROOT / tool).is_file(), tool
        assert tool in ELSEWHERE, tool
