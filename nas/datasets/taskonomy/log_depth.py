"""Zooming into depths that are logarithms: steps of an augmentation, before and after `RandomScale`.

A zoom divides the depth by its factor, and so must be applied to the depth itself:

    steps = (to_linear_depth, RandomScale((1.0, 1.2, 1.5)), to_log_depth, ...)
    kinds = {**KINDS, "depth": "depth"}
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nas.data.batch import Sample
from nas.datasets.taskonomy.decode import FULL_SCALE

_LOG_FULL_SCALE = math.log(FULL_SCALE)


def to_linear_depth(sample: Sample, kinds: object = None, rng: object = None) -> Sample:
    """The sample with the label "depth" y = log(1 + d) / log(2^16) replaced by d; 0 stays 0."""
    return _changed(sample, lambda logs: torch.expm1(logs * _LOG_FULL_SCALE))


def to_log_depth(sample: Sample, kinds: object = None, rng: object = None) -> Sample:
    """The sample with the label "depth" d replaced by log(1 + d) / log(2^16); 0 stays 0."""
    return _changed(sample, lambda depths: torch.log1p(depths) / _LOG_FULL_SCALE)


def _changed(sample: Sample, change: Callable[[Tensor], Tensor]) -> Sample:
    image, labels = sample
    if "depth" not in labels:
        return sample
    return image, {**labels, "depth": change(labels["depth"])}
