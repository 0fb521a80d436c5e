"""What every search of an experiment needs: its parts, built and measured."""

from dataclasses import dataclass

import torch

from nas.backbone import Backbone
from nas.cost import Profile, measure_costs, resolve_budget
from nas.data import SPLITS, DataSource, derive_seed
from nas.errors import InputError
from nas.experiment.experiment import Experiment
from nas.network import BranchedNetwork
from nas.tree import BranchTree, CostTable

_MEMBERS = ("num_blocks", "taps", "make_stem", "make_block", "make_head")


def build_backbone(experiment: Experiment) -> Backbone:
    """The experiment's backbone; InputError if it lacks a member of the protocol."""
    backbone = experiment.backbone()
    if missing := [name for name in _MEMBERS if not hasattr(backbone, name)]:
        raise InputError(f"backbone {experiment.backbone.name} lacks {', '.join(missing)}; see nas.backbone.Backbone")
    taps = tuple(backbone.taps)
    if not taps or sorted(set(taps)) != list(taps) or not 0 <= taps[0] <= taps[-1] < backbone.num_blocks:
        raise InputError(
            f"backbone {experiment.backbone.name}: taps must be ascending block indices below {backbone.num_blocks}; "
            f"found {list(taps)}"
        )
    checked: Backbone = backbone
    return checked


def build_data(experiment: Experiment) -> DataSource:
    """The experiment's data; InputError if a split is missing or empty."""
    data: DataSource = experiment.data()
    if not hasattr(data, "split"):
        raise InputError(f"data {experiment.data.name} has no method split(name); see nas.data.DataSource")
    for name in SPLITS:
        if len(data.split(name)) == 0:
            raise InputError(f"data {experiment.data.name}: its split {name!r} is empty")
    return data


def build_network(experiment: Experiment, tree: BranchTree, seed: int) -> BranchedNetwork:
    """A fresh network of a tree; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive_seed(seed, "network"))
        return BranchedNetwork(build_backbone(experiment), experiment.tasks, tree)


def measure(experiment: Experiment) -> Profile:
    """Costs of the experiment's backbone and heads at its input shape; no data is needed."""
    try:
        return measure_costs(build_backbone(experiment), experiment.tasks, experiment.input_shape)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"backbone {experiment.backbone.name} does not run on an input of shape "
            f"{list(experiment.input_shape)}: {reason}"
        ) from error


@dataclass(frozen=True)
class TrialParts:
    """Backbone, data and costs of one trial."""

    backbone: Backbone
    data: DataSource
    table: CostTable

    @classmethod
    def build(cls, experiment: Experiment) -> "TrialParts":
        # Costs first: they are quick, and a budget that no tree can keep is told before data is read.
        table = measure(experiment).table
        return cls(build_backbone(experiment), build_data(experiment), table)


def check_feasible(experiment: Experiment) -> None:
    """InputError unless the backbone runs on the input shape and every budget allows some tree; no data is touched."""
    table = measure(experiment).table
    for budget in experiment.search.budgets:
        resolve_budget(budget, table, experiment.search.resource)
