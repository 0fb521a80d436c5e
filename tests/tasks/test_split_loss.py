"""A loss over a split does not depend on how the split is cut into batches."""

import itertools
import math
from functools import partial

import pytest
import torch
from torch import nn

from nas.tasks import LOSSES, SplitLoss, Task
from nas.tasks.losses import weighted_binary_cross_entropy

NUM_SAMPLES = 45


def samples(loss):
    """Outputs and labels of maps of 4 x 5; each sample has another share of known entries and of positives."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(NUM_SAMPLES, 3, 4, 5, generator=generator)
    share = torch.linspace(0, 1, NUM_SAMPLES).reshape(-1, 1, 1, 1)
    known = torch.rand(NUM_SAMPLES, 1, 4, 5, generator=generator) > share
    drawn = torch.rand(NUM_SAMPLES, 3, 4, 5, generator=generator)
    if loss == "cross_entropy":
        return outputs, torch.where(known[:, 0], (drawn[:, 0] * 3).long(), 255)
    if "binary" in loss:
        return outputs, torch.where(known, (drawn > share).float(), 255)
    if "normals" in loss:
        return outputs, torch.where(known, nn.functional.normalize(drawn - 0.5, dim=1), 0)
    return outputs, torch.where(known, drawn, 0 if loss == "depth_l1" else torch.nan)


def over_split(loss, outputs, labels, batch_size):
    split = SplitLoss(Task(name="t", num_outputs=3, loss=loss, metrics=("mae",)))
    for start in range(0, len(outputs), batch_size):
        split.update(outputs[start : start + batch_size], labels[start : start + batch_size])
    return split.compute()


@pytest.mark.parametrize("batch_size", [1, 7, NUM_SAMPLES])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_with_a_name_is_that_of_the_split_as_one_batch(loss, batch_size):
    outputs, labels = samples(loss)
    expected = LOSSES[loss](outputs, labels).item()
    # Sums of some thousand terms in single precision, in another order.
    assert over_split(loss, outputs, labels, batch_size) == pytest.approx(expected, rel=1e-5)
    by_batch = [LOSSES[loss](outputs[i : i + 1], labels[i : i + 1]).item() for i in range(NUM_SAMPLES)]
    assert sum(by_batch) / NUM_SAMPLES != pytest.approx(expected, rel=1e-2), "the samples do not tell them apart"


def test_a_loss_with_options_is_counted_by_its_entries():
    outputs, labels = samples("binary_cross_entropy")
    loss = partial(weighted_binary_cross_entropy, positive_weight=0.8)
    assert over_split(loss, outputs, labels, 4) == pytest.approx(loss(outputs, labels).item(), rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 20, NUM_SAMPLES])
def test_a_loss_of_ones_own_always_gets_the_same_samples(batch_size):
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 30.0]), ignore_index=255)
    seen = []

    def loss(outputs, labels):
        seen.append(len(labels))
        return weighted(outputs, labels)

    outputs, labels = samples("cross_entropy")
    found = over_split(loss, outputs, labels, batch_size)
    assert seen == [8, 8, 8, 8, 13]
    starts = [0, 8, 16, 24, 32, NUM_SAMPLES]
    parts = [slice(*ends) for ends in itertools.pairwise(starts)]
    expected = sum(weighted(outputs[part], labels[part]).item() * n for part, n in zip(parts, seen, strict=True))
    assert found == pytest.approx(expected / NUM_SAMPLES, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_without_any_value_is_none(loss):
    outputs, labels = samples(loss)
    nothing = torch.full_like(labels, 255 if loss == "cross_entropy" or "binary" in loss else torch.nan)
    assert math.isnan(over_split(loss, outputs, nothing, 7))
