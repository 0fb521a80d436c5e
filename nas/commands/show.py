"""`nas show`: a branch tree as text, or as a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.cost import LatencyTable, format_quantity
from nas.cost.resources import MACS
from nas.display import Displayed
from nas.errors import InputError
from nas.report.save import check_look
from nas.report.theme import ThemeName
from nas.run import RunFolder, TrainedNetwork, is_tree_name, named_tree
from nas.run.costs import read_costs, read_table
from nas.run.front import merit
from nas.run.verdicts import concern_lines
from nas.tree import BranchTree, CostTable, read_tree, render_text


@dataclass(frozen=True, repr=False)
class ShownTree(Displayed):
    """A tree in words, as ``print`` writes it, and as a picture in a notebook.

    Args:
        text: the drawing in letters, the tree's quality, and concerns about it.
        tree: the tree; the first one where the retrained trees of a run are shown.
    """

    text: str
    tree: BranchTree

    @property
    def pictured(self) -> BranchTree:
        return self.tree

    def summary(self) -> str:
        return self.tree.summary()

    def records(self) -> list[dict[str, Any]]:
        return self.tree.records()

    def to_dict(self) -> dict[str, Any]:
        return self.tree.to_dict()

    def __str__(self) -> str:
        return self.text


def show(
    path: str | Path,
    *,
    tree: str | None = None,
    within: float | None = None,
    worst: float | None = None,
    resource: str | None = None,
    latency: str | Path | None = None,
    out: str | Path | None = None,
    theme: ThemeName | None = None,
    transparent: bool = False,
) -> ShownTree:
    """A tree as plain text, with its quality and concerns about it; with ``out``, it is also drawn into that file.

    In a run without a search, the retrained trees are shown with their trainings. The recipe is not imported.

    Args:
        path: a run folder or a tree file.
        tree: id (or its beginning), file or name (`nas.run.named_tree`); by default the tree that the front
            recommends, or the retrained trees.
        within, worst, resource: show the tree that `nas.choose` returns for these instead.
        latency: for a run, a latency table, from which costs in milliseconds are added.
        out: file to draw into; its suffix is png, svg, pdf, dot or graphml.
        theme, transparent: "light" (the default) or "dark", and whether the picture's background is left out.

    Raises:
        InputError: no such run or tree, a malformed file, an unknown suffix; or as `nas.choose` does.
    """
    path, look = Path(path), check_look(out, theme, transparent)
    above = [] if latency is None else [f"milliseconds of {LatencyTable.read(Path(latency)).description}"]
    if within is not None or worst is not None:
        if tree is not None:
            raise InputError("`tree` names a tree, but `within` and `worst` choose one; leave one of them out")
        from nas.commands.choose import choose

        choice = choose(path, within=within, worst=worst, resource=resource, latency=latency)
        found, table = choice.tree, read_costs(RunFolder.open(path), latency=latency)
        above.insert(0, choice.describe())
    elif resource is not None:
        raise InputError("`resource` is what `within` counts; add `within=BUDGET`, or leave `resource` out")
    elif tree is None and out is None and path.is_dir() and (run := RunFolder.open(path)).only_retrained:
        table = read_costs(run, latency=latency)
        given = [read_tree(file) for file in run.given_trees]
        return ShownTree("\n\n".join([*above, *(_of_run(run, one, table) for one in given)]), given[0])
    else:
        found, table = find(path, tree, latency)
    if out is not None:
        from nas.report import save_tree

        save_tree(found, Path(out), table, theme=look, transparent=transparent)
    text = _of_run(RunFolder.open(path), found, table) if path.is_dir() else _in_words(found, table)
    return ShownTree("\n".join([*above, *([""] if above else []), text]), found)


def _in_words(tree: BranchTree, table: CostTable | None) -> str:
    return render_text(tree, table, in_words=format_quantity)


def _of_run(run: RunFolder, tree: BranchTree, table: CostTable | None) -> str:
    """A tree with its quality and the concerns about it or, in a run without a search, with its trainings."""
    below = _trainings(run, tree) if run.only_retrained else [*_quality(run, tree), *concern_lines(run, tree)]
    return "\n".join([_in_words(tree, table), *([""] if below else []), *below])


def _quality(run: RunFolder, tree: BranchTree) -> list[str]:
    """The estimate, the measured quality and the grade of a tree, one line each, as far as the front has them."""
    points = [point for point in run.front.points if point.tree_id == tree.id] if run.finished else []
    if not points:
        return []
    point = max(points, key=merit)
    qualities = {"estimate": point.estimated, "measured": point.measured}
    lines = [f"{name} {one.amount}: {one.measure}; higher is better" for name, one in qualities.items() if one]
    return [*lines, *([point.grade_line] if point.grade_line else [])]


def _trainings(run: RunFolder, tree: BranchTree) -> list[str]:
    """One line for each training of a tree: its name, start, seed and progress."""
    lines = []
    for folder in sorted((run.path / "retrained" / tree.id).glob("*")):
        if (folder / "result.json").is_file():
            result = TrainedNetwork.read(folder / "result.json")
            lines.append(
                f"retrained/{tree.id}/{folder.name}: {result.start} weights, seed {result.seed}, "
                f"best epoch {result.best_epoch} of {result.num_epochs}"
            )
        else:
            lines.append(f"retrained/{tree.id}/{folder.name}: not finished, continue with nas retrain --resume")
    return lines


def find(path: Path, name: str | None, latency: str | Path | None = None) -> tuple[BranchTree, CostTable | None]:
    """A tree of a run or from a file, with the run's costs if there are any."""
    if path.is_dir():
        run = RunFolder.open(path)
        table = read_costs(run, latency=latency)
        if name is None or not is_tree_name(name):
            tree = run.find_tree(name)
            return (tree if latency is None or table is None else tree.with_cost(table)), table
        if table is None:
            raise InputError(
                f"{path}: has no costs.json yet, which describes the backbone of tree {name!r}; search or retrain first"
            )
        return named_tree(name, table, _resource(run)), table
    if latency is not None:
        raise InputError(f"{path}: is not a run folder, and `latency` adds milliseconds to the costs of a run")
    if not path.exists():
        raise InputError(f"{path}: no such file or run folder")
    if name is not None:
        raise InputError(f"{path}: is not a run folder, and `tree` names one of the trees of a run")
    # A tree file in a trial's folder `trees` has the costs one folder above.
    costs = path.resolve().parent.parent / "costs.json"
    return read_tree(path), read_table(costs) if path.resolve().parent.name == "trees" and costs.is_file() else None


def _resource(run: RunFolder) -> str:
    """The resource that a run's budgets count."""
    goal = run.record["experiment"].get("goal")
    resource = goal.get("resource", MACS.name) if isinstance(goal, dict) else None
    if not isinstance(resource, str):
        raise InputError(f"{run.path / 'experiment.json'}: its goal.resource is not the name of a resource")
    return resource
