"""A search's first steps, tried before the search."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class TriedSteps:
    """What one step of each kind gave.

    Args:
        losses: by task.
        seconds: that the whole search takes at this pace.
        state_bytes: of one checkpoint, about: the weights and two moments of each.
    """

    losses: dict[str, float]
    seconds: float
    state_bytes: int


def state_bytes(network: nn.Module) -> int:
    """Bytes of the weights and of two moments of each, as Adam keeps."""
    sizes: list[int] = [tensor.numel() * tensor.element_size() for tensor in network.state_dict().values()]
    return 3 * sum(sizes)
