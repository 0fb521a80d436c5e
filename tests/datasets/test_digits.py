"""Digit pairs: labels follow from the scans, splits share none, the seed decides everything."""

import pytest
import torch
from sklearn.datasets import load_digits

from nas.data.batch import SPLITS
from nas.datasets.digits.source import DIGIT_TASKS, DigitPairs
from nas.errors import InputError

SIZES = {"num_train": 500, "num_architecture": 120, "num_validation": 130, "num_test": 140}


@pytest.fixture(scope="module")
def pairs() -> DigitPairs:
    return DigitPairs(**SIZES, seed=5)


def test_splits_have_the_sizes_asked_for_and_no_scan_in_common(pairs: DigitPairs) -> None:
    scans = {name: set(pairs.scans(name).flatten().tolist()) for name in SPLITS}
    for i, name in enumerate(SPLITS):
        assert len(pairs.split(name)) == SIZES[f"num_{name}"]
        assert all(scans[name].isdisjoint(scans[other]) for other in SPLITS[i + 1 :])


@pytest.mark.parametrize("name", SPLITS)
def test_labels_follow_from_the_source_scans(pairs: DigitPairs, name: str) -> None:
    digits = torch.as_tensor(load_digits().target)[pairs.scans(name)]
    labels = pairs.split(name).labels
    assert tuple(labels) == DIGIT_TASKS
    assert torch.equal(labels["left"], digits[:, 0])
    assert torch.equal(labels["right"], digits[:, 1])
    assert torch.equal(labels["sum"], digits.sum(1))
    expected = torch.where(digits[:, 0] > digits[:, 1], 0, torch.where(digits[:, 0] == digits[:, 1], 1, 2))
    assert torch.equal(labels["larger"], expected)


def test_the_restored_image_holds_both_scans(pairs: DigitPairs) -> None:
    scans, clean = pairs.scans("test"), pairs.split("test").labels["restore"]
    images = torch.as_tensor(load_digits().images, dtype=torch.float32) / 16
    assert clean.shape == (140, 1, 12, 20)
    assert (clean.amin(), clean.amax()) == (0, 1)
    for i in range(20):
        # Every 8 x 8 window of the canvas; overlap only adds ink, so a printed scan is <= its window.
        windows = clean[i, 0].unfold(0, 8, 1).unfold(1, 8, 1).reshape(-1, 8, 8)
        for scan in scans[i]:
            assert (images[scan] <= windows).all(dim=(1, 2)).any()
        total, most = clean[i].sum(), images[scans[i]].sum()
        assert images[scans[i]].amax(0).sum() <= total <= most


def test_inputs_and_ink_are_standardised_on_the_training_split(pairs: DigitPairs) -> None:
    train, test = pairs.split("train"), pairs.split("test")
    for values in (train.inputs, train.labels["ink"]):
        # Float32 sums over at most 120,000 values.
        assert values.mean().item() == pytest.approx(0, abs=1e-4)
        assert values.std().item() == pytest.approx(1, abs=1e-4)
    assert test.inputs.mean().item() != 0
    assert test.inputs.mean().item() == pytest.approx(0, abs=0.1)
    assert train.inputs.dtype == train.labels["ink"].dtype == torch.float32


def test_ink_says_on_which_side_more_is_printed(pairs: DigitPairs) -> None:
    inputs, ink = pairs.split("test").inputs[:, 0], pairs.split("test").labels["ink"][:, 0]
    difference = inputs[:, :, :10].mean((1, 2)) - inputs[:, :, 10:].mean((1, 2))
    # Halves of the canvas only approximate the digits, which may reach two columns over.
    assert torch.corrcoef(torch.stack([difference, ink]))[0, 1] > 0.85


def test_the_same_seed_gives_the_same_data_and_another_gives_others(pairs: DigitPairs) -> None:
    again, other = DigitPairs(**SIZES, seed=5), DigitPairs(**SIZES, seed=6)
    for name in SPLITS:
        assert torch.equal(pairs.split(name).inputs, again.split(name).inputs)
        assert not torch.equal(pairs.split(name).inputs, other.split(name).inputs)
    assert set(other.scans("test").flatten().tolist()) != set(pairs.scans("test").flatten().tolist())


def test_the_size_of_one_split_does_not_change_the_scans_of_another(pairs: DigitPairs) -> None:
    larger = DigitPairs(**{**SIZES, "num_train": 600}, seed=5)
    assert torch.equal(larger.scans("test"), pairs.scans("test"))


def test_any_sample_may_lack_any_label(pairs: DigitPairs) -> None:
    missing = {"left": 0.3, "restore": 0.6, "ink": 1.0}
    partial = DigitPairs(**SIZES, missing=missing, seed=5)
    assert torch.equal(partial.split("train").inputs, pairs.split("train").inputs)
    for name in SPLITS:
        split = partial.split(name)
        for task in DIGIT_TASKS:
            share = 1 - split.present[task].float().mean().item()
            # Four standard deviations of a share among the smallest split's 120 samples.
            assert share == pytest.approx(missing.get(task, 0), abs=4 * (0.25 / 120) ** 0.5)
    present = partial.split("train").present
    assert (present["left"] & ~present["restore"]).any()
    assert (~present["left"] & present["restore"]).any()
    assert not present["ink"].any()
    assert present["sum"].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_test": 0}, "num_test of DigitPairs must be at least 2; found 0"),
        ({"missing": {"middle": 0.1}}, "task 'middle'; the tasks of DigitPairs are left, right"),
        ({"missing": {"left": 1.5}}, r"missing\['left'\] is a share .* found 1.5"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DigitPairs(**arguments)


def test_unknown_splits_are_refused(pairs: DigitPairs) -> None:
    with pytest.raises(InputError, match="no split 'val'"):
        pairs.split("val")  # type: ignore[arg-type]
