"""DSelect-k: binary codes of the options, and smooth steps that become exactly 0 or 1."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from nas.networks.supernet.samplers.sampler import Sampler


class DSelectK(Sampler):
    """DSelect-k (Hazimeh et al., NeurIPS 2021), in its form without inputs: k selectors, each for one option.

        smooth_step(x) = 0 below -width/2, 1 above width/2, and -2 (x/width)^3 + 3/2 (x/width) + 1/2 between
        selector(option) = product over the bits of the option's number: smooth_step(x_bit), or 1 - it for a bit of 0
        probability = sum_i softmax(mixture)_i selector_i

    A choice among C options takes ceil(log2 C) parameters for each selector, and k further ones if k > 1. A bit beyond
    half a width is exactly 0 or 1, its gradient is zero, and it changes no more. With k = 1, exact bits choose one
    option: a tree.

    Differs from the paper where C is not a power of two. Its codes then have more values than there are options, and a
    penalty keeps the selectors away from the others. Here a bit counts only where both of its values lead to an option,
    so that probabilities sum to one without a penalty.

    Args:
        kind: "dselect_k".
        k: selectors of a choice.
        width: of the smooth step; bits start at random within a hundredth of it, as in the paper's code.
        entropy: weight of the selectors' entropy in the loss of the logits, in nats, the sum over choices and the mean
            over selectors. It makes choices one-hot. It grows linearly from 0 to this weight during the search: one
            that acts from the start decides the choices before the losses do.
    """

    kind: Literal["dselect_k"] = "dselect_k"
    k: PositiveInt = 1
    width: PositiveFloat = 1.0
    entropy: NonNegativeFloat = 0.3

    has_temperature: ClassVar[bool] = False

    def num_parameters(self, num_options: int) -> int:
        """ceil(log2 C) for each selector, and k weights of the mixture if k > 1."""
        return self.k * _num_bits(num_options) + (self.k if self.k > 1 else 0)

    def start(self, shape: tuple[int, ...], num_options: int, generator: torch.Generator) -> Tensor:
        """Bits uniform within a hundredth of the width, and equal weights of the selectors, ``[*shape, P]``."""
        logits_P = torch.zeros(*shape, self.num_parameters(num_options))
        bits = logits_P[..., : self.k * _num_bits(num_options)]
        bits.uniform_(-self.width / 100, self.width / 100, generator=generator)
        return logits_P

    def probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """The mixture of the selectors, [..., C], whatever the temperature."""
        selectors_KC = self._selectors(logits_P, num_options)
        if self.k == 1:
            return selectors_KC.squeeze(-2)
        mixture_K = torch.softmax(logits_P[..., self.k * _num_bits(num_options) :], dim=-1)
        return (mixture_K.unsqueeze(-1) * selectors_KC).sum(dim=-2)

    def regulariser(self, logits_P: Tensor, num_options: int, progress: float) -> Tensor:
        """The entropy of the selectors, times ``entropy`` and the progress, a scalar."""
        # At p = 0 the gradient of p log p is infinite, and that of p is zero.
        selectors_KC = self._selectors(logits_P, num_options).clamp_min(1e-12)
        return -self.entropy * progress * (selectors_KC * selectors_KC.log()).sum() / self.k

    def _selectors(self, logits_P: Tensor, num_options: int) -> Tensor:
        """The probability that each selector takes each option, [..., k, C]."""
        num_bits = _num_bits(num_options)
        x = (logits_P[..., : self.k * num_bits] / self.width).clamp(-0.5, 0.5)
        one_KB = (-2.0 * x**3 + 1.5 * x + 0.5).reshape(*x.shape[:-1], self.k, num_bits) if num_bits else None
        options = []
        for option in range(num_options):
            # A choice among one option has no parameters; its gradient is empty, but it has one.
            probability_K = logits_P.new_ones(*logits_P.shape[:-1], self.k) + 0.0 * logits_P.sum()
            for bit, value in _code(option, num_options):
                assert one_KB is not None
                one_K = one_KB[..., bit]
                probability_K = probability_K * (one_K if value else 1.0 - one_K)
            options.append(probability_K)
        return torch.stack(options, dim=-1)


def _num_bits(num_options: int) -> int:
    return (num_options - 1).bit_length()


def _code(option: int, num_options: int) -> Iterator[tuple[int, bool]]:
    """The bits of an option's number with their values, from the highest; without those that have one value only."""
    num_bits = _num_bits(num_options)
    for bit in range(num_bits):
        weight = 1 << (num_bits - 1 - bit)
        value = bool(option & weight)
        # The smallest number with the same higher bits and a 1 here.
        if value or (option & ~(weight - 1) | weight) < num_options:
            yield bit, value
