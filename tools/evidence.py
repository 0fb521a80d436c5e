"""Compares which strategy finds better trees, on problems with a known tree and on real ones, with several seeds.

    .venv/bin/python tools/evidence.py [--problems NAME ...] [--methods NAME ...] [--seeds 20] [--processes 1]
    .venv/bin/python tools/evidence.py --report [--out DIR] [--figure FILE.png]

A unit is one problem with one seed. All methods search; then every distinct tree is trained with that seed, beside
random trees of equal cost, the shared tree and the separate tree. Results are in ``DIR/<problem>/<seed>/`` and are not
computed again, so the tool can be killed and restarted, or started twice on different problems. The units run seed by
seed, so that a report on unfinished work compares the same seeds. `tools/evidence_report.py` makes the tables and the
picture for the log.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence_problems import METHODS, PROBLEMS, Method
from evidence_unit import CPU, Tree, Unit, tree_record
from search_cost import search_cost
from seed_by_seed import run_all

from nas.cost import resolve_budget
from nas.discretize import Curve, discretize, dissimilarity_from_logits
from nas.files import read_json, write_json_atomically
from nas.recipe import Experiment
from nas.run import RunFolder, TrialParts
from nas.run.evaluator import RunEvaluator
from nas.run.search_trial import search_in
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class Searches:
    """Searches with some methods, each in a trial of the unit's folder, and trainings of what they find."""

    methods: Sequence[str]

    def __call__(self, unit: Unit) -> None:
        """Search with every method, then train every tree; finished results are kept."""
        experiment = unit.experiment()
        parts = TrialParts.build(experiment)
        trees = unit.controls(experiment, parts.table)
        if not unit.is_valid(experiment, parts.data, trees):
            return
        for number, method in enumerate(unit.problem.methods):
            if method.name in self.methods or (unit.folder / f"{method.name}.json").is_file():
                trees += search(unit, number, method)
        write_json_atomically(unit.folder / "trees.json", {"separate": parts.table.separate_cost(), "trees": trees})
        # Where only valid seeds count, the found trees matter and not their networks.
        if not unit.problem.only_valid:
            unit.train_all(experiment, parts.data, trees)


def search(unit: Unit, number: int, method: Method) -> list[Tree]:
    """The trees of one method; a finished search is only read."""
    path = unit.folder / f"{method.name}.json"
    if path.is_file():
        return list(read_json(path)["trees"])
    experiment = method.vary(unit.experiment())
    run, parts = RunFolder(unit.folder), TrialParts.build(experiment)
    started = time.perf_counter()
    found = trees_of(run, number, method.name, experiment, parts, method.label)
    seconds = time.perf_counter() - started
    # The unit of the cost is that of the problem's budgets, which the method may leave out.
    evaluator, store = RunEvaluator(run, experiment, parts.data, CPU), run.trial(number).store
    cost = search_cost(experiment.strategy, parts.problem(unit.experiment(), CPU, store, evaluator=evaluator))
    if method.also_exact:
        found += exact_trees(unit, run, number, method, parts.table)
    for label, changes in method.variants.items():
        varied = experiment.with_fields(changes)
        found += trees_of(run, number, f"{method.name}, {label}", varied, parts, method.label)
    write_json_atomically(path, {"seconds": seconds, "search_cost": cost, "trees": found})
    return found


def trees_of(
    run: RunFolder, number: int, name: str, experiment: Experiment, parts: TrialParts, label: str | None
) -> list[Tree]:
    """Search, or discretise the result of a finished search again; trees are labelled with their budget if any."""
    trial = run.trial(number)
    evaluator = RunEvaluator(run, experiment, parts.data, CPU, trial.path / "trainings")
    found = search_in(trial, experiment, parts, CPU, evaluator=evaluator)
    return [tree_record(name, each.budget or label, each.tree, parts.table) for each in found.trees]


def exact_trees(unit: Unit, run: RunFolder, number: int, method: Method, table: CostTable) -> list[Tree]:
    """For a search that takes the arg-max: the trees of exact discretisation of the same logits, per budget."""
    experiment = unit.experiment()
    saved = run.trial(number).store.checkpoints.latest()
    assert saved is not None
    resource = experiment.goal.resource
    curve = discretize(experiment.task_names, dissimilarity_from_logits(saved["logits_LTC"]), table, resource)
    name = f"{method.name} + exact"
    return [tree_record(name, budget, within(curve, budget, table), table) for budget in experiment.goal.budgets]


def within(curve: Curve, budget: float, table: CostTable) -> BranchTree:
    return curve.within(resolve_budget(budget, table, curve.resource)).tree


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", type=int, help="as many of each problem's seeds; all if left out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/out/evidence"))
    parser.add_argument("--report", action="store_true", help="print the tables of what is done, and run nothing")
    parser.add_argument("--figure", type=Path, help="with --report: draw the picture, too")
    given = parser.parse_args()
    if given.report:
        from evidence_report import report

        print(report(given.problems, given.out, given.figure))
        return
    chosen = (given.problems, given.seeds, given.processes, given.out)
    if not run_all(Searches(given.methods), *chosen, lambda line: print(line, flush=True)):
        sys.exit(1)


if __name__ == "__main__":
    main()
