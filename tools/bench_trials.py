"""Measures the overhead of a trial, with several hundred trials whose searches are replaced by a few milliseconds.

    .venv/bin/python tools/bench_trials.py [--trials 100 300] [--epochs 3] [--milliseconds 5] [--repeats 3]

Each variant has its own process and its own Ray:

- `plain`: Ray Tune with its defaults;
- `tuned`: Ray Tune without its loggers, and with reused processes;
- `ours`: `run_trials` with all files that it writes;
- `ours, Optuna`: the same with values that a study proposes;
- `resume`: continues a run in which half of the trials are finished;
- `nothing left`: continues a run in which all trials are finished.

The first two trials wait until their processes have started (and, in ours, imported torch). The last columns are the
cost of each further trial. Memory is the largest of the driver.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

RECIPE = Path(__file__).parents[1] / "runs" / "digits.py"
VARIANTS = ("plain", "tuned", "ours", "ours, Optuna", "resume", "nothing left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="*", default=[100, 300])
    parser.add_argument("--epochs", type=int, default=3, help="reports of a trial")
    parser.add_argument("--milliseconds", type=float, default=5.0, help="that an epoch takes")
    parser.add_argument("--repeats", type=int, default=3, help="of everything, one after another")
    parser.add_argument("--variants", nargs="*", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--one", help="a variant to run in this process; prints what was measured as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.trials[0], given.epochs, given.milliseconds / 1000)))
        return
    cases = [(variant, num) for variant in given.variants for num in sorted(given.trials)]
    found: dict[tuple[str, int], list[dict[str, float]]] = {case: [] for case in cases}
    # In turns, so that other load on the machine affects all variants.
    for variant, num in cases * given.repeats:
        found[variant, num].append(in_a_process(variant, num, given.epochs, given.milliseconds))
        print(f"{variant}, {num} trials: {found[variant, num][-1]['seconds']:.1f} s", file=sys.stderr)
    title = (
        f"{given.epochs} reports a trial, {given.milliseconds:g} ms each; {given.repeats} runs, {os.cpu_count()} cores"
    )
    Console(width=110).print(table_of(found, title))


def in_a_process(variant: str, num_trials: int, num_epochs: int, milliseconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", variant, "--trials", str(num_trials)]
    command += ["--epochs", str(num_epochs), "--milliseconds", str(milliseconds)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def table_of(found: Mapping[tuple[str, int], Sequence[Mapping[str, float]]], title: str) -> Table:
    """A table of medians, the range of the seconds, and the cost of each further trial, computed from the medians."""
    table = Table(
        "variant", "trials", "s", "from", "to", "driver: CPU s", "MiB", "ms a further trial", "CPU ms", title=title
    )
    medians = {
        case: {name: median(run[name] for run in runs) for name in ("seconds", "cpu", "memory")}
        for case, runs in found.items()
    }
    before: tuple[str, int] | None = None
    for (variant, num), runs in found.items():
        here = medians[variant, num]
        further = [""] * 2
        if before is not None and before[0] == variant:
            more = num - before[1]
            further = [f"{1000 * (here[name] - medians[before][name]) / more:.1f}" for name in ("seconds", "cpu")]
        seconds = [here["seconds"], min(run["seconds"] for run in runs), max(run["seconds"] for run in runs)]
        numbers = [f"{value:.1f}" for value in (*seconds, here["cpu"])]
        table.add_row(variant, str(num), *numbers, f"{here['memory'] / 2**20:.0f}", *further)
        before = variant, num
    return table


def measure(variant: str, num_trials: int, num_epochs: int, seconds: float) -> dict[str, float]:
    """Wall and processor seconds, and bytes of memory, of one variant."""
    from nas.launch.session import ray_session

    with tempfile.TemporaryDirectory() as scratch, ray_session(None, Path(scratch)):
        action = prepare(variant, num_trials, num_epochs, seconds, Path(scratch))
        before, cpu = time.perf_counter(), time.process_time()
        action()
        return {
            "seconds": time.perf_counter() - before,
            "cpu": time.process_time() - cpu,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }


def prepare(variant: str, num_trials: int, num_epochs: int, seconds: float, folder: Path) -> Callable[[], Any]:
    """The function to measure; everything that it needs is prepared before."""
    if variant in ("plain", "tuned"):
        return partial(plain_tune, num_trials, num_epochs, seconds, folder, tuned=variant == "tuned")
    study = variant == "ours, Optuna"
    if variant in ("resume", "nothing left"):
        done = num_trials // 2 if variant == "resume" else num_trials
        ours(done, num_epochs, 0.0, folder, of=num_trials)
    return partial(ours, num_trials, num_epochs, seconds, folder, of=num_trials, study=study)


def plain_tune(num_trials: int, num_epochs: int, seconds: float, folder: Path, *, tuned: bool) -> None:
    """Tune alone, with its defaults or with what makes it quicker."""
    from ray import tune

    def stand_in(config: Mapping[str, Any]) -> None:
        for epoch in range(num_epochs):
            time.sleep(seconds)
            tune.report({"epoch": epoch, "loss": 1.0 / (epoch + 1)})

    if not tuned:
        for name in ("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "TUNE_GLOBAL_CHECKPOINT_S"):
            os.environ.pop(name, None)
    tune.Tuner(
        tune.with_resources(stand_in, {"cpu": 1}),
        param_space={"number": tune.grid_search(list(range(num_trials)))},
        tune_config=tune.TuneConfig(reuse_actors=tuned),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()


def ours(num_trials: int, num_epochs: int, seconds: float, folder: Path, *, of: int, study: bool = False) -> None:
    """Trials as `nas search` runs them, with a stand-in in the place of the search."""
    from nas.launch.tuning import run_trials
    from nas.launch.worker import Assignment
    from nas.recipe import recipe_hash
    from nas.run import TrialResult, plan_trials
    from nas.run.opened_run import begin_run, new_run, open_run

    ranges = {"strategy.logits.lr": {"kind": "loguniform", "low": 1e-3, "high": 1e-1}}
    changes = {"trials.ranges": ranges, "trials.num_samples": of} if study else {"trials.seeds": of}
    path = folder / "run"
    if path.exists():
        run = open_run(path, recipe=RECIPE)
    else:
        run = new_run(RECIPE, path, changes)
        begin_run(run, RECIPE, changes)
    planned = plan_trials(run.experiment)
    left = [
        trial for trial in planned[:num_trials] if not isinstance(run.folder.trial(trial.number).outcome, TrialResult)
    ]
    if left:
        assignment = Assignment(str(RECIPE), None, recipe_hash(RECIPE), changes, str(path), 1)
        search = partial(stand_in_search, num_epochs, seconds)
        numbers = [trial.number for trial in left]
        outcomes = run_trials(run.experiment, assignment, run.folder, planned, numbers, search=search)
        assert len(outcomes) == len(left)


def stand_in_search(
    num_epochs: int, seconds: float, experiment: Any, trial: Any, run: Any, device: Any, on_epoch: Any
) -> Any:
    """A trial without the search, with the same files and the same reports."""
    from nas.run import Point, Quality, TrialResult, write_outcome

    folder = run.trial(trial.number)
    with folder.locked():
        folder.write_setting(trial)
        history = []
        for epoch in range(num_epochs):
            time.sleep(seconds)
            tasks = dict.fromkeys(experiment.task_names, 1.0)
            history.append({"epoch": epoch, "weights": {"total": 6.0, "tasks": tasks}, "expected_cost": 1e6})
            folder.write_metrics(history)
            on_epoch(history[-1])
        point = Point(
            tree=f"trials/{trial.number}/trees/ab.json",
            trial=trial.number,
            seed=trial.seed,
            budget=None,
            cost={"macs": float(trial.number), "params": 1.0},
            quality=Quality(value=1.0, measure="stand-in", kind="estimated"),
        )
        result = TrialResult(points=(point,))
        write_outcome(folder.path, result)
        return result


if __name__ == "__main__":
    main()
