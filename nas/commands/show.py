"""`nas show`: a branch tree in words, or as a picture."""

from pathlib import Path

from nas.errors import InputError
from nas.experiment import RunFolder
from nas.files import read_json
from nas.tree import BranchTree, CostTable, read_tree, render_text


def show(path: str | Path, *, tree: str | None = None, out: str | Path | None = None) -> str:
    """A tree as plain text; with ``out`` it is drawn into that file, too. Runs no code of the run.

    Args:
        path: a run folder or a tree file.
        tree: id (or its beginning) of a run's tree; the front's best if left out.
        out: file to draw into, of a suffix among png, svg, pdf, dot, graphml.

    Raises:
        InputError: no such run or tree, a malformed file, an unknown suffix.
    """
    found, table = find(Path(path), tree)
    if out is not None:
        from nas.report import save_tree

        save_tree(found, Path(out), table)
    return render_text(found, table)


def find(path: Path, name: str | None) -> tuple[BranchTree, CostTable | None]:
    """A tree of a run or of a file, with the run's costs where there are any."""
    if path.is_dir():
        run = RunFolder.open(path)
        return run.find_tree(name), read_costs(run)
    if name is not None:
        raise InputError(f"{path}: --tree chooses among a run's trees, and this is no run folder")
    # A tree that lies among a run's trees has the run's costs beside it.
    costs = path.resolve().parent.parent / "costs.json"
    return read_tree(path), _read_table(costs) if path.resolve().parent.name == "trees" and costs.is_file() else None


def read_costs(run: RunFolder) -> CostTable | None:
    """The cost table that the run's first trial measured, or the first that got that far."""
    paths = (trial.costs for trial in run.trials if trial.costs.is_file())
    path = next(paths, None)
    return None if path is None else _read_table(path)


def _read_table(path: Path) -> CostTable:
    try:
        return CostTable.from_dict(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a cost table ({error})") from error
