"""Whether a tree is better than others on its own data: what a planted problem has to show before it tests a search."""

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
"""How much greater than the planted tree's the others' loss has to be, as a share."""

_TOLERANCE = 0.05
"""How far below the planted tree's cost a random tree may cost, as a share."""

_DRAWS = 20
"""Random trees that are drawn at most for each that is asked for."""


@dataclass(frozen=True)
class Validity:
    """Test losses, relative to the planted tree's, and what follows from them.

        valid  iff  mean of random >= 1 + margin  and  shared >= 1 + margin

    If random trees of equal cost were as good, finding the planted one would be no achievement; if the shared tree
    were, the cheapest answer would be right. The separate tree plays no part: it may be better, at its cost.

    Args:
        planted: the planted tree's test loss, mean over tasks and seeds; the unit of the others.
        random: of each random tree of equal cost.
        shared, separate: of the cheapest and the dearest tree.
        margin: of the rule.
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
    """Train the planted tree, random trees of equal cost, the shared and the separate one, and judge.

    Args:
        tree: the planted tree.
        backbone: the student.
        tasks, data: of the planted problem.
        table: the student's costs.
        settings: of every training alike.
        seeds: each network is trained once per seed; a loss is the mean over them.
        num_random: how many random trees; fewer where there are no more.
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
    """What a validity is judged by: "planted", "shared", "separate", and "random0", ...

    Random trees are distinct, are not the planted one, and cost at most as much and at least 95 % of it.

    Raises:
        InputError: there is no such tree.
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
        raise InputError(f"no tree but {tree.id} itself costs {target:g} MACs, so nothing can be asked of it")
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
    """Retrain a tree outside a run folder: losses and metrics on the test split, at the best epoch by validation.

    The same as a retraining with a fresh start and the same seed. Its checkpoints go to a temporary folder, for it is
    meant for networks that train in seconds.
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
    """Mean over the tasks of their losses."""
    return fmean(values["loss"] for values in measured.values())


def judge_validity(losses: Mapping[str, Sequence[float]], margin: float = MARGIN) -> Validity:
    """The verdict on test losses, by the names of `contenders`, one a seed."""
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
