"""The synthetic tasks of Learning to Branch, word for word, and what counts as finding their structure."""

import pytest
import torch

from nas.data import SPLITS
from nas.datasets.function_tasks import function_data, function_tasks, has_structure
from nas.errors import InputError
from nas.tree import BranchTree

SIZES = {"num_train": 300, "num_architecture": 20, "num_validation": 10, "num_test": 15}


@pytest.mark.parametrize("setting", ["cluster", "share", "hierarchy"])
def test_fifteen_tasks_of_a_hundred_outputs(setting):
    data, tasks = function_data(setting=setting, seed=3, **SIZES), function_tasks(setting)
    assert len(tasks) == 15
    for split in SPLITS:
        samples = data.split(split)
        assert samples.inputs.shape == (SIZES[f"num_{split}"], 200)
        assert list(samples.labels) == [task.name for task in tasks]
        assert {label.shape[1] for label in samples.labels.values()} == {100}
    again, other = function_data(setting=setting, seed=3, **SIZES), function_data(setting=setting, seed=4, **SIZES)
    name = tasks[0].name
    assert torch.equal(again.split("test").labels[name], data.split("test").labels[name])
    assert not torch.equal(other.split("test").labels[name], data.split("test").labels[name])


def test_tasks_of_one_number_are_functions_of_one_linear_map():
    samples = function_data(setting="share", **SIZES).split("train")
    for s in range(5):
        one, two, three = (samples.labels[f"{name}_{s}"] for name in ("sin", "sin2", "sin3"))
        torch.testing.assert_close(two, 2 * one)
        torch.testing.assert_close(three, 3 * one)
    hierarchy = function_data(setting="hierarchy", **SIZES).split("train")
    # sin(x)^2 + cos(x)^2 = 1, and x = sin(x) / sinc(x).
    for s in range(5):
        sine = samples.labels[f"sin_{s}"]
        torch.testing.assert_close(sine**2 + hierarchy.labels[f"cos_{s}"] ** 2, torch.ones_like(sine))
        x = hierarchy.labels[f"square_{s}"].sqrt()
        torch.testing.assert_close(hierarchy.labels[f"sinc_{s}"] * x, x.sin(), atol=1e-5, rtol=1e-4)
    bent = function_data(setting="cluster", **SIZES).split("train").labels["bent_1"]
    x = torch.where(bent > 0, 1, -1) * hierarchy.labels["square_1"].sqrt()
    torch.testing.assert_close(bent, ((x**2 + 1).sqrt() - 1) / 2 + x, atol=1e-5, rtol=1e-4)


def test_the_linear_map_has_the_stated_deviation():
    """3 * sqrt(200 (10^2 + 2^2)) / 200 = 2.16, within 1 % for 30,000 values that depend on 20,000 entries of B."""
    squares = function_data(setting="hierarchy", **SIZES).split("train").labels["square_0"]
    assert squares.mean().sqrt().item() == pytest.approx(2.163, rel=0.02)


def tree(setting, *rows):
    """A tree by the group of each function, block by block."""
    names = [task.name for task in function_tasks(setting)]
    return BranchTree.from_choices(names, [[int(row[t // 5]) for t in range(15)] for row in rows])


@pytest.mark.parametrize(
    ("setting", "rows", "expected"),
    [
        ("share", ("000", "000"), True),
        ("share", ("000", "001"), False),
        ("cluster", ("000", "012"), True),
        ("cluster", ("012", "012"), True),
        ("cluster", ("000", "001"), False),
        ("hierarchy", ("001", "001"), True),
        ("hierarchy", ("001", "012"), True),
        ("hierarchy", ("000", "012"), False),
        ("hierarchy", ("011", "012"), False),
    ],
)
def test_a_structure_is_found_or_not(setting, rows, expected):
    assert has_structure(tree(setting, *rows), setting) == expected


def test_one_task_in_the_wrong_group_is_not_the_structure():
    names = [task.name for task in function_tasks("cluster")]
    row = [0] * 5 + [1] * 5 + [2] * 5
    assert has_structure(BranchTree.from_choices(names, [row]), "cluster")
    assert not has_structure(BranchTree.from_choices(names, [[1, *row[1:]]]), "cluster")


def test_an_unknown_setting_is_named():
    with pytest.raises(InputError, match="did you mean 'cluster'"):
        function_data(setting="clusters")
