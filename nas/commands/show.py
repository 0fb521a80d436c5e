"""`nas show`: a branch tree in words, or as a picture."""

from pathlib import Path

from nas.commands.diagnosing import in_lines, verdicts
from nas.cost import LatencyTable
from nas.errors import InputError
from nas.experiment import RunFolder
from nas.files import read_json
from nas.tree import BranchTree, CostTable, read_tree, render_text


def show(
    path: str | Path,
    *,
    tree: str | None = None,
    within: float | None = None,
    worst: float | None = None,
    resource: str | None = None,
    latency: str | Path | None = None,
    out: str | Path | None = None,
) -> str:
    """A tree as plain text, with what its search says of itself; with ``out`` it is drawn into that file, too.

    Runs no code of the run.

    Args:
        path: a run folder or a tree file.
        tree: id (or its beginning) of a run's tree; the front's recommended one if left out.
        within, worst, resource: show the tree that `nas.choose` gives for these instead.
        latency: of a run, a latency table, from which costs in milliseconds are added.
        out: file to draw into, of a suffix among png, svg, pdf, dot, graphml.

    Raises:
        InputError: no such run or tree, a malformed file, an unknown suffix; or as `nas.choose` does.
    """
    from nas.commands.choose import choose

    path, above = Path(path), []
    if within is not None or worst is not None:
        if tree is not None:
            raise InputError("--tree names a tree, --within and --worst ask for one; leave one of them out")
        choice = choose(path, within=within, worst=worst, resource=resource, latency=latency)
        found, table, above = choice.tree, read_costs(RunFolder.open(path), latency=latency), [choice.describe(), ""]
    elif resource is not None:
        raise InputError("--resource is what --within counts; name a budget with it")
    else:
        found, table = find(path, tree, latency)
    if out is not None:
        from nas.report import save_tree

        save_tree(found, Path(out), table)
    below = in_lines(verdicts(RunFolder.open(path), found)) if path.is_dir() else []
    return "\n".join([*above, render_text(found, table), *([""] if below else []), *below])


def find(path: Path, name: str | None, latency: str | Path | None = None) -> tuple[BranchTree, CostTable | None]:
    """A tree of a run or of a file, with the run's costs where there are any."""
    if path.is_dir():
        run = RunFolder.open(path)
        tree, table = run.find_tree(name), read_costs(run, latency=latency)
        return (tree if latency is None or table is None else tree.with_cost(table)), table
    if latency is not None:
        raise InputError(f"{path}: --latency adds milliseconds to the costs of a run, and this is no run folder")
    if name is not None:
        raise InputError(f"{path}: --tree chooses among a run's trees, and this is no run folder")
    # A tree that lies among a run's trees has the run's costs beside it.
    costs = path.resolve().parent.parent / "costs.json"
    return read_tree(path), _read_table(costs) if path.resolve().parent.name == "trees" and costs.is_file() else None


def read_costs(run: RunFolder, trial: int | None = None, *, latency: str | Path | None = None) -> CostTable | None:
    """The cost table that a trial measured; that of the first that got so far, if none is named.

    Args:
        latency: a file of ``nas profile RECIPE --latency FILE``: the table then has milliseconds ("ms"), too.

    Raises:
        InputError: a file is malformed, or the latencies are of other blocks, tasks or inputs than the run's.
    """
    trials = run.trials if trial is None else [run.trial(trial)]
    path = next((folder.costs for folder in trials if folder.costs.is_file()), None)
    if path is None:
        return None
    table = _read_table(path)
    return table if latency is None else _with_latency(table, Path(latency), run)


def _with_latency(table: CostTable, path: Path, run: RunFolder) -> CostTable:
    measured = LatencyTable.read(path)
    input_shape = run.record["experiment"].get("input_shape", measured.input_shape)
    measured.check_fits(len(table.blocks), tuple(table.heads), input_shape, f"latency {path}")
    return measured.added_to(table)


def _read_table(path: Path) -> CostTable:
    try:
        return CostTable.from_dict(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a cost table ({error})") from error
