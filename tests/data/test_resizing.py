"""Pictures of several sizes get one, with every kind of label and in every split; unresized, they are named."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets.fixtures_npy import write_nyuv2
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.data import SPLITS, PixelScale, batches
from nas.data.augmentation import (
    Augmentation,
    AugmentedSource,
    CenterCrop,
    LabelKind,
    Letterbox,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomScale,
    Resize,
    Step,
    resized,
)
from nas.data.batch import Dataset, Sample
from nas.datasets.npy_layout import NYUv2
from nas.errors import InputError

KINDS: dict[str, LabelKind] = {
    "semseg": "classes",
    "edge": "mask",
    "normals": "normals",
    "depth": "depth",
    "disparity": "inverse_depth",
    "texture": "values",
    "joints": "points",
    "scene": "none",
}
SIDES = st.integers(1, 40)


def _sample(height: int = 11, width: int = 17, seed: int = 0) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    depth = torch.rand(1, height, width, generator=generator) + 1
    return torch.rand(3, height, width, generator=generator), {
        "semseg": torch.randint(5, (height, width), generator=generator),
        "edge": (torch.rand(1, height, width, generator=generator) > 0.8).float(),
        "normals": torch.nn.functional.normalize(torch.randn(3, height, width, generator=generator), dim=0),
        "depth": depth,
        "disparity": 1 / depth,
        "texture": torch.randn(2, height, width, generator=generator),
        "joints": torch.rand(4, 2, generator=generator) * torch.tensor([width, height]),
        "scene": torch.tensor(3),
    }


def _apply(sample: Sample, *steps: Step, seed: int = 0, kinds: dict[str, LabelKind] = KINDS) -> Sample:
    return Augmentation(steps, kinds)(sample, random.Random(seed))


def _columns(label: Tensor) -> set[tuple[float, ...]]:
    """The values that a label has, all channels of a pixel together."""
    return {tuple(pixel) for pixel in label.flatten(-2).reshape(-1, label.shape[-2:].numel()).T.tolist()}


@settings(deadline=None)
@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES))
def test_every_label_has_the_values_that_it_had(height: int, width: int, size: tuple[int, int]) -> None:
    image, labels = _sample(height, width)
    found_image, found = _apply((image, labels), Resize(size))
    assert found_image.shape == (3, *size)
    for task in ("semseg", "edge", "normals", "depth", "disparity", "texture"):
        assert found[task].shape == (*labels[task].shape[:-2], *size)
        assert found[task].dtype == labels[task].dtype
        assert _columns(found[task]) <= _columns(labels[task]), task
    scale = torch.tensor([size[1] / width, size[0] / height])
    torch.testing.assert_close(found["joints"], labels["joints"] * scale)
    assert found["scene"] is labels["scene"]


@settings(deadline=None)
@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES), box=st.booleans())
def test_image_labels_and_points_move_alike(height: int, width: int, size: tuple[int, int], box: bool) -> None:
    rows, columns = torch.arange(float(height))[:, None] + 0.5, torch.arange(float(width)) + 0.5
    where = torch.stack([columns.expand(height, width), rows.expand(height, width)])
    centres = where.movedim(0, -1)
    step = Letterbox(size, fill=math.nan) if box else Resize(size)
    kinds: dict[str, LabelKind] = {"where": "values", "centres": "points"}
    image, labels = _apply((where, {"where": where, "centres": centres}), step, kinds=kinds)
    assert torch.equal(image.isnan(), labels["where"].isnan())
    inner = step.inner_size(height, width) if isinstance(step, Letterbox) else size
    # The label is the nearest pixel's. The image is a mean of pixels within one pixel, or within one pixel of the
    # result where it shrinks.
    reach = torch.tensor([max(1.0, width / inner[1]), max(1.0, height / inner[0])]) + 0.5 + 1e-3
    distance = (image - labels["where"]).abs().flatten(1).nan_to_num().amax(1)
    assert (distance <= reach).all()
    # The result at a point holds where the point was, within half a pixel of either size.
    x, y = labels["centres"].long().unbind(-1)
    said = labels["where"][:, y.clamp(max=size[0] - 1), x.clamp(max=size[1] - 1)]
    assert ((said - where).abs().flatten(1).amax(1) <= reach).all()


def _triangles(old: int, new: int) -> Tensor:
    """Weights [new, old] of linear interpolation, over as many old pixels as a new one covers if it covers several."""
    centres = (torch.arange(new, dtype=torch.float64)[:, None] + 0.5) * old / new
    weights = (1 - (torch.arange(old) + 0.5 - centres).abs() / max(old / new, 1)).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


@settings(deadline=None)
@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES))
def test_an_image_is_interpolated_and_averaged_where_it_shrinks(height: int, width: int, size: tuple[int, int]) -> None:
    image, _ = _sample(height, width)
    found, _ = _apply((image, {}), Resize(size))
    rows, columns = _triangles(height, size[0]), _triangles(width, size[1])
    expected = torch.einsum("ih,chw,jw->cij", rows, image.double(), columns)
    # torch rounds the weights, too, to float32.
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)


def test_a_letterbox_keeps_the_ratio_and_its_padding_has_no_value() -> None:
    image, labels = _sample(8, 16)
    padded, found = _apply((image, labels), Letterbox((32, 32)), Normalize())
    assert (padded[:, :8] == 0).all()
    assert (padded[:, 24:] == 0).all()
    inner, expected = _apply((image, labels), Resize((16, 32)), Normalize())
    assert torch.equal(padded[:, 8:24], inner)
    for task, value in {"semseg": 255, "edge": 255, "normals": 0, "depth": 0, "disparity": 0}.items():
        assert (found[task][..., :8, :] == value).all(), task
        assert torch.equal(found[task][..., 8:24, :], expected[task]), task
    assert found["texture"][:, 24:].isnan().all()
    torch.testing.assert_close(found["joints"], expected["joints"] + torch.tensor([0.0, 8.0]))
    _, found = _apply((image, labels), Letterbox((32, 32), ignored_class=-1))
    assert (found["semseg"][0] == -1).all()


def test_an_image_of_the_size_is_left_alone() -> None:
    sample = _sample(8, 12)
    for step in (Resize((8, 12)), Letterbox((8, 12))):
        image, labels = _apply(sample, step)
        assert torch.equal(image, sample[0])
        assert all(torch.equal(label, sample[1][task]) for task, label in labels.items())


def test_points_follow_every_step() -> None:
    box = torch.tensor([[0.0, 0.0], [17.0, 11.0]])  # corners of the whole image
    image, kinds = torch.rand(3, 11, 17), {"box": "points"}

    def moved(*steps: Step) -> Tensor:
        return _apply((image, {"box": box}), *steps, kinds=kinds)[1]["box"]  # type: ignore[arg-type]

    assert moved(RandomFlip(1.0)).tolist() == [[17, 0], [0, 11]]
    assert moved(RandomScale((2.0,))).tolist() == [[0, 0], [34, 22]]
    assert moved(CenterCrop((13, 21))).tolist() == [[2, 1], [19, 12]]
    assert moved(CenterCrop((9, 15))).isnan().all()
    assert moved(CenterCrop((11, 15)), RandomFlip(0.0)).isnan().all()
    assert torch.equal(moved(RandomCrop((11, 17))), box)
    for size in ((3, 7), (13, 29), (100, 90)):
        # On the border, which the box is on, rounding must not cut it off.
        assert not moved(Letterbox(size), CenterCrop(size)).isnan().any()


class Varied:
    """Six pictures; every second one has another size."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Sample:
        return _sample(10 + index % 2, 12, seed=index)

    def sample_name(self, index: int) -> str:
        return f"{index}.png"


class VariedSource:
    pixel_scale = PixelScale.unit(3)

    def split(self, name: str) -> Dataset:
        return Varied()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_pictures_of_several_sizes_are_named_with_the_remedy(num_workers: int) -> None:
    loader = batches(Varied(), 4, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
    words = (
        r"^data: the input of sample 1 \(1\.png\) has shape \[3, 11, 12\], that of sample 0 \(0\.png\) \[3, 10, 12\];"
        r".*Resize or Letterbox"
    )
    with pytest.raises(InputError, match=words):
        list(loader)


@pytest.mark.parametrize("step", [Resize((9, 9)), Letterbox((9, 9))])
def test_all_splits_are_resized_alike_and_can_be_augmented(step: Resize | Letterbox) -> None:
    source = resized(VariedSource(), step, KINDS)
    assert source.pixel_scale == PixelScale.unit(3)
    for name in SPLITS:
        epochs = [
            next(iter(batches(source.split(name), 6, seed=0, epoch=epoch, shuffle=False, drop_last=False)))
            for epoch in (0, 1)
        ]
        assert epochs[0].inputs.shape == (6, 3, 9, 9)
        assert torch.equal(epochs[0].inputs, epochs[1].inputs)
    evaluation = Augmentation((Normalize(),), KINDS)
    augmented = AugmentedSource(source, Augmentation((RandomFlip(1.0), Normalize()), KINDS), evaluation)
    image, labels = augmented.split("train")[1]
    expected, _ = source.split("train")[1]
    assert torch.equal(image, 2 * expected.flip(-1) - 1)
    assert labels["semseg"].shape == (9, 9)


def test_arrays_of_several_sizes_can_be_resized_by_their_source(tmp_path: Path) -> None:
    write_nyuv2(tmp_path, num_train=8)
    for folder in ("image", "label", "depth", "normal"):
        path = tmp_path / "val" / folder / "1.npy"
        np.save(path, np.load(path)[:4])

    def batch(**changes: Resize | Letterbox) -> tuple[Tensor, dict[str, Tensor]]:
        split = NYUv2(tmp_path, **changes).split("test")  # type: ignore[arg-type]
        found = next(iter(batches(split, 3, seed=0, epoch=0, shuffle=False, drop_last=False)))
        return found.inputs, found.labels

    with pytest.raises(InputError, match=r"sample 1 \(val/1\) has shape \[3, 4, 9\], .* Resize or Letterbox"):
        batch()
    inputs, labels = batch(resize=Letterbox((12, 18)))
    assert inputs.shape == (3, 3, 12, 18)
    assert (labels["semseg"][1, :2] == 255).all()
    assert (labels["depth"][1, :, :2] == 0).all()
    assert _columns(labels["depth"][0]) == {(x,) for x in np.load(tmp_path / "val/depth/0.npy").ravel().tolist()}
    with pytest.raises(InputError, match=r"resize must be Resize\(\(height, width\)\) or Letterbox.*found \[12, 18\]"):
        batch(resize=[12, 18])  # type: ignore[arg-type]


def test_what_cannot_be_resized_is_refused() -> None:
    for size in ((0, 4), (4, 4, 4), (4.0, 4), 4):
        for step in (Resize, Letterbox):
            with pytest.raises(InputError, match=rf"{step.__name__}: size must be a height and a width .* found"):
                step(size)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Resize: images are floats \[C, H, W\]; found torch.float32 of shape \[16\]"):
        _apply((torch.rand(16), {}), Resize((4, 4)))
    with pytest.raises(InputError, match=r"Letterbox: images are floats .* found torch.uint8"):
        _apply((torch.zeros(3, 8, 8, dtype=torch.uint8), {}), Letterbox((4, 4)))
    with pytest.raises(InputError, match=r"joints is torch.int64 of shape \[4, 2\], and 'points' needs floats"):
        _apply((torch.rand(3, 8, 8), {"joints": torch.ones(4, 2, dtype=torch.int64)}), Resize((4, 4)))
