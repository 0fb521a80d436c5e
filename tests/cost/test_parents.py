"""The expected number of nodes equals brute force, and at one-hot probabilities the cost of the tree."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.cost import expected_nodes, expected_parent_cost
from nas.cost.parents import EXACT_LIMIT, choose_form, count_elements, nodes_by_sampling, nodes_by_sets
from nas.errors import InputError
from nas.tree import CostTable, tree_from_parents

# Sums of up to 2^10 terms of size 1 in double precision.
ROUNDING = 1e-11


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_logits(nodes, num_tasks: int, *, seed: int, scale: float = 1.0) -> list[Tensor]:
    generator, readers = seeded(seed), [*nodes[1:], num_tasks]
    shapes = zip(readers, nodes, strict=True)
    return [scale * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def softmax(logits) -> list[Tensor]:
    return [rows.softmax(-1) for rows in logits]


def one_hot(rows, nodes) -> list[Tensor]:
    pairs = zip(rows, nodes, strict=True)
    return [torch.nn.functional.one_hot(torch.tensor(row), num_nodes).double() for row, num_nodes in pairs]


def all_choices(nodes, num_tasks):
    readers = [*nodes[1:], num_tasks]
    rows = [itertools.product(range(j), repeat=k) for j, k in zip(nodes, readers, strict=True)]
    return itertools.product(*rows)


def brute_force(probs) -> Tensor:
    """Sum over all choices of their probability times the number of groups of their tree; differentiable."""
    tasks = [f"t{t}" for t in range(len(probs[-1]))]
    expected = torch.zeros(len(probs), dtype=torch.float64)
    for rows in all_choices([rows.shape[1] for rows in probs], len(tasks)):
        weight = torch.ones((), dtype=torch.float64)
        for probs_KJ, row in zip(probs, rows, strict=True):
            weight = weight * probs_KJ[torch.arange(len(row)), torch.tensor(row)].prod()
        groups = tree_from_parents(tasks, rows).num_groups
        expected = expected + weight * torch.tensor(groups, dtype=torch.float64)
    return expected


def table(num_blocks: int, tasks) -> CostTable:
    return CostTable(
        stem={"macs": 10, "params": 1},
        blocks=tuple({"macs": 1000 + 37 * l, "params": 5 * l} for l in range(num_blocks)),
        heads={task: {"macs": 100 + i, "params": 3} for i, task in enumerate(tasks)},
        block_names=tuple(f"b{l}" for l in range(num_blocks)),
    )


SHAPES = [((3,), 4), ((1, 1), 2), ((2, 3), 3), ((3, 2), 3), ((2, 2, 2), 3), ((1, 3, 2), 2), ((4, 1, 2), 2)]


@pytest.mark.parametrize(("nodes", "num_tasks"), SHAPES)
@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_equals_brute_force_in_value_and_gradient(nodes, num_tasks, scale):
    logits = [rows.requires_grad_() for rows in random_logits(nodes, num_tasks, seed=1, scale=scale)]
    weight_L = torch.linspace(1, 2, len(nodes), dtype=torch.float64)
    exact, expected = nodes_by_sets(softmax(logits)), brute_force(softmax(logits))
    torch.testing.assert_close(exact, expected, rtol=ROUNDING, atol=0)
    here, there = (torch.autograd.grad(value @ weight_L, logits) for value in (exact, expected))
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=ROUNDING)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 2), min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 999))
def test_equals_brute_force_for_any_shape(nodes, num_tasks, seed):
    probs = softmax(random_logits(nodes, num_tasks, seed=seed, scale=2.0))
    torch.testing.assert_close(nodes_by_sets(probs), brute_force(probs), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("kind", ["interior", "one-hot", "some zeros"])
def test_gradient_equals_finite_differences(kind):
    probs = softmax(random_logits((2, 3, 2), 3, seed=4))
    if kind != "interior":
        probs = one_hot([[0, 1, 1], [2, 0], [0, 0, 1]], (2, 3, 2))
    if kind == "some zeros":
        probs[1] = softmax(random_logits((3,), 2, seed=5))[0]
    assert torch.autograd.gradcheck(lambda *rows: nodes_by_sets(rows), [rows.requires_grad_() for rows in probs])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_hot_is_the_tree_exactly(data):
    nodes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    readers = [*nodes[1:], data.draw(st.integers(1, 5))]
    rows = [
        data.draw(st.lists(st.integers(0, j - 1), min_size=k, max_size=k)) for j, k in zip(nodes, readers, strict=True)
    ]
    tasks = [f"t{t}" for t in range(readers[-1])]
    tree, costs, probs = tree_from_parents(tasks, rows), table(len(nodes), tasks), one_hot(rows, nodes)
    assert tuple(nodes_by_sets(probs).tolist()) == tree.num_groups
    assert tuple(nodes_by_sampling(probs, 8, seeded(0)).tolist()) == tree.num_groups
    assert expected_parent_cost(probs, costs, "macs").item() == costs.tree_cost(tree)["macs"]


def test_permuting_tasks_and_nodes_changes_nothing():
    first, last = softmax(random_logits((3, 4), 5, seed=6))
    tasks, nodes = torch.tensor([3, 1, 4, 0, 2]), torch.tensor([2, 0, 3, 1])
    permuted = [first[nodes], last[tasks][:, nodes]]
    torch.testing.assert_close(nodes_by_sets([first, last]), nodes_by_sets(permuted), rtol=ROUNDING, atol=0)


def test_known_values():
    # Four tasks over three equal nodes: 3 (1 - (2/3)^4); with one node everything is shared.
    probs = [torch.ones(3, 1), torch.full((4, 3), 1 / 3, dtype=torch.float64)]
    assert expected_nodes(probs).tolist() == pytest.approx([1.0, 3 * (1 - (2 / 3) ** 4)], rel=1e-6)


def test_the_sampled_form_is_within_its_standard_error():
    """Value and gradient in the logits have no bias, in a space that the exact form does, too."""
    num_seeds, nodes = 300, (3, 4, 5)
    logits = [rows.requires_grad_() for rows in random_logits(nodes, 6, seed=0)]
    weight_L = torch.linspace(1, 2, 3, dtype=torch.float64)

    def value_and_gradient(nodes_L: Tensor) -> Tensor:
        gradients = torch.autograd.grad(nodes_L @ weight_L, logits)
        return torch.cat([nodes_L.detach(), *(gradient.flatten() for gradient in gradients)])

    exact = value_and_gradient(nodes_by_sets(softmax(logits)))
    estimates = torch.stack(
        [value_and_gradient(nodes_by_sampling(softmax(logits), 32, seeded(seed))) for seed in range(num_seeds)]
    )
    # The last block's number of nodes and its own gradient are exact: they differ by rounding only.
    error = (estimates.std(dim=0) / math.sqrt(num_seeds)).clamp_min(1e-12)
    z = (estimates.mean(dim=0) - exact) / error
    # 65 numbers, nearly normal: |z| > 4.5 for any has probability below 1e-3, and the seeds are fixed. The root mean
    # square is about 1 without bias; a bias of one standard error in each would make it 1.4.
    assert z.abs().max() < 4.5
    assert z.square().mean().sqrt() < 1.25


def test_large_spaces_are_sampled():
    nodes = (3, 3, 5, 5, 10, 20, 30, 40)
    assert choose_form(nodes) == "sampling"
    assert choose_form((10, 10, 10)) == "sets"
    assert count_elements((2, 3, 4)) == 2 * 2**3 + 2**7 + 2**4
    assert count_elements((11, 11, 11)) > EXACT_LIMIT
    logits = [rows.requires_grad_() for rows in random_logits(nodes, 40, seed=8)]
    nodes_L = expected_nodes(softmax(logits), generator=seeded(9))
    nodes_L.sum().backward()
    assert all(bool(rows.grad.isfinite().all()) and bool(rows.grad.any()) for rows in logits)
    # The tasks' own choices are not sampled for the last block, so it is known exactly.
    last = (1 - (1 - logits[-1].softmax(-1)).prod(dim=0)).sum()
    assert nodes_L[-1].item() == pytest.approx(last.item(), rel=ROUNDING)
    assert torch.equal(expected_nodes(softmax(logits)), expected_nodes(softmax(logits)))


def test_bad_probabilities_are_refused():
    with pytest.raises(InputError, match="sum to 1"):
        expected_nodes([torch.full((2, 3), 0.5)])
    with pytest.raises(InputError, match="block 1 has 3 nodes, but block 0 has 2 readers"):
        expected_nodes([torch.full((2, 2), 0.5), torch.full((4, 3), 1 / 3)])
    with pytest.raises(InputError, match="cost table of 3 blocks and 2 tasks"):
        expected_parent_cost(softmax(random_logits((2, 2), 2, seed=0)), table(3, ["a", "b"]), "macs")
    with pytest.raises(InputError, match="resource"):
        expected_parent_cost(softmax(random_logits((2, 2, 2), 2, seed=0)), table(3, ["a", "b"]), "ms")
