"""Checks that the tree of a planted problem is better than other trees on its data; only then it tests a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import torch

from nas.data import DataSource, derive_seed
from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.training.measured import Measured
from nas.training.retrain import Retraining
from nas.training.settings import TrainingSettings
from nas.training.state import TrainingState, load_network
from nas.tree import BranchTree, CostTable, random_tree

MARGIN = 0.25
"""How much greater the loss of other trees has to be than the loss of the planted tree, as a share of the latter."""

_TOLERANCE = 0.05
"""How far the cost of a random tree may be below the planted tree's cost, as a share of the latter."""

_DRAWS = 20
"""Number of draws for each random tree that is wanted."""


@dataclass(frozen=True)
class Validity:
    """Test losses relative to that of the planted tree, and whether the problem is valid.

        valid  iff  mean of random >= 1 + margin  and  shared >= 1 + margin

    If random trees of equal cost were as good as the planted tree, a search could find a good tree by chance. If the
    shared tree were as good, the cheapest tree would be the right answer. The separate tree does not count, because it
    may be better at its higher cost.

    Args:
        planted: test loss of the planted tree, the mean over tasks and seeds; the other losses are divided by it.
        random: loss of each random tree of equal cost.
        shared, separate: losses of the cheapest and of the most expensive tree.
        margin: margin of the rule.
    """

    planted: float
    random: tuple[float, ...]
    shared: float
    separate: float
    margin: float = MARGIN

    @property
    def valid(self) -> bool:
        return min(fmean(self.random), self.shared) >= 1 + self.margin


def check_validity(
    tree: BranchTree,
    backbone: Backbone,
    tasks: Sequence[Task],
    data: DataSource,
    table: CostTable,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int] = (0,),
    num_random: int = 4,
    margin: float = MARGIN,
    device: torch.device | None = None,
) -> Validity:
    """Train the planted tree, random trees of equal cost, the shared and the separate tree, and compare their losses.

    Args:
        tree: the planted tree.
        backbone: the student.
        tasks, data: those of the planted problem.
        table: the student's costs.
        settings: settings of every training.
        seeds: each network is trained once per seed, and its losses are averaged.
        num_random: number of random trees; there may be fewer if no more exist.
        margin: see `Validity`.
        device: where to train; the CPU if left out.

    Raises:
        InputError: no other tree costs what the planted one does.
    """
    losses = {
        name: [
            mean_test_loss(train_to_best(contender, backbone, tasks, data, settings, seed=seed, device=device))
            for seed in seeds
        ]
        for name, contender in contenders(tree, table, num_random).items()
    }
    return judge_validity(losses, margin)


def contenders(tree: BranchTree, table: CostTable, num_random: int, *, seed: int = 0) -> dict[str, BranchTree]:
    """The trees that are compared: "planted", "shared", "separate", and "random0", "random1", ...

    The random trees are distinct, differ from the planted one, and cost between 95 % and 100 % of it.

    Raises:
        InputError: there is no such random tree.
    """
    num_blocks = len(table.blocks)
    target = table.tree_cost(tree)["macs"]
    found: list[BranchTree] = []
    for i in range(_DRAWS * num_random):
        if len(found) == num_random:
            break
        rng = np.random.default_rng(derive_seed("validity", seed, tree.id, i))
        drawn = random_tree(tree.tasks, table, target, tolerance=_TOLERANCE, rng=rng)
        if drawn != tree and drawn not in found:
            found.append(drawn)
    if not found:
        raise InputError(
            f"no tree but {tree.id} itself costs {target:g} MACs, so there is no random tree to compare it with"
        )
    others = {
        "shared": BranchTree.shared(tree.tasks, num_blocks),
        "separate": BranchTree.separate(tree.tasks, num_blocks),
    }
    return {"planted": tree, **others, **{f"random{i}": other for i, other in enumerate(found)}}


def train_to_best(
    tree: BranchTree,
    backbone: Backbone,
    tasks: Sequence[Task],
    data: DataSource,
    settings: TrainingSettings,
    *,
    seed: int,
    device: torch.device | None = None,
) -> Measured:
    """Train a tree's network outside a run folder, and give its losses and metrics on the test split.

    The weights are those of the best epoch by validation, as in a retraining with a fresh start and the same seed. The
    checkpoints go to a temporary folder, because this is meant for networks that train in seconds.
    """
    device = device or torch.device("cpu")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive_seed(seed, "network"))
        network = BranchedNetwork(backbone, tasks, tree)
    training = Retraining(tasks, data, settings, seed=seed, device=device)
    state = TrainingState.start(network.to(device), settings)
    with TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder))
        training.run(state, checkpoints, lambda _: None)
        assert state.best_epoch is not None
        best = checkpoints.path(state.best_epoch)
        load_network(network, load_tensors(best), str(best))
    return training.evaluate(network, "test")


def mean_test_loss(measured: Measured) -> float:
    """Mean of the losses of all tasks."""
    return fmean(values["loss"] for values in measured.values())


def judge_validity(losses: Mapping[str, Sequence[float]], margin: float = MARGIN) -> Validity:
    """The `Validity` that follows from test losses: by the names of `contenders`, one loss per seed."""
    means = {name: fmean(values) for name, values in losses.items()}
    planted = means["planted"]
    relative = {name: mean / planted for name, mean in means.items()}
    return Validity(
        planted,
        tuple(value for name, value in relative.items() if name.startswith("random")),
        relative["shared"],
        relative["separate"],
        margin,
    )
