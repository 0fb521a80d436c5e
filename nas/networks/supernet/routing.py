"""Routings: the weights over candidates per block and task, `routing_LTC`, that a supernet is called with.

All functions are pure; noise comes from a generator that is passed in.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional


def sample_routing(logits_LTC: Tensor, temperature: float, *, hard: bool, generator: torch.Generator) -> Tensor:
    """One Gumbel-softmax sample per block and task (Jang et al., 2017; Maddison et al., 2017).

        routing = softmax((logits + g) / temperature),  g ~ Gumbel(0, 1)

    Args:
        logits_LTC: architecture parameters, [L, T, C].
        temperature: positive; towards 0 samples become one-hot, and the arg-max of a sample is distributed as
            softmax(logits) at any temperature.
        hard: one-hot forward with the soft sample's gradient (straight-through).
        generator: source of the noise, on the CPU whatever the logits' device, so that a seed gives the same
            routing everywhere.

    Returns:
        routing [L, T, C]; its last dimension sums to one.
    """
    exponential = torch.empty(logits_LTC.shape, dtype=logits_LTC.dtype).exponential_(generator=generator)
    # An exponential sample can be exactly 0, whose logarithm would make the softmax NaN.
    gumbel = -exponential.clamp_min(torch.finfo(exponential.dtype).tiny).log()
    noisy_LTC = logits_LTC + gumbel.to(logits_LTC.device)
    soft = functional.softmax(noisy_LTC / temperature, dim=-1)
    if not hard:
        return soft
    # Not the soft sample's arg-max: at a high temperature rounding makes its entries equal, and the first would win.
    one_hot = functional.one_hot(noisy_LTC.argmax(dim=-1), noisy_LTC.shape[-1]).to(soft.dtype)
    # The bracket is exactly zero in value, so the forward routing is exactly one-hot.
    return one_hot + (soft - soft.detach())


def one_hot_routing(choices_LT: Iterable[Iterable[int]], num_candidates: int) -> Tensor:
    """The routing of a discrete choice per block and task, [L, T, C]."""
    choices = torch.tensor([[int(choice) for choice in row] for row in choices_LT])
    return functional.one_hot(choices, num_candidates).to(torch.get_default_dtype())


def own_copy_routing(num_blocks: int, num_tasks: int, num_candidates: int) -> Tensor:
    """The routing of the warm-up: task t uses its own copy, candidate t mod C, at every block.

    With C < T tasks that are equal modulo C share a copy.
    """
    row = [task % num_candidates for task in range(num_tasks)]
    return one_hot_routing([row] * num_blocks, num_candidates)
