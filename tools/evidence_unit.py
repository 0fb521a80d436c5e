"""A unit of a comparison: one problem with one seed, in its folder, with its controls and its trained networks."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from evidence_problems import Problem
from torch import nn
from validity import contenders, judge_validity, mean_test_loss

from nas.cost import resolve_budget
from nas.data import DataSource, derive_seed
from nas.files import make_folder, read_json, write_bytes_atomically, write_json_atomically
from nas.networks.branched import BranchedNetwork
from nas.recipe import Experiment
from nas.run import RunFolder, TreeTraining, TrialParts, build_network
from nas.training import Measured, Retraining, TrainingState
from nas.tree import BranchTree, CostTable, random_tree

CPU = torch.device("cpu")

Tree = dict[str, Any]
"""A tree of the results: the method that found it, a label (its budget, if it has one), the tree, its id and cost."""


@dataclass(frozen=True)
class Unit:
    """One problem with one seed; trained networks are in ``networks/<tree>.json``, and none is trained twice."""

    problem: Problem
    seed: int
    folder: Path

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
        """Whether the planted tree is worth finding on its own data, for problems where only such seeds count.

        Otherwise ``invalid.json`` is written.
        """
        if not self.problem.only_valid:
            return True
        losses: dict[str, list[float]] = {}
        for i, record in enumerate(controls):
            test = self.train(experiment, data, BranchTree.from_dict(record["tree"]))
            losses[f"random{i}" if record["method"] == "random" else record["method"]] = [mean_test_loss(test)]
        valid = judge_validity(losses).valid
        if not valid:
            write_json_atomically(self.folder / "invalid.json", {"trees": controls})
        return valid

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

    def train_all(self, experiment: Experiment, data: DataSource, trees: Iterable[Tree]) -> None:
        """Train every tree that has not been trained."""
        for tree in dict.fromkeys(BranchTree.from_dict(tree["tree"]) for tree in trees):
            self.train(experiment, data, tree)

    def train(self, experiment: Experiment, data: DataSource, tree: BranchTree) -> Measured:
        """Test results of one tree, trained with the unit's seed."""
        path = self.network(tree.id)
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

    def network(self, tree_id: str) -> Path:
        """The file of a trained network."""
        return self.folder / "networks" / f"{tree_id}.json"


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
