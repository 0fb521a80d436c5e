"""Evaluating a network: every task's loss and metrics over a split."""

import itertools
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
import torchmetrics
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from nas.data import Batch, Dataset, Sample, batches, collate
from nas.errors import InputError, as_input_errors
from nas.networks.branched import BranchedNetwork
from nas.tasks import METRICS, SplitLoss, Task, task_losses
from nas.tasks.checks import accepted_by_loss, check_losses, qualified
from nas.tasks.labels import CLASSES
from nas.training.measured import Measured
from nas.tree import BranchTree


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
    memory, since nothing is kept for a backward pass. A loss or metric that had nothing to measure is NaN.

    Args:
        metrics: each task's, made by `make_metrics` on the device, for who evaluates often; what they hold is lost.

    Raises:
        InputError: a loss or metric that cannot take its labels, or a metric that gives anything but one number.
    """
    chosen = [task for task in tasks if task.name in network.tree.tasks]
    used = {task.name: make_metrics(task, device) if metrics is None else metrics[task.name] for task in chosen}
    for by_name in used.values():
        for metric in by_name.values():
            metric.reset()
    losses = {task.name: SplitLoss(task) for task in chosen}
    was_training = network.training
    network.eval()
    for batch in _in_order(dataset, batch_size, device, num_workers):
        outputs = run_network(network, batch.inputs)
        for task in chosen:
            if (labels := batch.labels.get(task.name)) is not None and len(labels):
                losses[task.name].update(outputs[task.name][batch.present[task.name]], labels)
                update_metrics(task, used[task.name], outputs[task.name], batch)
    network.train(was_training)
    means = {name: loss.compute() for name, loss in losses.items()}
    check_losses(chosen, means)
    return {
        name: {"loss": means[name]} | {key: metric_value(name, key, metric) for key, metric in used[name].items()}
        for name in used
    }


@torch.no_grad()
def try_metrics(network: TreeNetwork, tasks: Sequence[Task], samples: Sequence[Sample]) -> None:
    """Run a network, and every task's loss and metrics, on some samples of one shape: does each fit the others?

    A metric that does not give a value of so few samples is not judged.

    Raises:
        InputError: the network does not run on the samples, a loss or metric does not take its outputs and their
            labels, or a metric gives anything but one number.
    """
    was_training = network.training
    network.eval()
    batch = collate(samples)
    outputs = run_network(network, batch.inputs)
    labelled = [task for task in tasks if task.name in batch.labels]
    for task in labelled:
        shape = list(outputs[task.name].shape)
        # A class beyond the outputs may be in none of these samples.
        if accepted_by_loss(task) is CLASSES and shape[1:2] != [task.num_outputs]:
            raise InputError(
                f"task {task.name}: its head gives outputs of shape {shape} for labels of {task.num_outputs} classes; "
                "make_head has to give one output for each"
            )
    task_losses(labelled, outputs, batch)
    for task in labelled:
        metrics = make_metrics(task, batch.inputs.device)
        update_metrics(task, metrics, outputs[task.name], batch)
        for name, metric in metrics.items():
            with warnings.catch_warnings(action="ignore"):
                try:
                    metric.compute()
                except Exception:  # some need more samples, and say so in a way of their own
                    continue
                metric_value(task.name, name, metric)
    network.train(was_training)


def update_metrics(task: Task, metrics: Mapping[str, torchmetrics.Metric], outputs: Tensor, batch: Batch) -> None:
    """Add a task's outputs [B, ...] on a batch that has labels of it to its metrics."""
    labels = batch.labels[task.name]
    for key, metric in metrics.items():
        with as_input_errors(f"task {task.name}: its metric {key} failed on labels {list(labels.shape)}"):
            metric.update(outputs[batch.present[task.name]], labels)


def metric_value(task: str, name: str, metric: torchmetrics.Metric) -> float:
    """A metric's value, NaN if it had no labels to measure; InputError unless it is one number."""
    if not metric.update_called:
        return math.nan
    with as_input_errors(f"task {task}: its metric {name} failed"):
        value: Any = metric.compute()
    if isinstance(value, Tensor) and value.numel() != 1:
        found = f"a tensor of shape {list(value.shape)}"
    elif isinstance(value, Tensor | int | float):
        return float(value)
    else:
        found = f"a {type(value).__name__}"
    raise InputError(
        f"task {task}: its metric {name} gives {found}; a metric must give one number, for instance the mean over "
        "classes (torchmetrics: average='macro'), and each further number needs a metric of its own"
    )


def run_network(network: TreeNetwork, inputs: Tensor) -> dict[str, Tensor]:
    """A network's outputs by task; inputs that its backbone does not run on are an InputError."""
    with as_input_errors(f"the backbone does not run on inputs of shape {list(inputs.shape)}"):
        outputs: dict[str, Tensor] = network(inputs)
        return outputs


def make_metrics(task: Task, device: torch.device) -> dict[str, torchmetrics.Metric]:
    """A task's metric objects by name, the main one first."""
    made = {}
    for metric in task.metrics:
        name = metric if isinstance(metric, str) else qualified(metric)
        if name in made or name == "loss":
            raise InputError(f"task {task.name} has two measures called {name!r}; give one function another __name__")
        with as_input_errors(f"task {task.name}: its metric {name}"):
            found = (METRICS[metric] if isinstance(metric, str) else metric)(task)
        if not isinstance(found, torchmetrics.Metric):
            raise InputError(
                f"task {task.name}: its metric {name} makes a {type(found).__name__}; a torchmetrics.Metric is needed, "
                "and each of a collection has to be named by itself"
            )
        made[name] = _own(found.to(device))
    return made


def _own(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """A metric that never waits for other processes: it sees the whole split by itself."""
    for part in metric.modules():
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
