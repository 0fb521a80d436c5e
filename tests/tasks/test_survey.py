"""A split is looked at once: what it holds is counted, and what a task does not take is named with its sample."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nas.data import MaskedTensors
from nas.errors import InputError
from nas.tasks import Task
from nas.tasks.survey import SplitLabels, survey

KIND = Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",))
MASK = Task(name="mask", num_outputs=1, loss="binary_cross_entropy", metrics=("binary_f1",))
SIZE = Task(name="size", num_outputs=1, loss="mse", metrics=("rmse",))
DEPTH = Task(name="depth", num_outputs=1, loss="depth_l1", metrics=("depth_rmse",))
NAN = math.nan
N = 10


def _look(tasks: tuple[Task, ...], labels: dict[str, Tensor], batch_size: int = 4, **fields: object) -> SplitLabels:
    data = MaskedTensors(torch.arange(N * 2.0).view(N, 2), labels, **fields)  # type: ignore[arg-type]
    return survey(tasks, data, "split 'test'", batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_what_a_split_holds_is_counted(batch_size: int) -> None:
    kinds = torch.tensor([0, 1, 1, -100, 255, 1, 0, 0, 0, 1])
    sizes = torch.linspace(1, 4, N).view(N, 1)
    sizes[3] = NAN
    masks = torch.tensor([0, 1, 255, 0, 0, 0, 0, 0.4, 0.6, -1]).view(N, 1)
    depths = torch.arange(N * 4.0).view(N, 1, 2, 2)
    depths[0], depths[1, 0, 0] = math.inf, -1
    present = {"kind": torch.tensor([True] * 8 + [False] * 2)}
    labels = {"kind": kinds, "size": sizes, "mask": masks, "depth": depths}
    found = _look((KIND, SIZE, MASK, DEPTH), labels, batch_size, present=present)
    assert (found.num_samples, found.input_shapes) == (N, [[2]])
    kind, size, mask, depth = (found.tasks[name] for name in labels)
    assert (kind.num_samples, kind.num_entries, kind.num_known, kind.counts) == (6, 8, 6, [3, 3, 0])
    assert (size.num_samples, size.low, size.high, size.counts) == (9, 1.0, 4.0, None)
    known = sizes[~sizes.isnan()]
    assert size.mean == pytest.approx(known.mean().item())
    assert size.deviation == pytest.approx(known.std(correction=0).item())
    assert (mask.num_known, mask.counts, mask.low, mask.high) == (8, [6, 2], 0.0, 1.0)
    assert (depth.num_samples, depth.num_entries, depth.num_known, depth.low) == (9, 40, 34, 6.0)
    assert SplitLabels.from_dict(found.to_dict()) == SplitLabels(found.num_samples, [[2]], found.tasks)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_a_label_that_is_not_taken_is_named_with_its_sample(batch_size: int) -> None:
    kinds = torch.zeros(N, dtype=torch.uint8)
    kinds[7] = 3
    present = torch.ones(N, dtype=torch.bool)
    present[2:4] = False
    message = "split 'test', sample 7: task kind: its label holds class 3; cross_entropy takes .*classes 0 to 2.*255"
    with pytest.raises(InputError, match=message):
        _look((KIND,), {"kind": kinds}, batch_size, present={"kind": present})
    metric = Task(name="kind", num_outputs=1, loss=lambda outputs, labels: outputs.sum(), metrics=("rmse", "binary_f1"))
    with pytest.raises(InputError, match=r"sample 7: task kind: its label holds 3 .*; binary_f1 takes"):
        _look((metric,), {"kind": kinds}, batch_size)


@pytest.mark.parametrize(("value", "name"), [(NAN, "NaN"), (math.inf, "inf"), (-math.inf, "inf")])
def test_an_input_that_is_not_finite_is_named_with_its_sample(value: float, name: str) -> None:
    inputs = torch.zeros(N, 2)
    inputs[5, 1] = value
    with pytest.raises(InputError, match=f"^data: {name} in the input of sample 5"):
        survey((), MaskedTensors(inputs, {}), "split 'train'", batch_size=4)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int16])
def test_unsigned_labels_are_counted_as_others(dtype: torch.dtype) -> None:
    kinds = torch.arange(N) % 3
    found = _look((KIND, DEPTH), {"kind": kinds.to(dtype), "depth": (200 + kinds).view(N, 1).to(dtype)})
    assert found.tasks["kind"].counts == [4, 3, 3]
    assert found.tasks["depth"].high == 202


@pytest.mark.parametrize(
    ("task", "label", "alike"),
    [
        (MASK, lambda n: torch.zeros(n, 1), True),
        (MASK, lambda n: torch.arange(n).view(n, 1) % 2 * 255.0, True),
        (MASK, lambda n: torch.arange(n).view(n, 1) % 2, False),
        (KIND, lambda n: torch.full((n,), 2), True),
        (KIND, lambda n: torch.full((n,), -1), False),
        (SIZE, lambda n: torch.ones(n, 1), False),
    ],
    ids=["zeros", "255 for yes", "mask", "one class", "none known", "equal numbers"],
)
def test_decisions_that_are_alike(task: Task, label: Callable[[int], Tensor], alike: bool) -> None:
    assert _look((task,), {task.name: label(N)}).tasks[task.name].alike == alike


def test_a_loss_of_ones_own_has_its_labels_counted_and_not_judged() -> None:
    own = Task(name="own", num_outputs=1, loss=lambda outputs, labels: outputs.sum(), metrics=(lambda task: None,))
    found = _look((own,), {"own": torch.full((N, 2), NAN)}).tasks["own"]
    assert (found.num_samples, found.num_known, found.alike) == (N, 2 * N, False)


def test_two_labelled_samples_of_each_task_are_kept_and_no_random_number_is_drawn() -> None:
    class Noisy(MaskedTensors):
        def __getitems__(self, indices):  # type: ignore[no-untyped-def]
            torch.rand(3)
            return super().__getitems__(indices)

    present = {"size": torch.tensor([False] * 6 + [True] * 4)}
    labels = {"kind": torch.arange(N) % 3, "size": torch.arange(N * 1.0).view(N, 1)}
    before = torch.get_rng_state()
    data = Noisy(torch.arange(N * 2.0).view(N, 2), labels, present)
    found = survey((KIND, SIZE), data, "split", batch_size=4).examples
    assert torch.equal(torch.get_rng_state(), before)
    assert [(image[0].item() / 2, sorted(labels)) for image, labels in found] == [
        (0, ["kind"]),
        (1, ["kind"]),
        (6, ["size"]),
        (7, ["size"]),
    ]
    assert found[2][1]["size"].item() == 6
