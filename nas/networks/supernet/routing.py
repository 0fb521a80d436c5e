"""Routings: the weights of the candidates for each block and task, `routing_LTC`, an argument of the supernet.

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
    # The arg-max of the soft sample would be wrong at high temperatures: its entries round to equal numbers.
    one_hot = functional.one_hot(noisy_LTC.argmax(dim=-1), noisy_LTC.shape[-1]).to(soft.dtype)
    # The value of the bracket is exactly zero, so the forward routing is exactly one-hot.
    return one_hot + (soft - soft.detach())


def one_hot_routing(choices_LT: Iterable[Iterable[int]], num_candidates: int) -> Tensor:
    """The routing of a discrete choice per block and task, [L, T, C]."""
    choices = torch.tensor([[int(choice) for choice in row] for row in choices_LT])
    return functional.one_hot(choices, num_candidates).to(torch.get_default_dtype())


def own_copy_routing(num_blocks: int, num_tasks: int, num_candidates: int) -> Tensor:
    """The routing in which task t uses its own copy, candidate t mod C, at every block.

    If C < T, tasks with the same t mod C share a copy.
    """
    row = [task % num_candidates for task in range(num_tasks)]
    return one_hot_routing([row] * num_blocks, num_candidates)
