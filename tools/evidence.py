"""Which strategy finds better trees: every method, on problems whose answer is known and on real ones, seed by seed.

    .venv/bin/python tools/evidence.py [--problems NAME ...] [--methods NAME ...] [--seeds 20] [--processes 1]
    .venv/bin/python tools/evidence.py --report [--out DIR] [--figure FILE.png]

A unit of work is one problem with one seed: all methods search, then every distinct tree is trained with that seed,
beside random trees of equal cost, the shared and the separate one. What is done lies in ``DIR/<problem>/<seed>/`` and
is not done again, so that the tool can be killed and started anew at any time, or started twice on different problems.
Units go seed by seed, so that the report on unfinished work compares the same seeds. `tools/evidence_report.py` turns
the results into the tables and the picture of the log.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evidence_problems import METHODS, PROBLEMS, Method, Problem, search_cost, training_cost

from nas.cost import resolve_budget
from nas.data import DataSource, derive_seed
from nas.discretize import Curve, discretize, dissimilarity_from_logits
from nas.errors import InputError
from nas.experiment import Experiment, RunFolder, TreeTraining, TrialParts, build_network
from nas.files import make_folder, read_json, write_json_atomically
from nas.strategies import make_strategy
from nas.training import Retraining, TrainingState
from nas.tree import BranchTree, CostTable, random_tree

CPU = torch.device("cpu")

Tree = dict[str, Any]
"""A tree of the results: its label (a budget, "elbow", "argmax", ...), where it comes from, its tree and cost."""


@dataclass(frozen=True)
class Unit:
    """One problem with one seed, in its folder."""

    problem: Problem
    seed: int
    folder: Path
    methods: tuple[str, ...]

    def run(self) -> None:
        """Search by every method, then train every tree; only what is not there yet."""
        torch.set_num_threads(1)
        experiment = self.problem.make(self.seed)
        parts = TrialParts.build(experiment)
        trees = [
            tree
            for number, method in enumerate(self.problem.methods)
            if method.name in self.methods or (self.folder / f"{method.name}.json").is_file()
            for tree in self.search(number, method)
        ]
        trees += self.controls(experiment, parts.table)
        write_json_atomically(self.folder / "trees.json", {"separate": parts.table.separate_cost(), "trees": trees})
        for tree in distinct(BranchTree.from_dict(tree["tree"]) for tree in trees):
            self.train(experiment, parts.data, tree)

    def search(self, number: int, method: Method) -> list[Tree]:
        """The trees of one method; those of a finished search are only read."""
        path = self.folder / f"{method.name}.json"
        if path.is_file():
            return list(read_json(path)["trees"])
        experiment = method.vary(self.problem.make(self.seed))
        run, parts = RunFolder(self.folder), TrialParts.build(experiment)
        started = time.perf_counter()
        points = make_strategy(experiment, run, number).search(parts, CPU, lambda _: None)
        seconds = time.perf_counter() - started
        found = [(point.budget or method.label, run.find_tree(str(run.path / point.tree))) for point in points]
        trees = [tree_record(method.name, label, tree, parts.table) for label, tree in found]
        if method.also_exact:
            trees += self.exact_trees(run, number, method, parts.table)
        if method.elbow:
            trees.append(tree_record(method.name, "elbow", self.elbow(run, number, experiment), parts.table))
        reference = self.problem.planted(self.seed) if self.problem.planted else found[0][1]
        cost = search_cost(experiment, parts) / training_cost(experiment, parts, reference)
        write_json_atomically(path, {"seconds": seconds, "search_cost": cost, "trees": trees})
        return trees

    def exact_trees(self, run: RunFolder, number: int, method: Method, table: CostTable) -> list[Tree]:
        """Of a search that takes the arg-max: the exact trees of the same logits within the budgets."""
        experiment = self.problem.make(self.seed)
        saved = run.trial(number).checkpoints.latest()
        assert saved is not None
        resource = experiment.search.resource
        curve = discretize(experiment.task_names, dissimilarity_from_logits(saved["logits_LTC"]), table, resource)
        name = f"{method.name} + exact"
        return [tree_record(name, budget, within(curve, budget, table), table) for budget in experiment.search.budgets]

    def elbow(self, run: RunFolder, number: int, experiment: Experiment) -> BranchTree:
        """The tree that the same training gives to a user who names no budget."""
        unlimited = experiment.with_fields({"search.budgets": ()})
        points = make_strategy(unlimited, run, number).search(TrialParts.build(unlimited), CPU, lambda _: None)
        return run.find_tree(str(run.path / points[0].tree))

    def controls(self, experiment: Experiment, table: CostTable) -> list[Tree]:
        """Shared, separate, planted, and for each budget random trees that cost (nearly) as much."""
        names, num_blocks = experiment.task_names, len(table.blocks)
        trees = [tree_record("shared", "shared", BranchTree.shared(names, num_blocks), table)]
        if self.problem.planted is None:
            singles = [BranchTree.shared([name], num_blocks) for name in names]
            trees += [tree_record("single", name, tree, table) for name, tree in zip(names, singles, strict=True)]
        else:
            trees.append(tree_record("separate", "separate", BranchTree.separate(names, num_blocks), table))
            trees.append(tree_record("planted", "planted", self.problem.planted(self.seed), table))
        for budget in experiment.search.budgets:
            for i in range(self.problem.num_random):
                rng = np.random.default_rng(derive_seed(self.seed, "evidence", str(budget), i))
                limit = resolve_budget(budget, table, experiment.search.resource)
                tree = random_tree(names, table, limit, resource=experiment.search.resource, tolerance=0.05, rng=rng)
                trees.append(tree_record("random", budget, tree, table))
        return trees

    def train(self, experiment: Experiment, data: DataSource, tree: BranchTree) -> None:
        """Train one tree with the unit's seed and store its test results."""
        path = self.folder / "networks" / f"{tree.id}.json"
        if path.is_file():
            return
        started = time.perf_counter()
        if self.problem.planted is None:
            test = TreeTraining(RunFolder(self.folder), experiment, tree, self.seed, "fresh").train(data, CPU).test
        else:
            test = train_briefly(experiment, data, tree, self.seed)
        make_folder(path.parent)
        write_json_atomically(path, {"test": test, "seconds": time.perf_counter() - started})


def train_briefly(experiment: Experiment, data: DataSource, tree: BranchTree, seed: int) -> dict[str, dict[str, float]]:
    """Test results after the last step of a training that takes seconds, and so needs no checkpoints."""
    training = Retraining(experiment.tasks, data, experiment.retrain, seed=seed, device=CPU)
    state = TrainingState.start(build_network(experiment, tree, seed), experiment.retrain)
    for epoch in range(experiment.retrain.epochs):
        training.train_epoch(state, epoch)
    return training.evaluate(state.network, "test")


def tree_record(method: str, label: float | str | None, tree: BranchTree, table: CostTable) -> Tree:
    return {"method": method, "label": label, "id": tree.id, "tree": tree.to_dict(), "cost": table.tree_cost(tree)}


def within(curve: Curve, budget: float, table: CostTable) -> BranchTree:
    return curve.within(resolve_budget(budget, table, curve.resource)).tree


def distinct(trees: Iterator[BranchTree]) -> list[BranchTree]:
    return list(dict.fromkeys(trees))


def run_unit(name: str, seed: int, out: Path, methods: tuple[str, ...]) -> str:
    """One unit, named for the log; the work of a process of its own."""
    unit = Unit(PROBLEMS[name], seed, out / name / str(seed), methods)
    make_folder(unit.folder)
    started = time.perf_counter()
    unit.run()
    return f"{name} seed {seed}: {time.perf_counter() - started:.0f} s"


def run_all(
    names: Sequence[str],
    methods: tuple[str, ...],
    num_seeds: int | None,
    processes: int,
    out: Path,
    say: Callable[[str], None],
) -> None:
    """All units of the problems, seed by seed."""
    most = max(len(PROBLEMS[name].seeds) for name in names)
    turns = [
        (name, PROBLEMS[name].seeds[i])
        for i in range(min(most, num_seeds or most))
        for name in names
        if i < len(PROBLEMS[name].seeds)
    ]
    # Forked workers would share the locks of torch's threads.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(run_unit, name, seed, out, methods) for name, seed in turns]:
            say(done.result())


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
    try:
        chosen = (given.problems, tuple(given.methods), given.seeds, given.processes, given.out)
        run_all(*chosen, lambda line: print(line, flush=True))
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
