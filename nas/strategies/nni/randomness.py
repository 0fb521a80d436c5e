"""The global random numbers of NNI's code, apart from those of the process."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Randomness:
    """States of the global generators of random, numpy and torch (on the CPU), from a seed.

    `exchanged` exchanges them with those of the process. Within itself it gives the process its own ones back. So
    NNI's numbers do not depend on whether a tree was trained or read, and the training's numbers do not depend on NNI.
    """

    def __init__(self, seed: int) -> None:
        before = _states()
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002, NNI draws from it
        torch.manual_seed(seed)
        self._others = _states()
        _set(before)

    @contextmanager
    def exchanged(self) -> Iterator[None]:
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        own = _states()
        _set(self._others)
        self._others = own


def _states() -> tuple[Any, Any, torch.Tensor]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002


def _set(states: tuple[Any, Any, torch.Tensor]) -> None:
    own, numpys, torchs = states
    random.setstate(own)
    np.random.set_state(numpys)  # noqa: NPY002
    torch.set_rng_state(torchs)
