"""Loss balancing and gradient aggregation by name; the only module that imports torchjd."""

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
    """A way to combine the gradients of several tasks.

    Args:
        make: makes the aggregator for a number of tasks, given the module torchjd.aggregation.
        averages: whether the result for equal gradients is about their mean. It is then multiplied by the number of
            tasks, since the gradient of the summed losses is a sum. So all methods can use the same learning rate.
        state: attributes of the weighting, beside its buffers, that carry over from one call to the next.
    """

    make: Callable[[Any, int], Any]
    averages: bool = False
    state: tuple[str, ...] = ()


AGGREGATIONS: dict[str, Aggregation] = {
    # A control: the gradient of plain training, computed with one backward pass per task.
    "sum": Aggregation(lambda torchjd, _: torchjd.Sum()),
    "pcgrad": Aggregation(lambda torchjd, _: torchjd.PCGrad()),
    "gradvac": Aggregation(lambda torchjd, _: torchjd.GradVac()),
    "graddrop": Aggregation(lambda torchjd, _: torchjd.GradDrop()),
    # c as in the paper's NYUv2 experiments.
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
"""The values of ``retrain.aggregate`` beside "none". The documentation of torchjd names the paper of each."""

BALANCES: dict[str, Callable[[Any], Any]] = {
    "uncertainty": lambda torchjd: torchjd.UW(()),
    "imtl_l": lambda torchjd: torchjd.IMTLL(()),
    "dwa": lambda torchjd: torchjd.DWA(),
    "random": lambda torchjd: torchjd.Random(),
}
"""The values of ``retrain.balance`` beside "none". The first two learn one number per task."""


def make_aggregator(name: str, num_tasks: int) -> "Aggregator":
    """The aggregator with this name for a number of tasks.

    Raises:
        InputError: torchjd, or a package that this aggregator needs, is not installed.
    """
    made: Aggregator = _make(
        "aggregate", name, "aggregation", lambda torchjd: AGGREGATIONS[name].make(torchjd, num_tasks)
    )
    return made


def make_scalarizer(name: str) -> "Scalarizer":
    """The scalarizer with this name; errors as in `make_aggregator`."""
    made: Scalarizer = _make("balance", name, "scalarization", BALANCES[name])
    return made


def require_methods(balance: str, aggregate: str) -> None:
    """InputError unless the packages that both methods need are installed; "none" needs nothing."""
    if balance != "none":
        make_scalarizer(balance)
    if aggregate != "none":
        make_aggregator(aggregate, 2)


def aggregator_state(name: str, aggregator: "Aggregator") -> dict[str, Any]:
    """The state of an aggregator after a call, as tensors and plain values."""
    state: dict[str, Any] = dict(aggregator.state_dict())
    for attribute in AGGREGATIONS[name].state:
        value = getattr(aggregator.weighting, attribute)
        state[attribute] = torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
    return state


def restored_aggregator(name: str, num_tasks: int, state: dict[str, Any], device: torch.device) -> "Aggregator":
    """An aggregator with a state from `aggregator_state`; a malformed state raises any exception."""
    aggregator = make_aggregator(name, num_tasks)
    attributes = AGGREGATIONS[name].state
    if not state:
        return aggregator
    # The first call creates buffers and solvers, with the dtype of its argument.
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
