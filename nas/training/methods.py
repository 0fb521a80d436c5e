"""Loss balancing and gradient aggregation by name; the one module that imports torchjd."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nas.errors import InputError

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator
    from torchjd.scalarization import Scalarizer


@dataclass(frozen=True)
class Aggregation:
    """A way to make one gradient out of several tasks'.

    Args:
        make: the aggregator of so many tasks, from the module torchjd.aggregation.
        averages: where gradients agree, the result is about their mean; it is then multiplied by their number, as the
            plain gradient, that of the losses' sum, is their sum. One learning rate so fits all.
        state: attributes of its weighting that one call leaves for the next, beside its buffers.
    """

    make: Callable[[Any, int], Any]
    averages: bool = False
    state: tuple[str, ...] = ()


AGGREGATIONS: dict[str, Aggregation] = {
    # What plain training does, the long way round: a control.
    "sum": Aggregation(lambda torchjd, _: torchjd.Sum()),
    "pcgrad": Aggregation(lambda torchjd, _: torchjd.PCGrad()),
    "gradvac": Aggregation(lambda torchjd, _: torchjd.GradVac()),
    "graddrop": Aggregation(lambda torchjd, _: torchjd.GradDrop()),
    # The radius of the paper's NYUv2 experiments.
    "cagrad": Aggregation(lambda torchjd, _: torchjd.CAGrad(c=0.4), averages=True),
    "mgda": Aggregation(lambda torchjd, _: torchjd.MGDA(), averages=True),
    "imtl_g": Aggregation(lambda torchjd, _: torchjd.IMTLG(), averages=True),
    "aligned_mtl": Aggregation(lambda torchjd, _: torchjd.AlignedMTL(), averages=True),
    "upgrad": Aggregation(lambda torchjd, _: torchjd.UPGrad(), averages=True),
    "nash_mtl": Aggregation(
        lambda torchjd, num_tasks: torchjd.NashMTL(n_tasks=num_tasks),
        state=("step", "prvs_alpha", "normalization_factor"),
    ),
}
"""What ``retrain.aggregate`` may name, beside "none": each as in its paper, which torchjd's documentation names."""

BALANCES: dict[str, Callable[[Any], Any]] = {
    "uncertainty": lambda torchjd: torchjd.UW(()),
    "imtl_l": lambda torchjd: torchjd.IMTLL(()),
    "dwa": lambda torchjd: torchjd.DWA(),
    "random": lambda torchjd: torchjd.Random(),
}
"""What ``retrain.balance`` may name, beside "none": the first two learn a number a task, and are made for each task."""


def make_aggregator(name: str, num_tasks: int) -> "Aggregator":
    """The aggregator of a name, for the gradients of so many tasks.

    Raises:
        InputError: torchjd, or what it needs for this one, is not installed.
    """
    made: Aggregator = _make(
        "aggregate", name, "aggregation", lambda torchjd: AGGREGATIONS[name].make(torchjd, num_tasks)
    )
    return made


def make_scalarizer(name: str) -> "Scalarizer":
    """The scalarizer of a name; errors as for `make_aggregator`."""
    made: Scalarizer = _make("balance", name, "scalarization", BALANCES[name])
    return made


def require_methods(balance: str, aggregate: str) -> None:
    """Raise an InputError unless what both names need is installed; "none" needs nothing."""
    if balance != "none":
        make_scalarizer(balance)
    if aggregate != "none":
        make_aggregator(aggregate, 2)


def aggregator_state(name: str, aggregator: "Aggregator") -> dict[str, Any]:
    """What an aggregator that has been called keeps from one call to the next, as tensors and plain values."""
    state: dict[str, Any] = dict(aggregator.state_dict())
    for attribute in AGGREGATIONS[name].state:
        value = getattr(aggregator.weighting, attribute)
        state[attribute] = torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
    return state


def restored_aggregator(name: str, num_tasks: int, state: dict[str, Any], device: torch.device) -> "Aggregator":
    """An aggregator that goes on from where `aggregator_state` was taken; what is no such state raises anything."""
    aggregator = make_aggregator(name, num_tasks)
    attributes = AGGREGATIONS[name].state
    if not state:
        return aggregator
    # Buffers and solvers come into being with the first call, of the type that it is of.
    dtype = next((value.dtype for value in state.values() if isinstance(value, Tensor)), torch.float32)
    with torch.random.fork_rng(devices=()):
        aggregator(torch.eye(num_tasks, dtype=dtype, device=device))
    aggregator.load_state_dict({key: value for key, value in state.items() if key not in attributes})
    for attribute in attributes:
        value = state[attribute]
        setattr(aggregator.weighting, attribute, value.numpy() if isinstance(value, Tensor) else value)
    return aggregator


def _make(field: str, name: str, module: str, make: Callable[[Any], Any]) -> Any:
    try:
        return make(importlib.import_module(f"torchjd.{module}"))
    except ModuleNotFoundError as error:
        raise InputError(
            f"retrain.{field}={name} needs {error.name}, which is not installed: pip install 'branched-nas[train]'"
        ) from error
    except ImportError as error:
        # torchjd says which packages a method needs, and how to get them.
        raise InputError(f"retrain.{field}={name}: {' '.join(str(error).split())}") from error
