"""Splits of a data set that has only a training set and a test set."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import torch
from torch.utils.data import Subset

from nas.data.batch import Dataset, SplitName, find_split
from nas.data.pixels import PixelScale
from nas.data.seeds import seeded_generator
from nas.errors import InputError


def split_indices(num_samples: int, shares: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Cut ``range(num_samples)`` at random into disjoint parts.

    Args:
        num_samples: number of samples to divide.
        shares: by the part's name, its share, >= 0; they sum to 1. Sizes differ from ``share * num_samples`` by at most
            1, and a part of share 0 is empty.
        seed: the same seed and shares give the same parts.

    Returns:
        the indices of each part, ascending, by its name.

    Raises:
        InputError: a share is negative, or they do not sum to 1.
    """
    total = sum(shares.values())
    if not shares or min(shares.values()) < 0 or abs(total - 1) > 1e-6:
        raise InputError(
            f"the shares of a split must be >= 0 and sum to 1; found {dict(shares)}, which sum to {total:g}"
        )
    order = torch.randperm(num_samples, generator=seeded_generator("split", seed)).tolist()
    ends = [round(share * num_samples / total) for share in accumulate(shares.values())]
    return {name: sorted(order[start:end]) for name, start, end in zip(shares, [0, *ends], ends, strict=False)}


class SplitSource:
    """A data source made of a training set, which is cut at random into three splits, and a test set.

    Args:
        train: becomes "train", "architecture" and "validation".
        test: becomes "test".
        architecture: share of ``train`` that the logits are trained on, above 0.
        validation: share of ``train`` that epochs are chosen on, above 0.
        seed: seed of the random cut.
        pixel_scale: how the inputs were made of pixels, if they are pictures.

    Raises:
        InputError: a share is not above 0, they leave nothing to train on, or a split would get no sample.
    """

    def __init__(
        self,
        train: Dataset,
        test: Dataset,
        *,
        architecture: float = 0.2,
        validation: float = 0.1,
        seed: int = 0,
        pixel_scale: PixelScale | None = None,
    ) -> None:
        if not (architecture > 0 and validation > 0 and architecture + validation < 1):
            raise InputError(
                f"SplitSource: architecture and validation must be shares above 0 with a sum below 1; "
                f"found {architecture:g} and {validation:g}"
            )
        shares = {"train": 1 - architecture - validation, "architecture": architecture, "validation": validation}
        parts = split_indices(len(train), shares, seed)
        if empty := next((name for name, indices in parts.items() if not indices), None):
            raise InputError(
                f"SplitSource: none of {len(train)} training samples is left for the split {empty!r} "
                f"(share {shares[empty]:g}); add samples, or raise the share"
            )
        self.pixel_scale = pixel_scale
        # torch's annotation names its own Dataset, but our protocol is enough; Subset passes ``__getitems__`` on.
        untyped: Any = train
        self._splits: dict[str, Dataset] = {name: Subset(untyped, indices) for name, indices in parts.items()}
        self._splits["test"] = test

    def split(self, name: SplitName) -> Dataset:
        return find_split(self._splits, name)
