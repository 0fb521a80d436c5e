"""Samplers: how architecture parameters (logits) become the weights of the candidates at a branching point.

A choice among C options has P parameters, the last dimension of ``logits_P``; any dimensions may stand before it. Every
sampler says how probable each option is (`Sampler.probabilities`) and gives routings (`Sampler.sample`):

- `Gumbel`: softmax of the logits, with Gumbel noise (the published sampler of BMTAS and LTB);
- `DSelectK`: smooth steps on the bits of an option's number, which become exactly 0 or 1;
- `Entmax`: a sparse softmax without noise.

Routings that are one-hot at the same options give the same network whichever sampler made them.

>>> import torch
>>> from nas.networks.supernet.samplers import DSelectK, Entmax, Gumbel
>>> logits = torch.tensor([3.0, 0.0, 0.0])
>>> Gumbel().probabilities(logits, 3, temperature=1.0)
tensor([0.9094, 0.0453, 0.0453])
>>> Entmax().probabilities(logits, 3, temperature=1.0)
tensor([1., 0., 0.])
>>> DSelectK().probabilities(torch.tensor([0.5, -0.5]), 3)
tensor([0., 0., 1.])
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from nas.networks.supernet.samplers.dselect_k import DSelectK
from nas.networks.supernet.samplers.entmax import Entmax
from nas.networks.supernet.samplers.gumbel import Gumbel
from nas.networks.supernet.samplers.sampler import Sampler


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


SamplerField = Annotated[Gumbel | DSelectK | Entmax, Field(discriminator="kind"), BeforeValidator(_named)]
"""The type of a settings field that holds any sampler; ``kind`` says which, and a name alone takes its defaults."""

__all__ = ["DSelectK", "Entmax", "Gumbel", "Sampler", "SamplerField"]
