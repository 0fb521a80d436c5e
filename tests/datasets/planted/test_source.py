"""Planted data: labels are the teacher's, the teacher has the tree, the seed decides everything."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas.data.batch import SPLITS
from nas.datasets.planted import (
    PlantedData,
    PlantedProblem,
    Teacher,
    conv_problem,
    planted_data,
    planted_tasks,
    tree_a,
    tree_c,
    write_labels,
)
from nas.errors import InputError

NOISY = ("train", "architecture", "validation")
SMALL = {"num_train": 40, "num_architecture": 30, "num_validation": 20, "num_test": 50}
CONV = conv_problem(input_width=3, width=5, image_size=(4, 6), **SMALL)


@pytest.mark.parametrize(
    ("problem", "shape"),
    [(tree_a(**SMALL), (4,)), (CONV, (4, 4, 6)), (conv_problem(pooled=True, num_outputs=2, **SMALL), (2,))],
)
def test_splits_have_their_sizes_and_labels_their_shapes(problem: PlantedProblem, shape: tuple[int, ...]) -> None:
    data = PlantedData(problem, 3)
    for name in SPLITS:
        split = data.split(name)
        assert split.inputs.shape == (SMALL[f"num_{name}"], *problem.input_shape)
        assert tuple(split.labels) == problem.tasks
        assert all(label.shape == (len(split), *shape) for label in split.labels.values())
        assert all(label.dtype == torch.float32 for label in split.labels.values())
    inputs = [tuple(row.tolist()) for name in SPLITS for row in data.split(name).inputs.flatten(1)]
    assert len(set(inputs)) == sum(SMALL.values())
    assert all(len(data.split("test")[0][1][task.name]) == task.num_outputs for task in planted_tasks(problem))


@pytest.mark.parametrize("problem", [tree_c(**SMALL), CONV])
def test_the_seed_decides_everything(problem: PlantedProblem) -> None:
    data, again, other = PlantedData(problem, 1), PlantedData(problem, 1), PlantedData(problem, 2)
    torch.rand(3)
    for name in SPLITS:
        assert torch.equal(data.split(name).inputs, again.split(name).inputs)
        assert not torch.equal(data.split(name).inputs, other.split(name).inputs)
        for task in problem.tasks:
            assert torch.equal(data.split(name).labels[task], again.split(name).labels[task])
    inputs = data.split("test").inputs
    assert not torch.equal(Teacher(problem, 1)(inputs)["t0"], Teacher(problem, 2)(inputs)["t0"])


def test_making_data_leaves_the_ambient_generator_alone() -> None:
    state = torch.get_rng_state()
    PlantedData(tree_a(**SMALL), 0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("problem", [tree_a(num_test=4000), conv_problem(image_size=(5, 5), **SMALL)])
def test_test_labels_are_the_teachers_and_standardised(problem: PlantedProblem) -> None:
    test = PlantedData(problem, 0).split("test")
    expected = Teacher(problem, 0)(test.inputs)
    for task in problem.tasks:
        assert torch.equal(test.labels[task], expected[task])
        values = test.labels[task].transpose(0, 1).flatten(1)
        # Five standard errors of a mean and a deviation over the 1,024 reference inputs and at least 1,000 here, 0.045.
        assert values.mean(1).abs().max() < 0.23
        assert (values.std(1) - 1).abs().max() < 0.23


def test_noise_has_its_deviation_and_is_independent() -> None:
    problem = tree_a(num_train=4000)
    train, teacher = PlantedData(problem, 0).split("train"), Teacher(problem, 0)
    clean = teacher(train.inputs)
    noise = torch.cat([train.labels[task] - clean[task] for task in problem.tasks], dim=1)
    # Five standard errors: 0.5 / sqrt(2 * 4000) of a deviation, 1 / sqrt(4000) of a correlation.
    assert (noise.std(0) - 0.5).abs().max() < 5 * 0.5 / 8000**0.5
    assert (torch.corrcoef(noise.T) - torch.eye(24)).abs().max() < 5 / 4000**0.5
    quiet = PlantedData(tree_a(num_train=4000, noise=0.0), 0).split("train")
    assert all(torch.equal(quiet.labels[task], clean[task]) for task in problem.tasks)


def test_every_split_but_the_test_split_is_noisy() -> None:
    data, teacher = PlantedData(tree_a(**SMALL), 0), Teacher(tree_a(**SMALL), 0)
    for name in NOISY:
        assert not torch.allclose(data.split(name).labels["t0"], teacher(data.split(name).inputs)["t0"], atol=0.1)


def test_missing_labels_have_their_shares_but_in_the_test_split() -> None:
    missing = (0.5, 0.0, 0.9, 0.0, 0.0, 0.2)
    data = PlantedData(tree_a(num_train=1000, num_architecture=1000, num_validation=1000, missing=missing), 0)
    for name in NOISY:
        for task, share in zip(tree_a().tasks, missing, strict=True):
            found = 1 - data.split(name).present[task].float().mean().item()
            # Five standard errors of a share among 1,000.
            assert found == pytest.approx(share, abs=5 * (share * (1 - share) / 1000) ** 0.5)
    assert all(rows.all() for rows in data.split("test").present.values())
    whole = PlantedData(tree_a(num_train=1000), 0).split("train")
    assert torch.equal(data.split("train").labels["t0"], whole.labels["t0"])


def test_what_is_drawn_for_one_part_does_not_depend_on_the_others() -> None:
    data = PlantedData(tree_a(**SMALL), 4)
    larger = PlantedData(tree_a(**{**SMALL, "num_train": 60}), 4)
    with_others = [[*row, max(row) + 1, max(row) + 2] for row in tree_a().tree.choices_LT]
    grown = PlantedData(replace(tree_a(**SMALL), labels=write_labels(with_others)), 4)
    for name in SPLITS:
        assert torch.equal(grown.split(name).inputs, data.split(name).inputs)
        # The group of all six tasks at block 0 is one of the grown tree, too.
        for task in tree_a().tasks:
            assert torch.equal(grown.split(name).labels[task], data.split(name).labels[task])
    assert torch.equal(larger.split("test").labels["t5"], data.split("test").labels["t5"])
    assert torch.equal(larger.split("validation").labels["t5"], data.split("validation").labels["t5"])


def _outputs_after(problem: PlantedProblem, l: int, change: float) -> dict[str, Tensor]:
    """Raw outputs of a teacher whose first group at block ``l`` has other weights."""
    teacher = Teacher(problem, 0)
    weight, _ = next(iter(teacher._blocks[l].values()))
    weight += change
    return teacher._raw(torch.ones(1, *problem.input_shape))


@pytest.mark.parametrize("problem", [tree_a(), CONV])
@pytest.mark.parametrize("l", range(4))
def test_a_block_acts_on_the_tasks_of_its_group_alone(problem: PlantedProblem, l: int) -> None:
    before, after = _outputs_after(problem, l, 0.0), _outputs_after(problem, l, 0.1)
    changed = tuple(task for task in problem.tasks if not torch.equal(before[task], after[task]))
    assert changed == problem.tree.partitions[l][0]


def test_a_teacher_is_the_network_that_the_formula_says() -> None:
    problem = tree_a(input_width=3, width=5)
    teacher, x = Teacher(problem, 0), torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    h = x
    for l, group in enumerate([problem.tasks, ("t4", "t5"), ("t4", "t5"), ("t4", "t5")]):
        weight, bias = teacher._blocks[l][group]
        assert weight.shape == (5, 5 if l else 3)
        h = torch.tanh(h @ weight.T + bias)
    # Float32 sums of five products of order one, in another order.
    torch.testing.assert_close(teacher._raw(x)["t5"], h @ teacher._heads["t5"].T, rtol=1e-5, atol=1e-6)


def test_a_convolutional_teacher_is_padded_with_zeros_and_pools_last() -> None:
    problem = conv_problem("0", input_width=2, width=3, image_size=(4, 5), pooled=True)
    teacher, x = Teacher(problem, 0), torch.randn(2, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    weight, bias = teacher._blocks[0]["t0",]
    h = torch.tanh(functional.conv2d(functional.pad(x, (1, 1, 1, 1)), weight, bias)).mean((2, 3))
    # Float32 sums of eighteen products of order one, in another order.
    torch.testing.assert_close(teacher._raw(x)["t0"], h @ teacher._heads["t0"].T, rtol=1e-5, atol=1e-6)


def test_weights_have_their_deviations() -> None:
    problem = PlantedProblem("0/0", input_width=50, width=200, num_outputs=400)
    teacher = Teacher(problem, 0)
    # A deviation over n normal values has the relative standard error 1 / sqrt(2 n); five of them, n >= 200.
    for (weight, bias), fan_in in zip((teacher._blocks[0]["t0",], teacher._blocks[1]["t0",]), (50, 200), strict=True):
        assert weight.std().item() == pytest.approx(1.5 / fan_in**0.5, rel=5 / (2 * weight.numel()) ** 0.5)
        assert bias.std().item() == pytest.approx(0.3, rel=5 / 400**0.5)
    assert teacher._heads["t0"].std().item() == pytest.approx(200**-0.5, rel=5 / 160000**0.5)


def test_plain_fields_make_the_same_data() -> None:
    data = planted_data(seed=3, labels="00/01", num_train=10)
    expected = PlantedData(PlantedProblem("00/01", num_train=10), 3)
    assert data.problem == expected.problem
    assert torch.equal(data.split("train").labels["t1"], expected.split("train").labels["t1"])
    with pytest.raises(InputError, match=r"no fields \['nois'\]; it has labels, kind"):
        planted_data(labels="00/01", nois=1)


def test_unknown_splits_are_refused() -> None:
    with pytest.raises(InputError, match="no split 'val'"):
        PlantedData(tree_a(**SMALL)).split("val")  # type: ignore[arg-type]
