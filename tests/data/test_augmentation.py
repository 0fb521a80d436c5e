"""An augmentation moves an image and all of its labels alike, invents no label, and can be made again."""

import math
import random
from collections.abc import Iterable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from nas.data import SPLITS, Batch, MaskedTensors, batches, collate
from nas.data.augmentation import (
    Augmentation,
    Augmented,
    AugmentedSource,
    CenterCrop,
    LabelKind,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomScale,
    Step,
)
from nas.data.batch import Dataset, Sample, uncollate
from nas.errors import InputError

KINDS: dict[str, LabelKind] = {
    "semseg": "classes",
    "edge": "mask",
    "normals": "normals",
    "depth": "depth",
    "disparity": "inverse_depth",
    "texture": "values",
    "scene": "none",
}
FLIP = RandomFlip(probability=1.0)


def _sample(height: int = 11, width: int = 17, seed: int = 0) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    depth = torch.rand(1, height, width, generator=generator) + 1
    depth[:, 0] = 0
    return torch.rand(3, height, width, generator=generator), {
        "semseg": torch.randint(5, (height, width), generator=generator),
        "edge": (torch.rand(1, height, width, generator=generator) > 0.8).float(),
        "normals": torch.nn.functional.normalize(torch.randn(3, height, width, generator=generator), dim=0),
        "depth": depth,
        "disparity": torch.where(depth > 0, 1 / depth, 0),
        "texture": torch.randn(2, height, width, generator=generator),
        "scene": torch.tensor(3),
    }


def _coordinates(height: int, width: int) -> Sample:
    """An image whose channels are the row and column of the pixel's centre, and labels that say the same."""
    rows, columns = torch.arange(float(height))[:, None] + 0.5, torch.arange(float(width)) + 0.5
    image = torch.stack([rows.expand(height, width), columns.expand(height, width)])
    return image, {"where": image.clone()}


def _apply(sample: Sample, *steps: Step, seed: int = 0, kinds: dict[str, LabelKind] = KINDS) -> Sample:
    return Augmentation(steps, kinds)(sample, random.Random(seed))


def _assert_equal(one: Sample, other: Sample) -> None:
    assert torch.equal(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for task, label in one[1].items():
        torch.testing.assert_close(label, other[1][task], rtol=0, atol=0, equal_nan=True)


@settings(deadline=None)
@given(
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    seed=st.integers(0, 10**6),
)
def test_image_and_labels_move_alike(height: int, width: int, size: tuple[int, int], seed: int) -> None:
    steps = (RandomScale(), RandomCrop(size, fill=math.nan), RandomFlip())
    image, labels = _apply(_coordinates(height, width), *steps, seed=seed, kinds={"where": "values"})
    assert image.shape == labels["where"].shape == (2, *size)
    assert torch.equal(image.isnan(), labels["where"].isnan())
    distance = (image - labels["where"]).abs().nan_to_num()
    # The nearest pixel's centre is within half a pixel of the point that the image is interpolated at; at the image's
    # border that point is drawn in by up to half a pixel, to where there is something to interpolate. Float32 on top.
    assert distance.max() <= 0.5 + 1e-4


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 1.5, 2.0, 1.2])
def test_a_scale_keeps_every_point_where_it_was(scale: float) -> None:
    image, labels = _apply(_coordinates(30, 40), RandomScale((scale,)), kinds={"where": "values"})
    height, width = image.shape[1:]
    assert (height, width) == (math.floor(30 * scale), math.floor(40 * scale))
    rows = (torch.arange(height) + 0.5) / scale
    # Away from the border the interpolation of a linear image is exact, up to float32.
    torch.testing.assert_close(image[0, 2:-2, 0], rows[2:-2], rtol=0, atol=1e-4)
    # A label comes from the pixel whose centre is nearest, of two equally near ones from the second.
    offset = labels["where"][0, :, 0] - rows
    assert offset.min() > -0.5 - 1e-4
    assert offset.max() <= 0.5 + 1e-4


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from((0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)))
def test_no_label_gets_a_new_value(seed: int, scale: float) -> None:
    image, labels = _sample(seed=seed % 7)
    steps = (RandomScale((scale,)), RandomCrop((13, 19)), RandomFlip(0.5), Normalize())
    _, found = _apply((image, labels), *steps, seed=seed)
    assert torch.isin(found["semseg"], torch.cat([labels["semseg"].unique(), torch.tensor([255])])).all()
    assert torch.isin(found["edge"], torch.tensor([0.0, 1.0, 255.0])).all()
    assert found["semseg"].dtype == torch.int64
    assert torch.isin(found["depth"], labels["depth"] / scale).all()
    assert torch.isin(found["disparity"], labels["disparity"] * scale).all()
    known = found["texture"][~found["texture"].isnan()]
    assert torch.isin(known, labels["texture"]).all()
    length = found["normals"].norm(dim=0)
    assert (((length - 1).abs() < 1e-6) | (length == 0)).all()  # float32
    assert found["scene"] is labels["scene"]


def test_depth_is_divided_by_the_scale_and_inverse_depth_multiplied() -> None:
    _, labels = _sample()
    _, found = _apply(_sample(), RandomScale((2.0,)))
    assert torch.equal(found["depth"], labels["depth"].repeat_interleave(2, 1).repeat_interleave(2, 2) / 2)
    valid = found["depth"] > 0
    assert torch.equal(valid, found["disparity"] > 0)
    torch.testing.assert_close(found["depth"][valid] * found["disparity"][valid], torch.ones(int(valid.sum())))
    assert torch.equal(found["normals"], labels["normals"].repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_a_flip_mirrors_and_negates_the_x_of_normals_alone() -> None:
    image, labels = _sample()
    flipped, found = _apply((image, labels), FLIP)
    assert torch.equal(flipped[:, :, 0], image[:, :, -1])
    for task in ("semseg", "edge", "depth", "disparity", "texture"):
        assert torch.equal(found[task], labels[task].flip(-1))
    x, y, z = labels["normals"].flip(-1)
    assert torch.equal(found["normals"], torch.stack([-x, y, z]))


def test_two_flips_are_none() -> None:
    _assert_equal(_apply(_sample(), FLIP, FLIP), _sample())


def test_steps_leave_their_sample_alone() -> None:
    sample = _sample()
    _apply(sample, RandomScale((1.5,)), RandomCrop((13, 19)), FLIP, Normalize())
    _assert_equal(sample, _sample())


def test_padding_is_grey_and_without_labels() -> None:
    image, labels = _sample(4, 6)
    for step in (CenterCrop((7, 10)), RandomCrop((7, 10))):
        padded, found = _apply((image, labels), step, Normalize())
        outside = torch.ones(7, 10, dtype=torch.bool)
        outside[1:5, 2:8] = False
        assert torch.equal(padded[:, 1:5, 2:8], image * 2 - 1)
        assert (padded[:, outside] == 0).all()  # 127.5 of 255, as a number in [-1, 1]
        for task, value in {"semseg": 255, "edge": 255, "normals": 0, "depth": 0, "disparity": 0}.items():
            assert (found[task][..., outside] == value).all(), task
            assert torch.equal(found[task][..., 1:5, 2:8], labels[task]), task
        assert found["texture"][:, outside].isnan().all()


def test_the_padding_of_classes_can_be_minus_one() -> None:
    _, found = _apply(_sample(4, 6), CenterCrop((5, 6), ignored_class=-1))
    assert (found["semseg"][4] == -1).all()


def test_crops_are_windows_from_everywhere() -> None:
    sample = _coordinates(6, 5)
    corners = set()
    for seed in range(300):
        image, _ = _apply(sample, RandomCrop((4, 4)), seed=seed, kinds={"where": "values"})
        row, column = int(image[0, 0, 0]), int(image[1, 0, 0])
        assert torch.equal(image, sample[0][:, row : row + 4, column : column + 4])
        corners.add((row, column))
    # One of the six is missing in 300 draws with a probability of 6 (5/6)^300 < 1e-22.
    assert corners == {(row, column) for row in range(3) for column in range(2)}
    centre, _ = _apply(sample, CenterCrop((4, 4)), kinds={"where": "values"})
    assert centre[:, 0, 0].tolist() == [1.5, 1.5]


def test_scales_and_flips_are_drawn_evenly() -> None:
    rng = random.Random(0)
    augmentation = Augmentation((RandomScale((0.5, 1.0, 2.0)), RandomFlip(0.25)), {"where": "values"})
    drawn = [augmentation(_coordinates(4, 4), rng)[0] for _ in range(2000)]
    # Five standard deviations of a share of 2,000 draws: 5 sqrt(.25 .75 / 2000) < .05, and for 1/3 < .053.
    for width in (2, 4, 8):
        assert abs(sum(image.shape[-1] == width for image in drawn) / 2000 - 1 / 3) < 0.053
    assert abs(sum(bool(image[1, 0, 0] > image[1, 0, -1]) for image in drawn) / 2000 - 0.25) < 0.05


def test_normalize_subtracts_the_mean_of_each_channel() -> None:
    image, _ = _apply((torch.tensor([0.0, 0.5, 1.0])[:, None, None], {}), Normalize())
    assert image.flatten().tolist() == [-1, 0, 1]
    image, _ = _apply((torch.ones(2, 1, 1), {}), Normalize((0.5, 0.0), (0.25, 1.0)))
    assert image.flatten().tolist() == [2, 1]


def test_what_cannot_be_augmented_is_refused() -> None:
    image, labels = _sample()
    with pytest.raises(InputError, match=r"kinds\['semseg'\] must be one of classes, .*found 'class'"):
        Augmentation((), {"semseg": "class"})  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"kinds names edge, and a sample has a label for 'semseg'; give its kind"):
        _apply((image, {"semseg": labels["semseg"]}), FLIP, kinds={"edge": "mask"})
    with pytest.raises(InputError, match=r"depth has shape \[1, 5, 5\].*image \[3, 11, 17\]"):
        _apply((image, {"depth": torch.ones(1, 5, 5)}), FLIP)
    with pytest.raises(InputError, match=r"normals has shape \[1, 11, 17\].*\[3, H, W\]"):
        _apply((image, {"normals": torch.ones(1, 11, 17)}), FLIP)
    with pytest.raises(InputError, match=r"depth is torch.int64, and 'depth' needs floats"):
        _apply((image, {"depth": torch.ones(1, 11, 17, dtype=torch.int64)}), FLIP)
    with pytest.raises(InputError, match=r"edge is torch.bool, and 'mask' needs numbers"):
        _apply((image, {"edge": labels["edge"] > 0}), FLIP)
    for wrong in (
        lambda: RandomScale(()),
        lambda: RandomScale((0.5, -1.0)),
        lambda: RandomCrop((0, 4)),
        lambda: CenterCrop((4, 4, 4)),  # type: ignore[arg-type]
        lambda: RandomFlip(1.5),
        lambda: Normalize((0.5,), (0.0,)),
        lambda: Normalize((0.5, 0.5), (0.5,)),
    ):
        with pytest.raises(InputError, match="found"):
            wrong()
    with pytest.raises(InputError, match="3 means for an image of 1 channels"):
        _apply((image[:1], {}), Normalize())


class OneByOne:
    """Twelve samples, of which every third has no depth; without a bulk method."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Sample:
        image, labels = _sample(seed=index)
        kept = ("semseg", "normals", "scene") if index % 3 == 0 else ("semseg", "normals", "scene", "depth")
        return image, {task: labels[task] for task in kept}


TRAINING = Augmentation((RandomScale(), RandomCrop((9, 9)), RandomFlip(), Normalize()), KINDS)


def _epoch(dataset: Dataset, seed: int = 0, epoch: int = 0, batch_size: int = 4, num_workers: int = 0) -> list[Batch]:
    loader: Iterable[Batch] = batches(
        dataset, batch_size, seed=seed, epoch=epoch, shuffle=True, drop_last=False, num_workers=num_workers
    )
    return list(loader)


def _assert_same(one: Sequence[Batch], other: Sequence[Batch]) -> None:
    for a, b in zip(one, other, strict=True):
        for x, y in zip(_tensors(a), _tensors(b), strict=True):
            assert torch.equal(x, y)


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.inputs, *(x for part in (batch.labels, batch.present) for _, x in sorted(part.items()))]


def test_an_epoch_can_be_made_again_with_any_number_of_workers() -> None:
    dataset = Augmented(OneByOne(), TRAINING)
    torch.manual_seed(1)
    random.seed(1)
    third = _epoch(dataset, epoch=3)
    random.seed(2)
    _assert_same(_epoch(dataset, epoch=3), third)
    _assert_same(_epoch(dataset, epoch=3, num_workers=2), third)


def test_a_sample_looks_different_in_every_epoch_and_for_every_seed() -> None:
    dataset = Augmented(OneByOne(), TRAINING)
    views = [dataset.at_epoch(seed, epoch)[5][0] for seed in range(3) for epoch in range(3)]
    assert all(not torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])
    _assert_equal(dataset[5], dataset.at_epoch(0, 0)[5])


def test_what_is_drawn_for_a_sample_does_not_depend_on_its_batch() -> None:
    dataset = Augmented(OneByOne(), TRAINING).at_epoch(1, 2)
    whole = uncollate(dataset.__getitems__([7, 2, 9]))
    for sample, index in zip(whole, [7, 2, 9], strict=True):
        _assert_equal(sample, dataset[index])


def test_bulk_and_single_samples_are_augmented_alike() -> None:
    singles = [OneByOne()[i] for i in range(12)]
    batch = collate(singles)
    labels = {task: _spread(batch, task) for task in batch.labels}
    bulk = MaskedTensors(batch.inputs, labels, batch.present)
    _assert_same(_epoch(Augmented(bulk, TRAINING)), _epoch(Augmented(OneByOne(), TRAINING)))


def _spread(batch: Batch, task: str) -> Tensor:
    label = batch.labels[task]
    rows = label.new_zeros(len(batch.inputs), *label.shape[1:])
    rows[batch.present[task]] = label
    return rows


def test_the_epoch_reaches_a_data_set_inside_subsets_and_concatenations() -> None:
    inside = Augmented(OneByOne(), TRAINING)
    whole = ConcatDataset([Subset(inside, [1, 3, 5]), Subset(inside, [1, 3, 5])])  # type: ignore[arg-type]
    first, again, second = (_epoch(whole, epoch=epoch, batch_size=6) for epoch in (0, 0, 1))  # type: ignore[arg-type]
    _assert_same(first, again)
    views = [image for batch in (*first, *second) for image in batch.inputs]
    # Twelve views of three samples: two parts, two epochs.
    assert all(not torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])


def test_a_source_is_augmented_by_split() -> None:
    class Source:
        def split(self, name: str) -> Dataset:
            return OneByOne()

    source = AugmentedSource(Source(), TRAINING, Augmentation((CenterCrop((20, 20)),), KINDS))
    for name in SPLITS:
        views = [source.split(name).at_epoch(0, epoch)[4][0] for epoch in range(2)]
        trained_on = name in ("train", "architecture")
        assert views[0].shape == ((3, 9, 9) if trained_on else (3, 20, 20))
        assert torch.equal(*views) is not trained_on
