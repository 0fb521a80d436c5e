"""What every search of an experiment needs: its parts, built and measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nas.backbone import Backbone, FrozenPrefix, check_backbone
from nas.cost import LatencyTable, Profile, measure_costs, resolve_budget
from nas.data import SPLITS, DataSource, derive_seed
from nas.discretize import cheapest_tree
from nas.errors import InputError, blaming, in_one_line
from nas.experiment.experiment import Experiment
from nas.network import BranchedNetwork
from nas.training import metric_directions, require_methods
from nas.tree import BranchTree, CostTable

_MEMBERS = ("num_blocks", "taps", "make_stem", "make_block", "make_head")


def build_backbone(experiment: Experiment) -> Backbone:
    """The experiment's backbone, with its prefix frozen if `search.constraints` say so.

    Raises:
        InputError: it cannot be built, or lacks a member of the protocol.
    """
    backbone, constraints = _make_backbone(experiment), experiment.search.constraints
    return FrozenPrefix(backbone, constraints.shared_prefix) if constraints.frozen_prefix else backbone


def _make_backbone(experiment: Experiment) -> Backbone:
    name = f"backbone {experiment.backbone.name}"
    with blaming(name):
        backbone = experiment.backbone()
        if missing := [member for member in _MEMBERS if not hasattr(backbone, member)]:
            raise InputError(f"{name} lacks {', '.join(missing)}; see nas.backbone.Backbone")
        taps = tuple(backbone.taps)
        if not taps or sorted(set(taps)) != list(taps) or not 0 <= taps[0] <= taps[-1] < backbone.num_blocks:
            raise InputError(
                f"{name}: taps must be ascending block indices below {backbone.num_blocks}; found {list(taps)}"
            )
    checked: Backbone = backbone
    return checked


def build_data(experiment: Experiment) -> DataSource:
    """The experiment's data; InputError unless each split has samples, of which the first is what networks take."""
    name = f"data {experiment.data.name}"
    with blaming(name):
        data: DataSource = experiment.data()
        if not hasattr(data, "split"):
            raise InputError(f"{name} has no method split(name); see nas.data.DataSource")
        for split in SPLITS:
            dataset = data.split(split)
            if len(dataset) == 0:
                raise InputError(f"{name}: its split {split!r} is empty")
            _check_sample(dataset[0], experiment.input_shape, f"{name}: split {split!r}")
    return data


def _check_sample(sample: Any, input_shape: tuple[int, ...], where: str) -> None:
    """Channels and dimensions must be those that costs are measured at; sizes may differ, as those of pictures do."""
    if not isinstance(sample, tuple | list) or len(sample) != 2 or not isinstance(sample[1], Mapping):
        raise InputError(f"{where}: a sample is a pair (input, labels by task); found {type(sample).__name__}")
    image, labels = sample
    if not isinstance(image, Tensor) or image.dtype != torch.float32:
        found = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise InputError(f"{where}: inputs must be tensors of torch.float32, as weights are; found {found}")
    if image.dim() != len(input_shape) or image.shape[0] != input_shape[0]:
        raise InputError(
            f"{where}: inputs have shape {list(image.shape)}, which does not fit input_shape {list(input_shape)}"
        )
    for task, label in labels.items():
        if not isinstance(label, Tensor):
            raise InputError(f"{where}: the label of {task} must be a tensor; found {type(label).__name__}")


def build_network(experiment: Experiment, tree: BranchTree, seed: int) -> BranchedNetwork:
    """A fresh network of a tree; the same seed gives the same weights."""
    backbone = build_backbone(experiment)
    with torch.random.fork_rng(devices=()), blaming(f"backbone {experiment.backbone.name}"):
        torch.manual_seed(derive_seed(seed, "network"))
        return BranchedNetwork(backbone, experiment.tasks, tree)


def measure(experiment: Experiment) -> Profile:
    """Costs of the experiment's backbone and heads at its input shape; no data is needed.

    With a latency table, it is among them.

    Raises:
        InputError: the backbone is refused (`nas.backbone.check_backbone`), or does not run.
    """
    # A frozen prefix costs what it costs: its parameters count, though none of them is trained.
    backbone = _make_backbone(experiment)
    part = f"backbone {experiment.backbone.name} does not run on an input of shape {list(experiment.input_shape)}"
    try:
        with blaming(part):
            check_backbone(backbone, experiment.tasks)
            measured = measure_costs(backbone, experiment.tasks, experiment.input_shape)
    except (MemoryError, RuntimeError) as error:
        # A single sample that does not fit into memory is too large, however small the machine.
        raise InputError(f"{part}: {in_one_line(error)}") from error
    if experiment.latency is None:
        return measured
    latency = LatencyTable.read(experiment.latency)
    latency.check_fits(
        len(measured.blocks), experiment.task_names, experiment.input_shape, f"latency {experiment.latency}"
    )
    return replace(measured, latency=latency)


@dataclass(frozen=True)
class TrialParts:
    """Backbone, data and costs of one trial."""

    backbone: Backbone
    data: DataSource
    table: CostTable

    @classmethod
    def build(cls, experiment: Experiment) -> "TrialParts":
        """All parts; InputError if one of them or a metric does not work, or budgets and constraints allow no tree."""
        # Costs first: they are quick, and a budget that no tree can keep is told before data is read.
        table = measure(experiment).table
        metric_directions(experiment.tasks)
        check_budgets(experiment, table, experiment.search.budgets)
        if experiment.search.measure != "none":
            require_methods(experiment.retrain.balance, experiment.retrain.aggregate)
        return cls(build_backbone(experiment), build_data(experiment), table)


def check_budgets(experiment: Experiment, table: CostTable, budgets: Sequence[float]) -> None:
    """InputError unless every budget allows a tree that keeps the constraints, and without budgets there is one."""
    search = experiment.search
    cheapest = cheapest_tree(experiment.task_names, table, search.resource, search.constraints)
    for budget in budgets:
        resolve_budget(budget, table, search.resource, cheapest=cheapest)
