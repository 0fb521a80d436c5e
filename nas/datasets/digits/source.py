"""Pairs of handwritten digits on one canvas: real images, six kinds of labels, no download.

Scikit-learn ships 1,797 scans of handwritten digits, 8 x 8 pixels each (the test set of UCI's "Optical Recognition of
Handwritten Digits"; Alpaydin and Kaynak, 1998). A sample shows two of them on a canvas of 12 x 20 pixels. Their
positions and contrasts are random, they may overlap, and noise is added. The labels differ in kind (classes, a number,
an image) and in what they need (the sum needs both digits, the comparison nearly so, the amount of ink neither):

======== =================== ==========================================================================
left     class, 10           the digit on the left
right    class, 10           the digit on the right
sum      class, 19           their sum
larger   class, 3            which is the larger: 0 left, 1 neither, 2 right
ink      number, [1]         log of the ink printed on the left over that on the right, standardised
restore  image, [1, 12, 20]  both digits in full contrast, in [0, 1], without noise
======== =================== ==========================================================================
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from nas.data.batch import SPLITS, SplitName, find_split
from nas.data.pixels import PixelScale
from nas.data.seeds import derive_seed, seeded_generator
from nas.data.splits import split_indices
from nas.data.tensors import MaskedTensors
from nas.errors import InputError

DIGIT_TASKS = ("left", "right", "sum", "larger", "ink", "restore")

HEIGHT, WIDTH = 12, 20
SCAN = 8
# Ranges of a scan's upper left corner, ends included, so that scans overlap by up to four columns.
ROWS = (0, HEIGHT - SCAN)
LEFT_COLUMNS, RIGHT_COLUMNS = (1, 4), (8, 11)
CONTRASTS = (0.4, 1.0)
NOISE = 0.1
# Shares of the scans that each split draws its pairs from.
SCAN_SHARES = {"train": 0.55, "architecture": 0.15, "validation": 0.15, "test": 0.15}


class DigitPairs:
    """The data source of digit pairs, made in memory; the same arguments give the same data, bit by bit.

    The splits have no scan in common. Inputs are [1, 12, 20]; they and ``ink`` are standardised by the mean and the
    standard deviation over the training split.

    Args:
        num_train, num_architecture, num_validation, num_test: sizes of the splits, at least 2.
        missing: by task, the share of samples, in every split, whose label is dropped at random.
        seed: of the scans' splits, the pairs and the missing labels.

    Raises:
        InputError: a size is below 2, ``missing`` names an unknown task, or a share is not in [0, 1].
    """

    def __init__(
        self,
        *,
        num_train: int = 4096,
        num_architecture: int = 1024,
        num_validation: int = 1024,
        num_test: int = 2048,
        missing: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        sizes = dict(zip(SPLITS, (num_train, num_architecture, num_validation, num_test), strict=True))
        missing = missing or {}
        _check(sizes, missing)
        images, digits = _load_scans()
        pools = split_indices(len(digits), SCAN_SHARES, derive_seed("scans", seed))
        pairs = {
            name: _draw(images, digits, torch.tensor(pools[name]), sizes[name], seeded_generator("pairs", name, seed))
            for name in SPLITS
        }
        input_scale, ink_scale = _scale(pairs["train"].inputs), _scale(pairs["train"].ink)
        self.pixel_scale = PixelScale((input_scale[0].item(),), (input_scale[1].item(),))
        self._scans = {name: pairs[name].scans for name in SPLITS}
        self._splits = {
            name: MaskedTensors(
                _standardise(pairs[name].inputs, input_scale),
                _labels(pairs[name], ink_scale),
                {
                    task: torch.rand(sizes[name], generator=seeded_generator("missing", name, task, seed)) >= share
                    for task, share in missing.items()
                },
            )
            for name in SPLITS
        }

    def split(self, name: SplitName) -> MaskedTensors:
        return find_split(self._splits, name)

    def scans(self, name: SplitName) -> Tensor:
        """Rows of scikit-learn's ``load_digits`` that each sample's left and right digit are, [N, 2]."""
        return self._scans[name]


class _Pairs(NamedTuple):
    scans: Tensor  # [N, 2]
    digits: Tensor  # [N, 2]
    ink: Tensor  # [N, 1]
    inputs: Tensor  # [N, 1, H, W]
    clean: Tensor  # [N, 1, H, W]


def _check(sizes: Mapping[SplitName, int], missing: Mapping[str, float]) -> None:
    for name, size in sizes.items():
        if size < 2:
            raise InputError(f"num_{name} of DigitPairs must be at least 2; found {size}")
    for task, share in missing.items():
        if task not in DIGIT_TASKS:
            raise InputError(f"missing names the task {task!r}; the tasks of DigitPairs are {', '.join(DIGIT_TASKS)}")
        if not 0 <= share <= 1:
            raise InputError(f"missing[{task!r}] is a share of the labels, in [0, 1]; found {share:g}")


def _load_scans() -> tuple[Tensor, Tensor]:
    """Images [1797, 8, 8] in [0, 1] and their digits [1797]."""
    # Imported here because it takes a second, which users of other data should not wait for.
    from sklearn.datasets import load_digits

    scans = load_digits()
    return torch.tensor(scans.images, dtype=torch.float32) / 16, torch.tensor(scans.target, dtype=torch.long)


def _draw(images: Tensor, digits: Tensor, pool: Tensor, size: int, generator: torch.Generator) -> _Pairs:
    """Print ``size`` pairs of scans out of the pool."""
    scans = pool[torch.randint(len(pool), (size, 2), generator=generator)]
    low, high = CONTRASTS
    contrasts = low + (high - low) * torch.rand(size, 2, generator=generator)
    rows = torch.randint(ROWS[0], ROWS[1] + 1, (size, 2), generator=generator)
    left = torch.randint(LEFT_COLUMNS[0], LEFT_COLUMNS[1] + 1, (size,), generator=generator)
    right = torch.randint(RIGHT_COLUMNS[0], RIGHT_COLUMNS[1] + 1, (size,), generator=generator)

    left_clean = _place(images[scans[:, 0]], rows[:, 0], left)
    right_clean = _place(images[scans[:, 1]], rows[:, 1], right)
    printed = contrasts[:, 0, None, None] * left_clean + contrasts[:, 1, None, None] * right_clean
    noise = NOISE * torch.randn(printed.shape, generator=generator)

    ink = images.sum((1, 2))[scans] * contrasts
    return _Pairs(
        scans,
        digits[scans],
        (ink[:, 0] / ink[:, 1]).log()[:, None],
        (printed + noise)[:, None],
        torch.maximum(left_clean, right_clean)[:, None],
    )


def _place(scans: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Canvases [N, H, W] with the scans [N, 8, 8] at these upper left corners [N]."""
    samples = torch.arange(len(scans))[:, None, None]
    offsets = torch.arange(SCAN)
    canvas = scans.new_zeros(len(scans), HEIGHT, WIDTH)
    canvas[samples, rows[:, None, None] + offsets[:, None], columns[:, None, None] + offsets] = scans
    return canvas


def _labels(pairs: _Pairs, ink_scale: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    left, right = pairs.digits.unbind(1)
    return {
        "left": left,
        "right": right,
        "sum": left + right,
        "larger": 1 + (right - left).sign(),
        "ink": _standardise(pairs.ink, ink_scale),
        "restore": pairs.clean,
    }


def _scale(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.mean(), values.std()


def _standardise(values: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
    mean, deviation = scale
    return (values - mean) / deviation
