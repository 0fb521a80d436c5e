"""Find the tree that a command works on: a tree of the run, a file, or a tree that its name describes."""

from pathlib import Path

from nas.commands.opened_run import OpenRun
from nas.run import is_tree_name, measure_parts, named_tree
from nas.tree import BranchTree


def find_tree(run: OpenRun, name: str | Path | None) -> BranchTree:
    """A tree by its id or the beginning of it (in the run), by file, or by name (`named_tree`).

    Without a name, the tree that the run recommends, or the only tree that was retrained.

    Raises:
        InputError: there is no such tree, or several trees match.
    """
    if name is not None and is_tree_name(str(name)):
        return named_tree(str(name), measure_parts(run.experiment).table, run.experiment.goal.resource)
    return run.folder.find_tree(None if name is None else str(name))
