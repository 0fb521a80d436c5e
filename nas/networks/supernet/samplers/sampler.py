"""What all samplers have in common."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from nas.fields import Settings


class Sampler(Settings):
    """Turns the parameters of choices into probabilities and routings; a subclass defines `probabilities`."""

    has_temperature: ClassVar[bool] = True
    """Whether the probabilities or the routings depend on a temperature."""

    def num_parameters(self, num_options: int) -> int:
        """P, the parameters of one choice among C options; by default C."""
        return num_options

    def start(self, shape: tuple[int, ...], num_options: int, generator: torch.Generator) -> Tensor:
        """Parameters of undecided choices, ``[*shape, P]``; by default zeros."""
        return torch.zeros(*shape, self.num_parameters(num_options))

    def probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """The probability of each option, [..., C]; differentiable, rows sum to one."""
        raise NotImplementedError

    def log_probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """Finite logits whose softmax is the probabilities, [..., C]: their logarithms, of at least 1e-12 each."""
        return self.probabilities(logits_P, num_options, temperature).clamp_min(1e-12).log()

    def sample(
        self, logits_P: Tensor, num_options: int, temperature: float, *, hard: bool, generator: torch.Generator
    ) -> Tensor:
        """A routing, [..., C]: the probabilities, or with ``hard`` one option drawn from them.

        A drawn routing is one-hot forward and has the gradient of the probabilities (straight-through).

        Args:
            generator: source of random numbers, on the CPU whatever the parameters' device, so that a seed gives the
                same routing everywhere.
        """
        probs_C = self.probabilities(logits_P, num_options, temperature)
        if not hard:
            return probs_C
        rows = probs_C.detach().cpu().reshape(-1, num_options)
        drawn = torch.multinomial(rows, 1, generator=generator).reshape(probs_C.shape[:-1])
        one_hot_C = functional.one_hot(drawn, num_options).to(probs_C)
        # The value of the bracket is exactly zero, so the forward routing is exactly one-hot.
        return one_hot_C + (probs_C - probs_C.detach())

    def regulariser(self, logits_P: Tensor, num_options: int, progress: float) -> Tensor:
        """A term for the loss of the logits at a progress of the search in [0, 1], a scalar; by default zero."""
        return logits_P.new_zeros(())
