"""Compares all strategies at equal search cost, on problems with a known tree and on real ones, with several seeds.

    .venv/bin/python tools/league.py [--problems NAME ...] [--strategies NAME ...] [--costs 1 3 10] [--seeds N]
                                     [--processes 1] [--out DIR]
    .venv/bin/python tools/league.py --report [--out DIR] [--figure FILE.png]

The problems are those of `tools/evidence.py`; camvid, eth80, leaves and molecules exist if the environment variables of
their recipes name their folders. An entry is a strategy at a search cost, in trainings of a tree that costs the largest
budget (`tools/search_cost.py`); `tools/league_strategies.py` says what is set for it. In each unit (a problem with a
seed) every entry searches with the unit's seed, and each tree that it finds for a budget is trained in full with the
same seed, beside the shared tree, the separate or single-task trees, and random trees.

Results are in ``DIR/<problem>/<seed>/league/<strategy>-<cost>/``, and trained networks beside it in ``networks/``, like
those of tools/evidence.py. Nothing finished is computed again, and a search continues from its checkpoints, so the tool
can be killed and restarted, or started twice on different problems. The units run seed by seed, so that a report on
unfinished work compares the same seeds. `tools/league_report.py` makes the tables and the picture.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence_problems import PROBLEMS
from evidence_unit import CPU, Tree, Unit, tree_record
from league_strategies import STRATEGIES
from search_cost import search_cost
from seed_by_seed import run_all

from nas.cost import resolve_budget
from nas.errors import InputError, WorkFailed
from nas.files import make_folder, read_json, write_json_atomically
from nas.recipe import Experiment
from nas.recipe.record import describe
from nas.run import RunFolder, TrialParts
from nas.run.evaluator import RunEvaluator, problem_of
from nas.run.search_trial import check_found, search_in
from nas.strategies import Problem

COSTS = (1.0, 3.0, 10.0)


@dataclass(frozen=True)
class League:
    """The entries of a unit: every strategy at every cost."""

    strategies: Sequence[str]
    costs: Sequence[float]

    def __call__(self, unit: Unit) -> None:
        """Train the controls, then search with every entry and train what it finds; finished results are kept.

        Raises:
            WorkFailed: entries failed; the others are done.
        """
        experiment = unit.experiment()
        parts = TrialParts.build(experiment)
        controls, budgets = unit.controls(experiment, parts.table), experiment.goal.budgets
        if not unit.is_valid(experiment, parts.data, controls):
            return
        record = {
            "separate": parts.table.separate_cost()["macs"],
            "limits": [[budget, resolve_budget(budget, parts.table, "macs")] for budget in budgets],
            "trees": controls,
        }
        write_json_atomically(unit.folder / "league.json", record)
        unit.train_all(experiment, parts.data, controls)
        failures = []
        for cost in self.costs:
            for strategy in self.strategies:
                try:
                    trees = search(unit, experiment, parts, strategy, cost)
                except (InputError, WorkFailed) as error:
                    failures.append(f"{strategy} at {cost:g}: {error}")
                    continue
                unit.train_all(experiment, parts.data, trees)
        if failures:
            raise WorkFailed("; ".join(failures))


def search(unit: Unit, experiment: Experiment, parts: TrialParts, strategy: str, cost: float) -> Sequence[Tree]:
    """The trees that an entry finds within the budgets; a finished search is only read.

    ``search.json`` has no trees if the strategy cannot be had for the cost.
    """
    folder = entry_folder(unit.folder, strategy, cost)
    path = folder / "search.json"
    if path.is_file():
        return list(read_json(path)["trees"])
    run = RunFolder(folder)
    problem = problem_of(experiment, parts, run, CPU)
    varied = STRATEGIES[strategy](unit.problem, experiment, problem, cost)
    record: dict[str, Any] = {"trees": []}
    make_folder(folder)
    if varied is not None:
        record = run_search(varied, parts, run, problem)
    write_json_atomically(path, record)
    return list(record["trees"])


def run_search(experiment: Experiment, parts: TrialParts, run: RunFolder, problem: Problem) -> dict[str, Any]:
    """Search in trial 0 of a run folder; the result with its cost and its seconds of processor time.

    The seconds are kept after each epoch, so that a search that is continued counts what was done before.
    """
    trial, clock = run.trial(0), run.path / "seconds.json"
    before = float(read_json(clock)) if clock.is_file() else 0.0
    started = time.process_time()

    def seconds() -> float:
        return before + time.process_time() - started

    make_folder(trial.path)
    with trial.locked():
        evaluator = RunEvaluator(run, experiment, parts.data, CPU, trial.path / "trainings")
        found = search_in(
            *(trial, experiment, parts, CPU, lambda _: write_json_atomically(clock, seconds())), evaluator=evaluator
        )
    for tree in found.trees:
        check_found(tree, experiment, parts.table)
    return {
        "strategy": describe(experiment.strategy),
        "cost": search_cost(experiment.strategy, replace(problem, store=trial.store)),
        "seconds": seconds(),
        "trees": [
            tree_record(run.path.name, tree.budget, tree.tree, parts.table)
            for tree in found.trees
            if tree.budget is not None
        ],
    }


def entry_folder(unit: Path, strategy: str, cost: float) -> Path:
    return unit / "league" / f"{strategy}-{cost:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--strategies", nargs="+", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--costs", nargs="+", type=cost, default=COSTS, help="in trainings; 1 3 10 if left out")
    parser.add_argument("--seeds", type=int, help="as many of each problem's seeds; all if left out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/out/league"))
    parser.add_argument("--report", action="store_true", help="print the tables of what is done, and run nothing")
    parser.add_argument("--figure", type=Path, help="with --report: draw the picture, too")
    given = parser.parse_args()
    if given.report:
        from league_report import report

        print(report(given.problems, given.strategies, given.costs, given.out, given.figure))
        return
    league = League(given.strategies, given.costs)
    chosen = (given.problems, given.seeds, given.processes, given.out)
    if not run_all(league, *chosen, lambda line: print(line, flush=True)):
        sys.exit(1)


def cost(text: str) -> float:
    """A number of trainings."""
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a search costs a positive number of trainings; found {text}")
    return value


if __name__ == "__main__":
    main()
