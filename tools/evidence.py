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
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from evidence_problems import METHODS, PROBLEMS, Method, Problem, search_cost, training_cost
from torch import nn
from validity import contenders, judge_validity, mean_test_loss

from nas.cost import resolve_budget
from nas.data import DataSource, derive_seed
from nas.discretize import Curve, discretize, dissimilarity_from_logits
from nas.errors import in_one_line
from nas.files import make_folder, read_json, write_bytes_atomically, write_json_atomically
from nas.networks.branched import BranchedNetwork
from nas.recipe import Experiment
from nas.run import RunFolder, TreeTraining, TrialParts, build_network
from nas.run.evaluator import RunEvaluator
from nas.run.search_trial import search_in
from nas.training import Measured, Retraining, TrainingState
from nas.tree import BranchTree, CostTable, random_tree

CPU = torch.device("cpu")

Tree = dict[str, Any]
"""A tree of the results: the method that found it, a label (its budget, if it has one), the tree, its id and cost."""


@dataclass(frozen=True)
class Unit:
    """One problem with one seed, in its folder."""

    problem: Problem
    seed: int
    folder: Path
    methods: tuple[str, ...]

    def run(self) -> None:
        """Search with every method, then train every tree; finished results are kept."""
        torch.set_num_threads(1)
        experiment = self.experiment()
        parts = TrialParts.build(experiment)
        trees = self.controls(experiment, parts.table)
        if self.problem.only_valid and not self.is_valid(experiment, parts.data, trees):
            write_json_atomically(self.folder / "invalid.json", {"trees": trees})
            return
        for number, method in enumerate(self.problem.methods):
            if method.name in self.methods or (self.folder / f"{method.name}.json").is_file():
                trees += self.search(number, method)
        write_json_atomically(self.folder / "trees.json", {"separate": parts.table.separate_cost(), "trees": trees})
        if not self.problem.only_valid:
            for tree in distinct(BranchTree.from_dict(tree["tree"]) for tree in trees):
                self.train(experiment, parts.data, tree)

    def experiment(self) -> Experiment:
        """The experiment of the problem; its pretraining runs first if the problem asks for it."""
        experiment = self.problem.make(self.seed)
        if not self.problem.pretrained:
            return experiment
        path = self.folder / "pretrained.safetensors"
        if not path.is_file():
            write_shared_blocks(experiment, self.seed, path)
        return experiment.with_fields({"backbone.weights": str(path)})

    def is_valid(self, experiment: Experiment, data: DataSource, controls: Sequence[Tree]) -> bool:
        """Whether the planted tree is worth finding on its own data."""
        losses: dict[str, list[float]] = {}
        for i, record in enumerate(controls):
            test = self.train(experiment, data, BranchTree.from_dict(record["tree"]))
            losses[f"random{i}" if record["method"] == "random" else record["method"]] = [mean_test_loss(test)]
        return judge_validity(losses).valid

    def search(self, number: int, method: Method) -> list[Tree]:
        """The trees of one method; a finished search is only read."""
        path = self.folder / f"{method.name}.json"
        if path.is_file():
            return list(read_json(path)["trees"])
        experiment = method.vary(self.experiment())
        run, parts = RunFolder(self.folder), TrialParts.build(experiment)
        started = time.perf_counter()
        found = self.trees_of(run, number, method.name, experiment, parts, method.label)
        seconds = time.perf_counter() - started
        reference = self.problem.planted(self.seed) if self.problem.planted else BranchTree.from_dict(found[0]["tree"])
        cost = search_cost(experiment, parts) / training_cost(experiment, parts, reference)
        if method.also_exact:
            found += self.exact_trees(run, number, method, parts.table)
        for label, changes in method.variants.items():
            varied = experiment.with_fields(changes)
            found += self.trees_of(run, number, f"{method.name}, {label}", varied, parts, method.label)
        write_json_atomically(path, {"seconds": seconds, "search_cost": cost, "trees": found})
        return found

    def trees_of(
        self, run: RunFolder, number: int, name: str, experiment: Experiment, parts: TrialParts, label: str | None
    ) -> list[Tree]:
        """Search, or discretise the result of a finished search again; trees are labelled with their budget if any."""
        trial = run.trial(number)
        evaluator = RunEvaluator(run, experiment, parts.data, CPU, trial.path / "trainings")
        found = search_in(trial, experiment, parts, CPU, evaluator=evaluator)
        return [tree_record(name, each.budget or label, each.tree, parts.table) for each in found.trees]

    def exact_trees(self, run: RunFolder, number: int, method: Method, table: CostTable) -> list[Tree]:
        """For a search that takes the arg-max: the trees of exact discretisation of the same logits, per budget."""
        experiment = self.experiment()
        saved = run.trial(number).store.checkpoints.latest()
        assert saved is not None
        resource = experiment.goal.resource
        curve = discretize(experiment.task_names, dissimilarity_from_logits(saved["logits_LTC"]), table, resource)
        name = f"{method.name} + exact"
        return [tree_record(name, budget, within(curve, budget, table), table) for budget in experiment.goal.budgets]

    def controls(self, experiment: Experiment, table: CostTable) -> list[Tree]:
        """Shared, separate, planted, and for each budget random trees that cost (nearly) as much."""
        names, num_blocks, resource = experiment.task_names, len(table.blocks), experiment.goal.resource
        if self.problem.planted is not None:
            others = contenders(self.problem.planted(self.seed), table, self.problem.num_random, seed=self.seed)
            return [
                tree_record(name.rstrip("0123456789"), experiment.goal.budgets[0], tree, table)
                for name, tree in others.items()
            ]
        trees = [tree_record("shared", "none", BranchTree.shared(names, num_blocks), table)]
        trees += [tree_record("single", name, BranchTree.shared([name], num_blocks), table) for name in names]
        for budget in experiment.goal.budgets:
            limit = resolve_budget(budget, table, resource)
            for i in range(self.problem.num_random):
                rng = np.random.default_rng(derive_seed(self.seed, "evidence", str(budget), i))
                tree = random_tree(names, table, limit, resource=resource, tolerance=0.05, rng=rng)
                trees.append(tree_record("random", budget, tree, table))
        return trees

    def train(self, experiment: Experiment, data: DataSource, tree: BranchTree) -> Measured:
        """Test results of one tree, trained with the unit's seed."""
        path = self.folder / "networks" / f"{tree.id}.json"
        if path.is_file():
            return dict(read_json(path)["test"])
        started = time.perf_counter()
        if self.problem.planted is None:
            # In a separate run folder, because the tree does not belong to a trial.
            run = RunFolder(self.folder / "trained")
            test = TreeTraining(run, experiment, tree, self.seed, "fresh").train(data, CPU).test
        else:
            test = train_briefly(experiment, data, tree, self.seed)
        make_folder(path.parent)
        write_json_atomically(path, {"test": test, "seconds": time.perf_counter() - started})
        return test


def train_briefly(experiment: Experiment, data: DataSource, tree: BranchTree, seed: int) -> Measured:
    """Test results after the last epoch of a training that takes seconds and therefore writes no checkpoints."""
    training = Retraining(experiment.tasks, data, experiment.retrain, seed=seed, device=CPU)
    return training.evaluate(trained_briefly(training, experiment, tree, seed), "test")


def trained_briefly(training: Retraining, experiment: Experiment, tree: BranchTree, seed: int) -> BranchedNetwork:
    state = TrainingState.start(build_network(experiment, tree, seed), experiment.retrain)
    for epoch in range(experiment.retrain.epochs):
        training.train_epoch(state, epoch)
    return state.network


def write_shared_blocks(experiment: Experiment, seed: int, path: Path) -> None:
    """Train the fully shared network, and write the weights of its blocks."""
    parts = TrialParts.build(experiment)
    tree = BranchTree.shared(experiment.task_names, parts.backbone.num_blocks)
    training = Retraining(experiment.tasks, parts.data, experiment.retrain, seed=seed, device=CPU)
    network = trained_briefly(training, experiment, tree, seed)
    blocks = nn.ModuleList(next(instances.children()) for instances in network.blocks)
    write_bytes_atomically(path, safetensors.torch.save(blocks.state_dict()))


def tree_record(method: str, label: float | str | None, tree: BranchTree, table: CostTable) -> Tree:
    return {"method": method, "label": label, "id": tree.id, "tree": tree.to_dict(), "cost": table.tree_cost(tree)}


def within(curve: Curve, budget: float, table: CostTable) -> BranchTree:
    return curve.within(resolve_budget(budget, table, curve.resource)).tree


def distinct(trees: Iterator[BranchTree]) -> list[BranchTree]:
    return list(dict.fromkeys(trees))


def run_unit(name: str, seed: int, out: Path, methods: tuple[str, ...]) -> str:
    """Run one unit in a process, and return a line for the log."""
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
) -> bool:
    """Run all units seed by seed, and return whether all succeeded. After a failure the other units still run."""
    most = max(len(PROBLEMS[name].seeds) for name in names)
    turns = [
        (name, PROBLEMS[name].seeds[i])
        for i in range(min(most, num_seeds or most))
        for name in names
        if i < len(PROBLEMS[name].seeds)
    ]
    # Forked workers would share the locks of torch's threads.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        units = {pool.submit(run_unit, name, seed, out, methods): f"{name} seed {seed}" for name, seed in turns}
        for unit in as_completed(units):
            error = unit.exception()
            say(unit.result() if error is None else f"{units[unit]} failed: {in_one_line(error)}")
    return all(unit.exception() is None for unit in units)


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
    chosen = (given.problems, tuple(given.methods), given.seeds, given.processes, given.out)
    if not run_all(*chosen, lambda line: print(line, flush=True)):
        sys.exit(1)


if __name__ == "__main__":
    main()
