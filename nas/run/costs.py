"""Reads the cost tables of a run."""

from collections.abc import Sequence
from pathlib import Path

from nas.cost import LatencyTable
from nas.errors import InputError
from nas.files import read_json
from nas.run.run_folder import RunFolder
from nas.tree import CostTable


def read_costs(run: RunFolder, trial: int | None = None, *, latency: str | Path | None = None) -> CostTable | None:
    """The cost table of a trial; by default that of the first trial that has one, or of a run without trials.

    Args:
        latency: a file from ``nas profile RECIPE --latency FILE``, which adds milliseconds ("ms") to the table.

    Raises:
        InputError: a file is malformed, or the latencies belong to other blocks, tasks or inputs than the run.
    """
    files = [folder.costs for folder in (run.trials if trial is None else [run.trial(trial)])]
    path = next((file for file in [*files, run.costs] if file.is_file()), None)
    if path is None:
        return None
    table = read_table(path)
    return table if latency is None else _with_latency(table, Path(latency), run)


def _with_latency(table: CostTable, path: Path, run: RunFolder) -> CostTable:
    measured = LatencyTable.read(path)
    input_shape = run.record["experiment"].get("input_shape", measured.input_shape)
    measured.check_fits(len(table.blocks), tuple(table.heads), input_shape, f"latency {path}")
    return measured.added_to(table)


def read_table(path: Path) -> CostTable:
    """A cost table from its file; InputError if it is malformed."""
    try:
        return CostTable.from_dict(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a cost table ({error})") from error


def lacking_macs(uncounted: Sequence[str]) -> str:
    """What costs in MACs lack, in a sentence."""
    return f"MACs are incomplete, because these operators cannot be counted: {', '.join(uncounted)}"
