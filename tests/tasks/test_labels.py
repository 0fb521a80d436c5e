"""Every loss and metric states what labels it takes, and does with all of them what it says."""

import functools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nas.tasks import LOSSES, METRICS, Task
from nas.tasks.checks import accepted_by_loss, accepted_labels
from nas.tasks.labels import CLASSES, DEPTHS, NUMBERS, SHARES, UNIT_VECTORS, YES_OR_NO, Accepts, accepted_by, accepts
from nas.tasks.losses import weighted_binary_cross_entropy

README = Path(__file__).parents[2] / "nas" / "data" / "README.md"
UNSIGNED = (torch.uint8, torch.uint16, torch.uint32, torch.uint64)
INTEGERS = (*UNSIGNED[:1], torch.int8, torch.int16, torch.int32, torch.int64)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
NAN, INF = math.nan, math.inf


def _functions() -> dict[str, Accepts]:
    found = {name: accepted_by(function) for name, function in {**LOSSES, **METRICS}.items()}
    return {name: accepted for name, accepted in found.items() if accepted is not None}


def test_every_loss_and_metric_with_a_name_states_what_it_takes() -> None:
    assert set(_functions()) == set(LOSSES) | set(METRICS)


def test_the_table_for_users_says_the_same() -> None:
    lines = [line for line in README.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {
        name.strip("` "): row[2:]
        for row in rows
        if len(row) == 6 and "`" in row[0] + row[1]
        for name in f"{row[0]},{row[1]}".split(",")
        if "`" in name
    }
    assert told == {name: [a.types, a.values, a.no_value, a.shape] for name, a in _functions().items()}


def test_partial_functions_and_decorated_ones_state_it_and_others_do_not() -> None:
    partial = functools.partial(functools.partial(weighted_binary_cross_entropy), positive_weight=0.8)
    assert accepted_by(partial) is YES_OR_NO
    assert accepted_by(torch.nn.CrossEntropyLoss()) is None

    @accepts(NUMBERS)
    def own(outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs - labels).mean()

    task = Task(name="t", num_outputs=1, loss=own, metrics=("rmse", "depth_rmse"))
    assert accepted_by_loss(task) is NUMBERS
    assert accepted_labels(task) == {"its loss": NUMBERS, "depth_rmse": DEPTHS}
    silent = Task(name="t", num_outputs=1, loss=lambda outputs, labels: outputs.sum(), metrics=("binary_f1",))
    assert accepted_by_loss(silent) is None
    assert accepted_labels(silent) == {"binary_f1": YES_OR_NO}


@pytest.mark.parametrize(
    ("accepted", "values", "num_known"),
    [
        (CLASSES, [0, 2, -1, -100, 255], 2),
        (YES_OR_NO, [0, 1, -1, 255, -100], 2),
        (YES_OR_NO, [0.0, 0.3, NAN, 1.0], 3),
        (NUMBERS, [1e30, -5.0, NAN], 2),
        (SHARES, [0.0, 1.0, NAN], 2),
        (DEPTHS, [0.5, 0.0, -1.0, INF, -INF, NAN, 1e6], 2),
    ],
)
def test_what_is_stated_is_taken(accepted: Accepts, values: list[float], num_known: int) -> None:
    labels = torch.tensor(values)
    assert accepted.fault(labels, 3) is None
    assert len(accepted.known_values(labels, 3)) == num_known


@pytest.mark.parametrize(
    ("accepted", "rows", "row", "found"),
    [
        (CLASSES, [[0, 1], [2, 3]], 1, "holds class 3"),
        (CLASSES, [[0, 254], [2, 2]], 0, "holds class 254"),
        (YES_OR_NO, [[0, 1], [1, 254]], 1, "holds 254"),
        (YES_OR_NO, [[0.0, 0.5], [1.0, 1.01]], 1, "holds 1.01"),
        (YES_OR_NO, [[0.0, INF]], 0, "holds inf"),
        (NUMBERS, [[0.0], [1.0], [-INF]], 2, "holds -inf"),
        (SHARES, [[0.0], [200.0]], 1, "holds 200"),
    ],
)
def test_the_first_row_with_another_value_is_found(
    accepted: Accepts, rows: list[list[float]], row: int, found: str
) -> None:
    labels = torch.tensor(rows)
    for each in (labels, labels[:, :, None, None].repeat(1, 1, 2, 2)):
        fault = accepted.fault(each, 3)
        assert fault is not None
        assert fault[0] == row
        assert fault[1].startswith(found)


def test_classes_are_integers_and_255_may_be_one_of_them() -> None:
    assert CLASSES.fault(torch.tensor([0.0]), 3) == (0, "is torch.float32")
    assert NUMBERS.fault(torch.tensor([1j]), 3) == (0, "is torch.complex64")
    many = torch.tensor([255, 299, -1])
    assert CLASSES.fault(many, 300) is None
    assert CLASSES.known_values(many, 300).tolist() == [255, 299]
    assert CLASSES.fault(many, 299) == (1, "holds class 299")
    assert "classes 0 to 20" in CLASSES.describe(21)


@pytest.mark.parametrize("encoded", [False, True])
def test_normals_are_unit_vectors_and_no_colours(encoded: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    normals = torch.nn.functional.normalize(torch.randn(2, 3, 8, 8, generator=generator), dim=1)
    normals[0, :, 0] = 0
    normals[1, :, 0] = NAN
    if encoded:
        normals = (normals + 1) / 2
    fault = UNIT_VECTORS.fault(normals, 3)
    assert (fault is not None) == encoded
    assert UNIT_VECTORS.fault((normals + 1) / 2 * 255, 3) is not None
    assert UNIT_VECTORS.fault(normals[:, :2], 3) == (0, "has shape [2, 8, 8]")


def _labels(name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Outputs, and labels that have the same values in every type."""
    outputs = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    values = torch.tensor([0, 1, 1, 0, 1, 0] * 4)
    if _functions()[name] is CLASSES:
        return outputs, values.view(6, 2, 2).to(dtype)
    if "normals" in name or "angle" in name or "within" in name:
        axis = torch.nn.functional.one_hot(torch.arange(24) % 3, 3).view(6, 2, 2, 3).movedim(-1, 1)
        return outputs, axis.to(dtype)
    return outputs[:, :1], values.view(6, 1, 2, 2).to(dtype)


def _value(name: str, outputs: Tensor, labels: Tensor) -> float:
    if name in LOSSES:
        return LOSSES[name](outputs, labels).item()
    metric = METRICS[name](Task(name="task", num_outputs=outputs.shape[1], loss="mse", metrics=(name,)))
    metric.update(outputs, labels)
    return float(metric.compute())


@pytest.mark.parametrize("name", [*LOSSES, *METRICS])
def test_the_type_of_labels_changes_no_value(name: str) -> None:
    accepted = _functions()[name]
    expected = _value(name, *_labels(name, torch.int64))
    for dtype in (*INTEGERS, torch.bool, *(() if accepted.integers else FLOATS)):
        outputs, labels = _labels(name, dtype)
        assert accepted.fault(labels, outputs.shape[1]) is None
        # Float32, and sums in another order.
        assert _value(name, outputs, labels) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_nothing_is_nan_and_of_decisions_that_are_alike_too(name: str) -> None:
    outputs, labels = _labels(name, torch.float32 if not _functions()[name].integers else torch.int64)
    nothing = torch.full_like(labels, 255 if _functions()[name].decisions else NAN)
    assert math.isnan(_value(name, outputs, nothing))
    assert not math.isnan(_value(name, outputs, labels))
    if _functions()[name] is YES_OR_NO:
        for alike in (0.0, 1.0):
            assert math.isnan(_value(name, outputs, torch.full_like(labels, alike)))
