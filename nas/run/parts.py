"""The parts that every search of an experiment needs: backbone, data and costs."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nas.cost import RESOURCES, LatencyTable, Profile, measure_costs, resolve_budget
from nas.cost.resources import MACS
from nas.data import SPLITS, DataSource, NamedSource, derive_seed, find_pixel_scale
from nas.discretize import cheapest_tree
from nas.engine import SINGLE_PROCESS, Ranks
from nas.errors import InputError, as_input_errors, in_one_line
from nas.networks.backbone import Backbone, FrozenPrefix, check_backbone
from nas.networks.branched import BranchedNetwork
from nas.recipe.experiment import Experiment
from nas.run.costs import lacking_macs
from nas.strategies import History, Problem, Store
from nas.strategies.evaluator import Evaluator
from nas.training import metric_directions, require_methods
from nas.tree import BranchTree, CostTable

_LOGGER = logging.getLogger(__name__)
_MEMBERS = ("num_blocks", "taps", "make_stem", "make_block", "make_head")


def build_backbone(experiment: Experiment) -> Backbone:
    """The experiment's backbone, with its prefix frozen if `goal.constraints` say so.

    Raises:
        InputError: it cannot be built, or lacks a member of the protocol.
    """
    backbone, constraints = _make_backbone(experiment), experiment.goal.constraints
    return FrozenPrefix(backbone, constraints.shared_prefix) if constraints.frozen_prefix else backbone


def _make_backbone(experiment: Experiment) -> Backbone:
    name = f"backbone {experiment.backbone.name}"
    with as_input_errors(name):
        backbone = experiment.backbone()
        if missing := [member for member in _MEMBERS if not hasattr(backbone, member)]:
            raise InputError(f"{name} lacks {', '.join(missing)}; see nas.networks.backbone.Backbone")
        taps = tuple(backbone.taps)
        if not taps or sorted(set(taps)) != list(taps) or not 0 <= taps[0] <= taps[-1] < backbone.num_blocks:
            raise InputError(
                f"{name}: taps must be ascending block indices below {backbone.num_blocks}; found {list(taps)}"
            )
    checked: Backbone = backbone
    return checked


def build_data(experiment: Experiment) -> DataSource:
    """The experiment's data; InputError if a split is empty, or its first sample is not what networks take."""
    name = f"data {experiment.data.name}"
    with as_input_errors(name):
        source = experiment.data()
        if not hasattr(source, "split"):
            raise InputError(f"{name} has no method split(name); see nas.data.DataSource")
        data = NamedSource(source)
        for split in SPLITS:
            dataset = data.split(split)
            if len(dataset) == 0:
                raise InputError(f"{name}: its split {split!r} is empty; every split needs samples")
            _check_sample(dataset[0], experiment.input_shape, f"{name}: split {split!r}")
        pixels, channels = find_pixel_scale(source), experiment.input_shape[0]
        if pixels is not None and len(pixels.mean) != channels:
            raise InputError(
                f"{name}: its pixel_scale is of {len(pixels.mean)} channels, its inputs have {channels}; "
                "give it one mean and deviation for each channel, or no pixel_scale if the inputs are not pictures"
            )
    return data


def _check_sample(sample: Any, input_shape: tuple[int, ...], where: str) -> None:
    """InputError unless channels and number of dimensions fit ``input_shape``; height and width may differ."""
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
    """A fresh network of a tree; the same seed gives the same weights.

    A part's weights depend on its block and group alone, so two trees that share a part start equal there.
    """

    def seed_part(name: str) -> None:
        torch.manual_seed(derive_seed(seed, "network", name))

    backbone = build_backbone(experiment)
    with torch.random.fork_rng(devices=()), as_input_errors(f"backbone {experiment.backbone.name}"):
        return BranchedNetwork(backbone, experiment.tasks, tree, seed_part)


def measure_parts(experiment: Experiment) -> Profile:
    """Costs of the experiment's backbone and heads at its input shape; no data is needed.

    If the experiment has a latency table, the costs include it.

    Raises:
        InputError: the backbone is refused (`nas.networks.backbone.check_backbone`), or does not run.
    """
    # Measured without freezing, since the parameters of a frozen prefix count, too.
    backbone = _make_backbone(experiment)
    part = f"backbone {experiment.backbone.name} does not run on an input of shape {list(experiment.input_shape)}"
    try:
        with as_input_errors(part):
            check_backbone(backbone, experiment.tasks)
            measured = measure_costs(backbone, experiment.tasks, experiment.input_shape, experiment.goal.resource)
    except (MemoryError, RuntimeError) as error:
        # Running out of memory on a single sample is an error of the input, not of the machine.
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
    """Backbone, data and costs of one trial; ``uncounted`` lists operators that the costs in MACs leave out."""

    backbone: Backbone
    data: DataSource
    table: CostTable
    uncounted: tuple[str, ...] = ()

    @classmethod
    def build(cls, experiment: Experiment) -> "TrialParts":
        """All parts; InputError if one of them or a metric does not work, or budgets and constraints allow no tree."""
        # Costs first: they are quick, and so an impossible budget is reported before any data is read.
        measured = measure_parts(experiment)
        table = measured.table
        metric_directions(experiment.tasks)
        check_counted(experiment, measured.uncounted, experiment.goal.budgets)
        check_budgets(experiment, table, experiment.goal.budgets)
        if experiment.goal.measure != "none":
            require_methods(experiment.retrain.balance, experiment.retrain.aggregate)
        return cls(build_backbone(experiment), build_data(experiment), table, tuple(measured.uncounted))

    def problem(
        self,
        experiment: Experiment,
        device: torch.device,
        store: Store,
        on_epoch: Callable[[History], None] = lambda _: None,
        ranks: Ranks = SINGLE_PROCESS,
        evaluator: Evaluator | None = None,
    ) -> Problem:
        """The problem for the experiment's strategy."""
        return Problem(
            tasks=experiment.tasks,
            backbone=self.backbone,
            data=self.data,
            table=self.table,
            goal=experiment.goal,
            seed=experiment.seed,
            device=device,
            store=store,
            num_workers=experiment.num_workers,
            on_epoch=on_epoch,
            ranks=ranks,
            evaluator=evaluator,
        )


def check_budgets(experiment: Experiment, table: CostTable, budgets: Sequence[float]) -> None:
    """InputError unless some tree keeps the constraints, and one of these is within every budget."""
    goal = experiment.goal
    cheapest = cheapest_tree(experiment.task_names, table, goal.resource, goal.constraints)
    for budget in budgets:
        resolve_budget(budget, table, goal.resource, cheapest=cheapest)


def check_counted(experiment: Experiment, uncounted: Sequence[str], budgets: Sequence[float]) -> None:
    """Warn that costs in MACs are incomplete, if they are.

    Args:
        uncounted: the operators that are not counted, each with its module (`Profile.uncounted`).
        budgets: the budgets of the trees.

    Raises:
        InputError: there are budgets in MACs, and the experiment does not allow incomplete ones.
    """
    if not uncounted:
        return
    lacking = lacking_macs(uncounted)
    if budgets and experiment.goal.resource == MACS.name and not experiment.allow_uncounted_macs:
        others = ", ".join(name for name in RESOURCES if name != MACS.name)
        raise InputError(
            f"{lacking}; state the budgets in another resource (goal.resource {others}), or accept budgets for "
            "what is counted with allow_uncounted_macs=true"
        )
    _LOGGER.warning(lacking)
