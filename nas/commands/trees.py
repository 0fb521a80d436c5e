"""Which tree a command works on: one of the run's, one in a file, or one that a name describes."""

from pathlib import Path

from nas.commands.opened_run import OpenRun
from nas.run import is_tree_name, measure, named_tree
from nas.tree import BranchTree


def find_tree(run: OpenRun, name: str | Path | None) -> BranchTree:
    """A tree by the id or the beginning of an id (of one in the run), by file, or by name (`named_tree`).

    Without a name it is the tree that the run recommends, or the only one that it retrained.

    Raises:
        InputError: there is no such tree, or the name fits several.
    """
    if name is not None and is_tree_name(str(name)):
        return named_tree(str(name), measure(run.experiment).table, run.experiment.goal.resource)
    return run.folder.find_tree(None if name is None else str(name))
