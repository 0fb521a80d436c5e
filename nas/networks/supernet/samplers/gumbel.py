"""Gumbel-softmax: noisy logits."""

from typing import Literal

import torch
from torch import Tensor

from nas.networks.supernet.routing import sample_routing
from nas.networks.supernet.samplers.sampler import Sampler


class Gumbel(Sampler):
    """Gumbel-softmax (Jang et al., 2017; Maddison et al., 2017): ``softmax((logits + noise) / temperature)``.

    The probability of an option is ``softmax(logits)`` at any temperature: a sample's largest weight is distributed so.

    Args:
        kind: "gumbel".
    """

    kind: Literal["gumbel"] = "gumbel"

    def probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """softmax(logits), [..., C]."""
        return torch.softmax(logits_P, dim=-1)

    def log_probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """The logits themselves."""
        return logits_P

    def sample(
        self, logits_P: Tensor, num_options: int, temperature: float, *, hard: bool, generator: torch.Generator
    ) -> Tensor:
        """`nas.networks.supernet.sample_routing`."""
        return sample_routing(logits_P, temperature, hard=hard, generator=generator)
