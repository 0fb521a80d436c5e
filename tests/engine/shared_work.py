"""Work that one process does alone and two do together: ``shared_work.py RANK FOLDER cpu|cuda`` is one of the two.

Everything is in double precision, so that what differs by more than rounding differs visibly.
"""

import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).parents[1]))

import torch
import torch.distributed as dist
from torch import nn
from toys import IN_FEATURES, ToyData, VectorBackbone, names, seeded, toy_tasks

from nas.cost import measure_costs
from nas.data import MaskedTensors, batches
from nas.engine import Ranks, synchronise_batch_norm
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet, Supernet
from nas.networks.supernet.recompute import recomputed
from nas.strategies.gradient import BilevelSearch, GradientSettings
from nas.strategies.parents import JointSearch, ParentSettings
from nas.strategies.similarity import CopyTraining, SimilaritySettings
from nas.training import DistillSettings, Retraining, TrainingSettings, TrainingState
from nas.tree import BranchTree

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(num_blocks=2, width=4)
SGD = OptimizerSettings(kind="sgd", lr=0.1, momentum=0.5, weight_decay=1e-3)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1]])


class UnevenData(ToyData):
    """Half of the labels are missing at random, so that in many batches one rank has none of a task's."""

    def __init__(self):
        super().__init__(TASKS, size=24, missing=0.7)


def batch_norm(ranks):
    """Outputs, gradients and statistics of three steps, with and without scale and shift, kept or recomputed."""
    found = {}
    for shape, momentum, affine, recompute in [
        ((3, 2, 2), 0.1, True, False),
        ((3,), None, False, False),
        ((3, 5), 0.3, True, True),
    ]:
        make = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}[len(shape) - 1]
        network = nn.Sequential(nn.Identity(), make(3, momentum=momentum, affine=affine)).to(ranks.device)
        synchronise_batch_norm(network, ranks)
        generator = torch.Generator().manual_seed(0)
        for step in range(3):
            # A mean far from zero: sums of squares would cancel.
            inputs = 50.0 + torch.randn(8, *shape, generator=generator)
            slopes = torch.randn(8, *shape, generator=generator)
            half = slice(ranks.rank * 8 // ranks.size, (ranks.rank + 1) * 8 // ranks.size)
            here = inputs[half].to(ranks.device, copy=True).requires_grad_()
            outputs = recomputed(network, here) if recompute else network(here)
            network.zero_grad()
            outputs.backward(slopes[half].to(ranks.device))
            ranks.reduce(network.parameters(), [])
            rows = [outputs.detach(), here.grad]
            whole = [torch.cat(list(ranks.gather(row))) for row in rows] if ranks.size > 1 else rows
            found[f"{shape} {step}"] = [*whole, *(parameter.grad.clone() for parameter in network.parameters())]
        found[f"{shape} statistics"] = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.eval()
        found[f"{shape} evaluation"] = network(inputs.to(ranks.device)).detach()
    return found


def samples(ranks):
    """The inputs of every batch of an epoch, put together in the order of the ranks."""
    inputs = torch.arange(22.0)[:, None]
    dataset = MaskedTensors(inputs, {"t0": inputs}, {"t0": torch.arange(22) % 3 == 0})
    loader = batches(dataset, 8, seed=1, epoch=2, shuffle=True, drop_last=False, shard=ranks.shard)
    inputs = [batch.inputs.to(ranks.device) for batch in loader]
    gathered = [ranks.gather(part) if ranks.size > 1 else part[None] for part in inputs]
    return [parts.flatten().tolist() for parts in gathered]


def search(ranks, settings, budgets=()):
    with TemporaryDirectory() as folder:
        table = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
        fixed = {"budgets": budgets, "seed": 3, "device": ranks.device, "ranks": ranks}
        job = BilevelSearch(TASKS, UnevenData(), table, settings, **fixed)
        # Each rank starts from weights of its own; those of rank 0 count.
        supernet = seeded(lambda: Supernet(BACKBONE, TASKS, equal_start=False), seed=ranks.rank)
        state = job.start(supernet)
        job.run(state, CheckpointFolder(Path(folder)), lambda _: None)
        assert any(Path(folder).iterdir()) == ranks.is_first
    return {"weights": state.supernet.state_dict(), "logits": state.logits_LTP.detach(), "history": state.history}


def searches(ranks):
    # Three steps of each kind in each of two epochs, the first of them on own copies.
    common = GradientSettings(
        epochs=2,
        warmup=0.5,
        batch_size=8,
        candidates="plain",
        weights=SGD,
        logits=OptimizerSettings(kind="sgd", lr=5.0),
    )
    variants = {
        "soft": {"candidates": "auto"},
        "per task": {"weight_step": "per_task", "checkpoint_activations": True},
        "hard": {"routing": "hard"},
        "one path": {"routing": "one_path", "reset_statistics": False},
        "adam": {"weights": OptimizerSettings(kind="adam", lr=1e-2), "reset_optimizers": False},
    }
    return {name: search(ranks, common.model_copy(update=changes), (0.7,)) for name, changes in variants.items()}


def joint_search(ranks, settings):
    with TemporaryDirectory() as folder:
        table = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
        fixed = {"budgets": (0.7,), "seed": 3, "device": ranks.device, "ranks": ranks}
        job = JointSearch(TASKS, UnevenData(), table, settings, **fixed)
        state = job.start(seeded(lambda: ParentSupernet(BACKBONE, TASKS, (2, 3)), seed=ranks.rank))
        job.run(state, CheckpointFolder(Path(folder)), lambda _: None)
        assert any(Path(folder).iterdir()) == ranks.is_first
    return {"weights": state.supernet.state_dict(), **state.logits_record(), "history": state.history}


def joint_searches(ranks):
    common = ParentSettings(
        epochs=2, warmup=0.5, batch_size=8, weights=SGD, logits=OptimizerSettings(kind="sgd", lr=5.0)
    )
    return {
        routing: joint_search(ranks, common.model_copy(update={"routing": routing})) for routing in ("hard", "one_path")
    }


def warm_up(ranks):
    with TemporaryDirectory() as folder:
        settings = SimilaritySettings(epochs=2, batch_size=8, splits=("train",), weights=SGD)
        job = CopyTraining(TASKS, UnevenData(), settings, seed=3, device=ranks.device, ranks=ranks)
        state = job.start(BACKBONE)
        job.run(state, CheckpointFolder(Path(folder)), lambda _: None)
    return {"weights": state.copies.state_dict(), "history": state.history}


def alone(task):
    return BranchTree.shared([task.name], BACKBONE.num_blocks)


def retraining(ranks, settings):
    with TemporaryDirectory() as folder:
        network = seeded(lambda: BranchedNetwork(BACKBONE, TASKS, TREE), seed=ranks.rank).to(ranks.device)
        teachers = None
        if settings.distill.weight:
            teachers = {
                task.name: seeded(lambda t=task: BranchedNetwork(BACKBONE, [t], alone(t)), seed=9).to(ranks.device)
                for task in TASKS
            }
        job = Retraining(TASKS, UnevenData(), settings, seed=3, device=ranks.device, teachers=teachers, ranks=ranks)
        state = TrainingState.start(network, settings, ranks)
        job.run(state, CheckpointFolder(Path(folder)), lambda _: None)
        assert any(Path(folder).iterdir()) == ranks.is_first
    found = {"weights": state.network.state_dict(), "result": state.result.state_dict(), "history": state.history}
    return found | ({} if state.balance is None else {"balance": state.balance.state_dict()})


def retrainings(ranks):
    common = TrainingSettings(epochs=2, batch_size=8, splits=("train",), optimizer=SGD)
    variants = {
        "plain": {"shared_lr": "divided"},
        "options": {"accumulate": 2, "clip_norm": 0.5, "ema": 0.9, "balance": "uncertainty"},
        "taught": {"distill": DistillSettings(weight=0.5), "balance": "dwa"},
        "aggregated": {"aggregate": "mgda", "accumulate": 2},
        "gradvac": {"aggregate": "gradvac", "compute": ComputeSettings(channels_last=True)},
    }
    return {name: retraining(ranks, common.model_copy(update=changes)) for name, changes in variants.items()}


def drawn(ranks):
    """What draws random numbers is equal on all ranks, though it is no longer what one process draws."""
    global BACKBONE
    before, BACKBONE = BACKBONE, VectorBackbone(num_blocks=2, width=4, dropout=0.3)
    try:
        settings = TrainingSettings(epochs=1, batch_size=8, splits=("train",), aggregate="graddrop", balance="random")
        return {
            "retraining": retraining(ranks, settings),
            "search": search(ranks, GradientSettings(epochs=1, batch_size=8, candidates="plain")),
        }
    finally:
        BACKBONE = before


def exchanges(ranks):
    """Gradients that nobody has stay away, those that one rank has are everybody's; records travel."""
    one = torch.ones(1, device=ranks.device)
    like = [one.expand(2), one.expand(2, 2).contiguous(), one]
    gradients = [None, 2.0 * like[1] if ranks.is_first else None, one / ranks.size]
    summed, losses = ranks.sum(gradients, like, [one.squeeze() / ranks.size])
    record = {"epoch": 3, "best": None, "tensor": torch.arange(3), "nested": [{"loss": 0.5}]}
    return {
        "gradients": summed,
        "losses": losses,
        "record": ranks.call_on_first(lambda: record),
        "once": ranks.sum([], [], [ranks.zero_unless_first(2.0 * one.squeeze())])[1],
    }


WORK = (batch_norm, samples, searches, joint_searches, warm_up, retrainings, exchanges)


def do(ranks):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return {work.__name__: work(ranks) for work in (*WORK, drawn)}
    finally:
        torch.set_default_dtype(before)


if __name__ == "__main__":
    rank, folder, kind = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    device = torch.device("cuda", rank) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(device)
    store = dist.FileStore(str(folder / "store"), 2)
    backend = "nccl" if kind == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    torch.save(do(Ranks.from_process_group(device)), folder / f"{rank}.pt")
    dist.destroy_process_group()
