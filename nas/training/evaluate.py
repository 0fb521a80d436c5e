"""Evaluating a network: every task's loss and metrics over a split."""

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torchmetrics
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from nas.data import Batch, Dataset, Sample, batches, collate
from nas.errors import InputError, as_input_errors
from nas.networks.branched import BranchedNetwork
from nas.steps import counted
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

    Losses (`nas.tasks.split_loss`) and metrics are computed over the whole set and do not depend on the batch size.
    A loss or metric without any labels is NaN.

    Args:
        batch_size: callers pass `TrainingSettings.evaluation_batch`. This size fits into memory if training did, since
            evaluation keeps nothing for a backward pass.
        metrics: optional prebuilt metrics of each task (`make_metrics`), reused across calls; they are reset.

    Raises:
        InputError: a loss or metric does not accept its labels, or a metric does not give one number.
    """
    chosen = [task for task in tasks if task.name in network.tree.tasks]
    used = {task.name: make_metrics(task, device) if metrics is None else metrics[task.name] for task in chosen}
    for by_name in used.values():
        for metric in by_name.values():
            metric.reset()
    losses = {task.name: SplitLoss(task) for task in chosen}
    was_training = network.training
    network.eval()
    loader = batches(dataset, batch_size, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
    for read in counted(loader, "measuring", math.ceil(len(dataset) / batch_size)):
        batch = read.to(device)
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
    """Run a network with every task's loss and metrics on a few samples of one shape, to find out whether they fit.

    A metric that fails to compute a value from so few samples is accepted.

    Raises:
        InputError: the network does not run on the samples, a loss or metric does not accept outputs and labels, or a
            metric does not give one number.
    """
    was_training = network.training
    network.eval()
    batch = collate(samples)
    outputs = run_network(network, batch.inputs)
    labelled = [task for task in tasks if task.name in batch.labels]
    for task in labelled:
        shape = list(outputs[task.name].shape)
        # Checked by number: these few samples may not contain the class that has no output.
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
                except Exception:  # some metrics need more samples, and each raises another error
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
    """A network's outputs by task; InputError if its backbone does not run on the inputs."""
    with as_input_errors(f"the backbone does not run on inputs of shape {list(inputs.shape)}"):
        outputs: dict[str, Tensor] = network(inputs)
        return outputs


def make_metrics(task: Task, device: torch.device) -> dict[str, torchmetrics.Metric]:
    """A task's metric objects by name, the main one first."""
    made = {}
    for metric in task.metrics:
        name = metric if isinstance(metric, str) else qualified(metric)
        if name in made or name == "loss":
            raise InputError(f"task {task.name} has two metrics called {name!r}; give one function another __name__")
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
    """The metric, set up not to synchronise with other processes: one process evaluates the whole split."""
    for part in metric.modules():
        if isinstance(part, torchmetrics.Metric):
            part.distributed_available_fn = _never
    return metric


def _never() -> bool:
    return False


@torch.no_grad()
def estimate_batch_statistics(
    network: BranchedNetwork, dataset: Dataset, *, batch_size: int, num_batches: int, device: torch.device, seed: int
) -> None:
    """Estimate the running statistics of every BatchNorm anew, averaged over some training batches.

    A network with inherited weights needs this, because the supernet's statistics come from mixed features. All other
    modules are in evaluation mode (no dropout), as they are when the statistics are used.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
        norm.train()
    loader = batches(dataset, batch_size, seed=seed, epoch=0, shuffle=True)
    for batch in itertools.islice(loader, num_batches):
        run_network(network, batch.inputs.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
