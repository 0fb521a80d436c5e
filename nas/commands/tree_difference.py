"""`nas show --against`: how two trees differ, in words and as a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.commands.show import find
from nas.errors import InputError
from nas.report.save import check_look
from nas.report.summary import summary
from nas.report.theme import ThemeName
from nas.run import is_tree_name
from nas.tree import BranchTree, CostTable, describe_difference, distance, read_tree


@dataclass(frozen=True)
class TreeDifference:
    """Two trees of the same tasks and blocks, and what they are called: their ids, or names such as ``shared``."""

    first: BranchTree
    second: BranchTree
    names: tuple[str, str]
    table: CostTable | None

    @property
    def sentences(self) -> list[str]:
        """The differences in words; empty for equal trees."""
        return describe_difference(self.first, self.second, self.names)

    def describe(self) -> str:
        """The costs of both, how far they are apart, and each difference in a line."""
        first, second = (
            f"{name}: {summary(tree, self.table)[0]}"
            for name, tree in zip(self.names, (self.first, self.second), strict=True)
        )
        share = f"{100 * distance(self.first, self.second):.0f} %"
        apart = f"they disagree on {share} of all pairs of a block and two tasks, whether the two share the block"
        return "\n".join([first, second, *([apart, *self.sentences] if self.sentences else ["both are the same tree"])])

    def to_dict(self) -> dict[str, Any]:
        return {
            "trees": [self.first.to_dict(), self.second.to_dict()],
            "names": list(self.names),
            "distance": distance(self.first, self.second),
            "differences": self.sentences,
        }


def tree_difference(
    path: str | Path,
    against: str | Path,
    *,
    tree: str | None = None,
    latency: str | Path | None = None,
    out: str | Path | None = None,
    theme: ThemeName | None = None,
    transparent: bool = False,
) -> TreeDifference:
    """How a tree differs from another one; with ``out``, both are drawn into that file, the difference marked.

    Args:
        path: a run folder, or a tree file.
        against: the other tree, named as `nas.show` names one; beside a tree file another tree file.
        tree: id, file or name of the first tree; by default the recommended one.
        latency: for a run, a latency table, from which costs in milliseconds are added.
        out: a png, svg or pdf file.
        theme, transparent: as for `nas.show`.

    Raises:
        InputError: no such run or tree, a malformed file, trees of other tasks or blocks, or an unknown suffix.
    """
    path, look = Path(path), check_look(out, theme, transparent)
    first, table = find(path, tree, latency)
    if path.is_dir():
        second, _ = find(path, str(against), latency)
    elif not Path(against).is_file():
        raise InputError(f"`against={against}`: no such file; {path} is a tree file, and is compared with another one")
    else:
        second = read_tree(Path(against))
    names = (_name(tree, first), _name(str(against), second))
    found = TreeDifference(first, second, names, table)
    # Before anything is drawn: trees of other tasks or blocks are refused.
    found.sentences  # noqa: B018
    if out is not None:
        from nas.report import draw_tree_pair, save_figure

        save_figure(draw_tree_pair(first, second, table, names=names, theme=look), out, transparent=transparent)
    return found


def _name(given: str | None, tree: BranchTree) -> str:
    return given if given is not None and is_tree_name(given) else tree.id
