"""Evaluating a network: every task's loss and metrics over a split."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.data import Batch, Dataset, batches
from nas.errors import InputError, blaming
from nas.network import BranchedNetwork
from nas.tasks import METRICS, SplitLoss, Task
from nas.tree import BranchTree

Measured = dict[str, dict[str, float]]
"""By task: "loss" and its metrics by name."""


class TreeNetwork(Protocol):
    """What can be evaluated: a `BranchedNetwork`, or any module with a tree that gives outputs by task."""

    training: bool

    @property
    def tree(self) -> BranchTree: ...

    def eval(self) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...

    def __call__(self, inputs: Tensor, /) -> dict[str, Tensor]: ...


@torch.no_grad()
def evaluate(
    network: TreeNetwork,
    tasks: Sequence[Task],
    dataset: Dataset,
    *,
    batch_size: int,
    device: torch.device,
    num_workers: int = 0,
    metrics: Mapping[str, Mapping[str, torchmetrics.Metric]] | None = None,
) -> Measured:
    """Losses and metrics of each of the network's tasks over a data set, in evaluation mode and float32.

    Losses (`nas.tasks.split_loss`) and metrics are those of the whole set, and do not depend on the batch size.
    Every caller takes that of the training (`TrainingSettings.evaluation_batch`): what could be trained fits into
    memory, since nothing is kept for a backward pass.

    Args:
        metrics: each task's, made by `make_metrics` on the device, for who evaluates often; what they hold is lost.

    Raises:
        InputError: a task has no label in the whole set, or a loss or metric that cannot take its labels.
    """
    chosen = [task for task in tasks if task.name in network.tree.tasks]
    used = {task.name: make_metrics(task, device) if metrics is None else metrics[task.name] for task in chosen}
    for by_name in used.values():
        for metric in by_name.values():
            metric.reset()
    losses = {task.name: SplitLoss(task) for task in chosen}
    labelled = set()
    was_training = network.training
    network.eval()
    for batch in _in_order(dataset, batch_size, device, num_workers):
        outputs = run_network(network, batch.inputs)
        for name in used:
            if name not in batch.labels or len(batch.labels[name]) == 0:
                continue
            rows, labels = outputs[name][batch.present[name]], batch.labels[name]
            labelled.add(name)
            losses[name].update(rows, labels)
            for key, metric in used[name].items():
                with blaming(f"task {name}: its metric {key} failed on labels {list(labels.shape)}"):
                    metric.update(rows, labels)
    network.train(was_training)
    if empty := [name for name in used if name not in labelled]:
        raise InputError(f"no sample to evaluate on has a label of {empty}")
    return {
        name: {"loss": losses[name].compute()} | {key: float(metric.compute()) for key, metric in used[name].items()}
        for name in used
    }


def run_network(network: TreeNetwork, inputs: Tensor) -> dict[str, Tensor]:
    """A network's outputs by task; inputs that its backbone does not run on are an InputError."""
    with blaming(f"the backbone does not run on inputs of shape {list(inputs.shape)}"):
        outputs: dict[str, Tensor] = network(inputs)
        return outputs


def make_metrics(task: Task, device: torch.device) -> dict[str, torchmetrics.Metric]:
    """A task's metric objects by name, the main one first."""
    made = {}
    for metric in task.metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if name in made or name == "loss":
            raise InputError(f"task {task.name} has two measures called {name!r}; give one function another __name__")
        with blaming(f"task {task.name}: its metric {name}"):
            made[name] = _own((METRICS[metric] if isinstance(metric, str) else metric)(task).to(device))
    return made


def _own(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """A metric that never waits for other processes: it sees the whole split by itself."""
    for part in metric.modules() if isinstance(metric, nn.Module) else ():
        if isinstance(part, torchmetrics.Metric):
            part.distributed_available_fn = _never
    return metric


def _never() -> bool:
    return False


def _in_order(dataset: Dataset, batch_size: int, device: torch.device, num_workers: int) -> Iterable[Batch]:
    loader = batches(dataset, batch_size, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
    return (batch.to(device) for batch in loader)


@torch.no_grad()
def estimate_batch_statistics(
    network: BranchedNetwork, dataset: Dataset, *, batch_size: int, num_batches: int, device: torch.device, seed: int
) -> None:
    """Give every BatchNorm the mean and variance of its own inputs, averaged over some training batches.

    A network with inherited weights needs it: the supernet's statistics are those of mixed features. All but the
    BatchNorms is in evaluation mode meanwhile, as it will be when the statistics are used (no dropout).
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
        norm.train()
    loader = batches(dataset, batch_size, seed=seed, epoch=0, shuffle=True, drop_last=len(dataset) > batch_size)
    for batch in itertools.islice(loader, num_batches):
        run_network(network, batch.inputs.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
