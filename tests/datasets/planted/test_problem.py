"""Planted problems say what they are, and refuse what is none."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.datasets.planted import PlantedProblem, conv_problem, random_problem, tree_a, tree_c, write_labels
from nas.errors import InputError
from nas.tree import BranchTree


def test_labels_are_the_tree() -> None:
    problem = PlantedProblem("000/aab/xxb")
    assert problem.tasks == ("t0", "t1", "t2")
    assert problem.num_blocks == 3
    assert problem.tree.partitions == ((("t0", "t1", "t2"),), (("t0", "t1"), ("t2",)), (("t0", "t1"), ("t2",)))


def test_the_named_problems_are_those_of_the_prototype() -> None:
    for problem, num_groups in ((tree_a(), (1, 2, 3, 3)), (tree_c(), (2, 2, 4, 4))):
        assert problem.tree.num_groups == num_groups
        assert (len(problem.tasks), problem.input_width, problem.width, problem.num_outputs) == (6, 8, 8, 4)
        assert (problem.weight_sd, problem.bias_sd, problem.noise) == (1.5, 0.3, 0.5)
        assert problem.num_train + problem.num_architecture == 1024
        assert problem.num_test == 2048
    assert tree_a().tree.partitions[2] == (("t0", "t1"), ("t2", "t3"), ("t4", "t5"))
    assert tree_c().tree.partitions[2] == (("t0", "t1"), ("t2",), ("t3", "t4"), ("t5",))
    assert tree_a(noise=0.1).noise == 0.1


@given(st.integers(1, 62), st.integers(1, 5), st.integers(0, 2**32))
def test_random_trees_are_of_the_size_asked_for_and_their_seed(num_tasks: int, num_blocks: int, seed: int) -> None:
    problem = random_problem(num_tasks, num_blocks, seed)
    assert len(problem.tasks) == num_tasks
    assert problem.num_blocks == num_blocks
    assert problem == random_problem(num_tasks, num_blocks, seed)
    # What is written is what was drawn.
    assert write_labels(problem.tree.choices_LT) == problem.labels


def test_random_trees_differ_between_seeds() -> None:
    assert len({random_problem(6, 4, seed).tree for seed in range(20)}) > 15


def test_an_input_has_the_shape_of_its_kind() -> None:
    assert tree_a(input_width=5).input_shape == (5,)
    assert conv_problem(input_width=3, image_size=[6, 4]).input_shape == (3, 6, 4)


def test_plain_fields_make_the_same_problem_again() -> None:
    problem = conv_problem(missing=[0.1] * 6)
    assert PlantedProblem(**asdict(problem)) == problem
    assert hash(PlantedProblem(**asdict(problem))) == hash(problem)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": ""}, "labels of a planted problem must be as long at each block; found ''"),
        ({"labels": "00/011"}, "labels .* found '00/011'"),
        ({"labels": "00//01"}, "labels .* found '00//01'"),
        ({"kind": "linear"}, "kind .* 'dense' or 'conv'; found 'linear'"),
        ({"width": 0}, "width .* at least 1; found 0"),
        ({"num_test": 1}, "num_test .* at least 2; found 1"),
        ({"image_size": (0, 4)}, r"image_size .* found \(0, 4\)"),
        ({"noise": -0.1}, "noise .* found -0.1"),
        ({"weight_sd": 0}, "weight_sd .* above 0; found 0"),
        ({"missing": (0.5,)}, r"missing .* empty or 2 shares in \[0, 1\), one a task; found \(0.5,\)"),
        ({"missing": (0.5, 1.0)}, r"missing .* found \(0.5, 1.0\)"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PlantedProblem(**{"labels": "00/01", **fields})  # type: ignore[arg-type]


def test_a_tree_has_a_character_for_every_group() -> None:
    tree = BranchTree.separate([f"t{t}" for t in range(62)], 1)
    assert PlantedProblem(write_labels(tree.choices_LT)).tree == tree
    with pytest.raises(InputError, match="at most 62 groups at a block; found 63"):
        write_labels([range(63)])
