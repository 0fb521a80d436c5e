"""Kills each command at each point where it writes a file, and repeats the command (`tools.write_points`).

    tools/kill_points                         all write points of all commands
    tools/kill_points export-onnx data        only of these commands
    tools/kill_points --sample 3 --seed 1     three random points of each command

The exit status is 1 if a repeated command fails, gives other files than an uninterrupted command, or leaves temporary
files. Uploads to a storage and several trials on Ray are not tested, because pyarrow and other processes write them.
"""

import argparse
import importlib
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.errors import InputError
from tools.write_points import Command, find_faults, last_line, run_command

RECIPE = str(Path(__file__).parents[1] / "runs" / "digits.py")
SMALL = (
    "data.num_train=32",
    "data.num_architecture=16",
    "data.num_validation=16",
    "data.num_test=16",
    "backbone.widths=[4, 6]",
    "backbone.strided=[1]",
    "strategy=gradient",
    "strategy.epochs=2",
    "strategy.batch_size=16",
    "goal.budgets=[0.8, 0.95]",
    "retrain.epochs=2",
    "compare.seeds=[0]",
    "compare.random_trees=0",
    "num_threads=1",
)
SETTINGS = tuple(part for setting in SMALL for part in ("--set", setting))
MEASURED = (
    *(part for setting in SMALL if not setting.startswith("strategy") for part in ("--set", setting)),
    *("--preset", "measured", "--trainings", "3"),
    *("--set", "strategy.length=0.5", "--set", "strategy.chance=0.99", "--set", "strategy.finals=1"),
    *("--set", "strategy.start.epochs=1", "--set", "strategy.start.batch_size=16"),
)
"""A measured search: a few short trainings and one or two full ones."""


@dataclass(frozen=True)
class Case:
    """A command of the command line.

    Args:
        arguments: arguments of ``nas``; STORE stands for the full path of the folder ``store``.
        again: arguments that are added to continue a command that was killed.
        before: names in `PREPARATIONS` that run first, in this order.
        varying: patterns of paths whose contents may differ from run to run.
        imports: modules that the command imports late; they are imported once, before its processes start.
    """

    arguments: tuple[str, ...]
    again: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


def nas_command(arguments: Sequence[str]) -> Command:
    """A command of the command line, as a function."""

    def command() -> int:
        from nas.cli.main import run

        # All runs have one id, of 16 bytes, so that their records are equal; the command has a process of its own.
        random_hex = secrets.token_hex
        secrets.token_hex = lambda nbytes=None: "0" * 32 if nbytes == 16 else random_hex(nbytes)
        return run([str(Path("store").resolve()) if word == "STORE" else word for word in arguments])

    return command


def make_tree() -> int:
    """A tree file for the small recipe."""
    from nas.datasets.digits import digit_tasks
    from nas.tree import BranchTree, write_tree

    write_tree(BranchTree.shared([task.name for task in digit_tasks()], 2), Path("tree.json"))
    return 0


def make_store() -> int:
    """The part of a stored run that a fetch reads."""
    from nas.launch.run_storage import RunStorage

    for name in ("experiment.json", "front.json", "trials/0/metrics.jsonl", "trials/1/trees/ab.json"):
        Path("run", name).parent.mkdir(parents=True, exist_ok=True)
        Path("run", name).write_text(name)
    stored = RunStorage(str(Path("store").resolve()), "run")
    stored.upload_run(Path("run"))
    for number in (0, 1):
        stored.upload_trial(number, Path("run", "trials", str(number)))
    return 0


_OF_A_RUN = ("--recipe", RECIPE)
PREPARATIONS: dict[str, Command] = {
    "search": nas_command(("search", RECIPE, "--out", "run", *SETTINGS)),
    "retrain": nas_command(("retrain", "run", *_OF_A_RUN)),
    "bundle": nas_command(("export", "run", "--format", "bundle", "--out", "bundle", *_OF_A_RUN)),
    "pictures": nas_command(("data", "digits", "--out", "pictures", "--samples", "2")),
    "tree": make_tree,
    "store": make_store,
}
_TRAINED = ("search", "retrain")
_ENVIRONMENT = ("*environment.json", "*begun.json")
_DRAWING = ("matplotlib.backends.backend_agg", "nas.report")
_EXPORT = (*_DRAWING, "torch.export", "torch.onnx")
_ONNX = (*_EXPORT, "onnx", "onnxruntime", "onnxscript")
CASES: dict[str, Case] = {
    "search": Case(("search", RECIPE, "--out", "run", *SETTINGS), ("--resume",), (), _ENVIRONMENT, _DRAWING),
    "search-measured": Case(
        ("search", RECIPE, "--out", "run", *MEASURED), ("--resume",), (), (*_ENVIRONMENT, "*seconds.json"), _DRAWING
    ),
    "front": Case(("front", "run", "--budgets", "0.9", *_OF_A_RUN), (), ("search",), (), _DRAWING),
    "retrain": Case(("retrain", "run", *_OF_A_RUN, "--log", "csv"), ("--resume",), ("search",), _ENVIRONMENT),
    "retrain-recipe": Case(
        ("retrain", RECIPE, "--tree", "tree.json", "--out", "run", *SETTINGS), ("--resume",), ("tree",), _ENVIRONMENT
    ),
    "compare": Case(("compare", "run", *_OF_A_RUN), (), ("search",), ("*begun.json",)),
    "export-bundle": Case(
        ("export", "run", "--format", "bundle", "--out", "out/bundle", *_OF_A_RUN), (), _TRAINED, (), _EXPORT
    ),
    "export-onnx": Case(
        ("export", "run", "--format", "onnx", "--out", "model.onnx", *_OF_A_RUN), (), _TRAINED, (), _ONNX
    ),
    "export-pt2": Case(("export", "run", "--format", "pt2", *_OF_A_RUN), (), _TRAINED, (), _EXPORT),
    "predict": Case(
        ("predict", "bundle", "pictures", "--out", "answers"), (), (*_TRAINED, "bundle", "pictures"), (), _DRAWING
    ),
    "show": Case(("show", "tree.json", "--out", "tree.png"), (), ("tree",), (), _DRAWING),
    "show-graph": Case(("show", "tree.json", "--out", "tree.dot"), (), ("tree",), (), ("nas.report",)),
    "data": Case(("data", "digits", "--out", "sheet.png", "--samples", "2"), imports=_DRAWING),
    "data-inputs": Case(("data", "digits", "--out", "inputs", "--samples", "2")),
    "profile": Case(
        ("profile", RECIPE, "--latency", "latency.json", "--rounds", "2", *SETTINGS), varying=("latency.json",)
    ),
    "fetch": Case(
        ("fetch", "run", "--storage", "STORE", "--out", "fetched"), (), ("store",), (), ("pyarrow.fs", "nas.run")
    ),
}


def sweep(names: Sequence[str], scratch: Path, sample: int | None, seed: int) -> list[str]:
    """Test the commands with these names; print a line for each, and return the faults."""
    rng, faults = random.Random(seed), []

    def choose(count: int) -> Sequence[int]:
        return range(count) if sample is None else sorted(rng.sample(range(count), min(sample, count)))

    for name in names:
        case, start = CASES[name], time.monotonic()
        commands = [f"nas.commands.{verb}" for verb in ("search", "retrain", "compare", "export")]
        for module in ("nas.cli.main", *commands, *case.imports):
            importlib.import_module(module)
        tried, found = find_faults(
            nas_command(case.arguments),
            nas_command((*case.arguments, *case.again)),
            _prepare(case.before, scratch),
            scratch,
            choose=choose,
            varying=("home*", *case.varying),
        )
        print(f"{name}: {tried} points, {len(found)} faults, {time.monotonic() - start:.0f} s", flush=True)
        faults += [f"{name}: {fault}" for fault in found]
    return faults


def _prepare(names: Sequence[str], scratch: Path) -> Path:
    """A folder with the results of these preparations, in this order; made only once."""
    folder = scratch / "-".join(("before", *names))
    if not folder.is_dir():
        work = scratch / "work"
        shutil.rmtree(work, ignore_errors=True)
        if names:
            shutil.copytree(_prepare(names[:-1], scratch), work)
            status, _ = run_command(PREPARATIONS[names[-1]], work, scratch / "points")
            if status != 0:
                raise InputError(f"{names[-1]}: exit status {status}: {last_line(scratch / 'points')}")
        else:
            work.mkdir()
        work.rename(folder)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"among {', '.join(CASES)}; all by default")
    parser.add_argument("--sample", type=int, help="how many points of each command; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.commands if name not in CASES]:
        parser.error(f"there is no command {', '.join(unknown)}; commands are {', '.join(CASES)}")
    names = arguments.commands or list(CASES)
    if arguments.folder is None:
        with tempfile.TemporaryDirectory(prefix="kill-points-") as folder:
            faults = sweep(names, Path(folder).resolve(), arguments.sample, arguments.seed)
    else:
        arguments.folder.mkdir(parents=True)
        faults = sweep(names, arguments.folder.resolve(), arguments.sample, arguments.seed)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
