"""Expected cost equals brute force, equals Monte Carlo, and at one-hot routing equals the tree's cost exactly."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.cost import expected_cost, expected_groups
from nas.cost.expected import choose_form, groups_by_paths, groups_by_sampling, groups_by_subsets
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

FORMS = [groups_by_subsets, groups_by_paths]

# Sums of up to 2^12 terms of size 1 in double precision.
ROUNDING = 1e-11


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_probs(num_blocks: int, num_tasks: int, num_candidates: int, *, seed: int, scale: float = 1.0) -> Tensor:
    shape = (num_blocks, num_tasks, num_candidates)
    return torch.softmax(scale * torch.randn(shape, generator=seeded(seed), dtype=torch.float64), dim=-1)


def one_hot(choices_LT: Tensor, num_candidates: int) -> Tensor:
    return torch.nn.functional.one_hot(choices_LT, num_candidates).double()


def table(num_blocks: int, tasks: list[str]) -> CostTable:
    return CostTable(
        stem={"macs": 10, "params": 1},
        blocks=tuple({"macs": 1000 + 37 * l, "params": 5 * l} for l in range(num_blocks)),
        heads={task: {"macs": 100 + i, "params": 3} for i, task in enumerate(tasks)},
        block_names=tuple(f"b{l}" for l in range(num_blocks)),
    )


def brute_force(probs_LTC: Tensor) -> Tensor:
    """Sum over all C^(LT) choices of their probability times the built tree's number of groups."""
    num_blocks, num_tasks, num_candidates = probs_LTC.shape
    tasks = [f"t{t}" for t in range(num_tasks)]
    rows = list(itertools.product(range(num_candidates), repeat=num_tasks))
    prob_of = [
        {row: math.prod(probs_LTC[l, t, c].item() for t, c in enumerate(row)) for row in rows}
        for l in range(num_blocks)
    ]
    groups_of: dict[tuple[tuple[int, ...], ...], tuple[int, ...]] = {}
    expected = torch.zeros(num_blocks, dtype=torch.float64)
    for choices_LT in itertools.product(rows, repeat=num_blocks):
        # Trees see only which tasks agree; building each agreement pattern once keeps this to a second.
        pattern = tuple(tuple(row.index(c) for c in row) for row in choices_LT)
        if pattern not in groups_of:
            groups_of[pattern] = BranchTree.from_choices(tasks, choices_LT).num_groups
        weight = math.prod(prob_of[l][row] for l, row in enumerate(choices_LT))
        expected += weight * torch.tensor(groups_of[pattern], dtype=torch.float64)
    return expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_equals_brute_force(form, scale):
    probs_LTC = random_probs(3, 3, 3, seed=1, scale=scale)
    torch.testing.assert_close(form(probs_LTC), brute_force(probs_LTC), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_equals_monte_carlo(scale):
    num_draws, probs_LTC = 100_000, random_probs(18, 5, 5, seed=2, scale=scale)
    drawn = torch.multinomial(probs_LTC.reshape(-1, 5), num_draws, replacement=True, generator=seeded(3))
    choices_LTN = drawn.reshape(18, 5, num_draws)
    together_TTN = torch.ones(5, 5, num_draws, dtype=torch.bool)
    exact_L = expected_groups(probs_LTC)
    for l in range(18):
        together_TTN &= choices_LTN[l][:, None] == choices_LTN[l][None, :]
        # A task is counted iff it is with no task before it.
        counted_TN = ~torch.tril(together_TTN.permute(2, 0, 1), diagonal=-1).any(dim=-1)
        groups_N = counted_TN.sum(dim=-1).double()
        error = groups_N.mean() - exact_L[l]
        # 36 comparisons (18 blocks, 2 scales): |z| > 4.5 has probability below 36 * 7e-6. One draw is the grain.
        assert error.abs() <= 4.5 * groups_N.std() / math.sqrt(num_draws) + 1 / num_draws


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 999), st.sampled_from([0.0, 1.0, 20.0]))
def test_forms_agree_in_value_and_gradient(num_blocks, num_tasks, num_candidates, seed, scale):
    probs_LTC = random_probs(num_blocks, num_tasks, num_candidates, seed=seed, scale=scale).requires_grad_()
    weight_L = torch.linspace(1, 2, num_blocks, dtype=torch.float64)
    values = [form(probs_LTC) for form in FORMS]
    gradients = [torch.autograd.grad(value @ weight_L, probs_LTC)[0] for value in values]
    torch.testing.assert_close(values[0], values[1], rtol=ROUNDING, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["interior", "one-hot", "some zeros"])
def test_gradient_equals_finite_differences(form, kind):
    probs_LTC = random_probs(3, 3, 2, seed=4)
    if kind != "interior":
        probs_LTC = one_hot(torch.tensor([[0, 0, 0], [0, 1, 0], [1, 1, 1]]), 2)
    if kind == "some zeros":
        probs_LTC[1] = random_probs(1, 3, 2, seed=5)[0]
    assert torch.autograd.gradcheck(form, probs_LTC.requires_grad_())


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_hot_is_the_tree_exactly(data):
    num_blocks, num_tasks, num_candidates = (data.draw(st.integers(1, 5)) for _ in range(3))
    row = st.lists(st.integers(0, num_candidates - 1), min_size=num_tasks, max_size=num_tasks)
    choices_LT = data.draw(st.lists(row, min_size=num_blocks, max_size=num_blocks))
    tasks = [f"t{t}" for t in range(num_tasks)]
    tree = BranchTree.from_choices(tasks, choices_LT)
    probs_LTC = one_hot(torch.tensor(choices_LT), num_candidates)
    costs = table(num_blocks, tasks)
    assert all(tuple(form(probs_LTC).tolist()) == tree.num_groups for form in FORMS)
    assert expected_cost(probs_LTC, costs, "macs").item() == costs.tree_cost(tree)["macs"]
    sampled_L = groups_by_sampling(probs_LTC, 7, seeded(0))
    # Zero variance: what is left is the rounding of a mean of fractions like 2/3.
    torch.testing.assert_close(sampled_L, torch.tensor(tree.num_groups).double(), rtol=1e-14, atol=0)


def test_permuting_tasks_changes_nothing_and_permutes_the_gradient():
    probs_LTC, order = random_probs(4, 5, 3, seed=6), torch.tensor([3, 1, 4, 0, 2])
    for form in FORMS:
        here, there = probs_LTC.clone().requires_grad_(), probs_LTC[:, order].clone().requires_grad_()
        torch.testing.assert_close(form(here), form(there), rtol=ROUNDING, atol=0)
        gradient, permuted = (
            torch.autograd.grad(form(here).sum(), here)[0],
            torch.autograd.grad(form(there).sum(), there)[0],
        )
        torch.testing.assert_close(gradient[:, order], permuted, rtol=0, atol=ROUNDING)


def test_known_values():
    # Five tasks over five equal candidates: 5 (1 - (4/5)^5) at the first block; pairs meet at most once in 5^18 later.
    groups_L = expected_groups(torch.full((18, 5, 5), 0.2))
    assert groups_L[0].item() == pytest.approx(5 * (1 - 0.8**5), rel=1e-6)  # the input is in single precision
    assert groups_L[-1].item() == pytest.approx(5, rel=1e-6)


def test_gradient_starts_in_the_front_blocks():
    # A +1 bias of all five tasks to one candidate of block l lowers sum_l E[N_l] by this much, to the digits given. It
    # matters in front only: tasks that part at the first blocks stay apart, so few are left to share the later ones.
    uniform = expected_groups(torch.full((18, 5, 5), 0.2, dtype=torch.float64)).sum()
    for l, printed, digits in [(0, 0.339, 3), (1, 0.115, 3), (2, 0.026, 3), (3, 0.005, 3), (5, 0.0002, 4)]:
        logits_LTC = torch.zeros(18, 5, 5, dtype=torch.float64)
        logits_LTC[l, :, 0] = 1.0
        lowered = uniform - expected_groups(logits_LTC.softmax(-1)).sum()
        assert round(lowered.item(), digits) == printed


def test_forty_tasks_by_paths_are_exact():
    probs_LTC = random_probs(6, 40, 5, seed=7)
    assert choose_form(6, 40, 5) == "paths"
    # Inclusion and exclusion over 2^40 sets is out of reach; the complement per path is the definition.
    first = (1 - (1 - probs_LTC[0]).prod(dim=0)).sum()
    groups_L = expected_groups(probs_LTC)
    assert groups_L[0].item() == pytest.approx(first.item(), rel=ROUNDING)
    assert bool((groups_L.diff() > 0).all())
    assert groups_L[-1] < 40


def test_sampled_form_is_unbiased_in_value_and_gradient():
    num_seeds, weight_L = 400, torch.linspace(1, 2, 6, dtype=torch.float64)
    logits_LTC = torch.randn(6, 5, 5, generator=seeded(0), dtype=torch.float64).requires_grad_()

    def value_and_gradient(groups_L: Tensor) -> Tensor:
        gradient = torch.autograd.grad(groups_L @ weight_L, logits_LTC)[0]
        return torch.cat([groups_L.detach(), gradient.flatten()])

    exact = value_and_gradient(groups_by_paths(logits_LTC.softmax(-1)))
    estimates = torch.stack(
        [value_and_gradient(groups_by_sampling(logits_LTC.softmax(-1), 250, seeded(s))) for s in range(num_seeds)]
    )
    z = (estimates.mean(dim=0) - exact) / (estimates.std(dim=0) / math.sqrt(num_seeds))
    # 156 numbers, nearly normal: |z| > 4.5 for any has probability about 1e-3, and the seeds are fixed. The root mean
    # square is about 1 without bias; a bias of one standard error in each would make it 1.4.
    assert z.abs().max() < 4.5
    assert z.square().mean().sqrt() < 1.25


def test_forty_tasks_beyond_the_exact_forms():
    logits_LTC = torch.randn(18, 40, 40, generator=seeded(8)).requires_grad_()
    assert choose_form(18, 40, 40) == "sampling"
    probs_LTC = logits_LTC.softmax(-1)
    groups_L = expected_groups(probs_LTC, generator=seeded(9))
    groups_L.sum().backward()
    assert logits_LTC.grad is not None
    assert bool(logits_LTC.grad.isfinite().all())
    first = (1 - (1 - probs_LTC[0].double()).prod(dim=0)).sum().item()
    # The bound of the docstring, (T - 1) / (2 sqrt(n)), is 0.30; 4 standard errors.
    assert groups_L[0].item() == pytest.approx(first, abs=4 * 39 / (2 * 64))
    assert torch.equal(expected_groups(probs_LTC), expected_groups(probs_LTC))


def test_sampled_gradient_pulls_a_pair_together():
    # Two tasks that agree a little more than by chance: the gradient of the expected cost must widen the lead.
    logits_LTC = torch.zeros(2, 2, 3, dtype=torch.float64)
    logits_LTC[:, :, 0] = 0.5
    logits_LTC.requires_grad_()
    groups_by_sampling(logits_LTC.softmax(-1), 4096, seeded(0)).sum().backward()
    assert logits_LTC.grad is not None
    assert bool((logits_LTC.grad[:, :, 0] < 0).all())


def test_expected_cost_is_stem_plus_blocks_plus_heads():
    tasks = ["a", "b", "c"]
    probs_LTC, costs = random_probs(3, 3, 3, seed=10).requires_grad_(), table(3, tasks)
    cost = expected_cost(probs_LTC, costs, "macs")
    blocks = torch.tensor([1000.0, 1037.0, 1074.0], dtype=torch.float64) @ brute_force(probs_LTC.detach())
    assert cost.dtype == torch.float64
    assert cost.item() == pytest.approx(10 + blocks.item() + 100 + 101 + 102, rel=ROUNDING)
    cost.backward()
    assert probs_LTC.grad is not None


@pytest.mark.parametrize(
    ("probs_LTC", "message"),
    [
        (torch.full((2, 3), 0.5), "shape"),
        (torch.zeros(0, 3, 3), "non-empty"),
        (torch.ones(1, 2, 1, dtype=torch.int64), "floating-point"),
        (torch.tensor([[[0.5, 0.5], [1.5, -0.5]]]), "negative"),
        (torch.tensor([[[0.5, 0.5], [0.5, 0.6]]]), "sum to 1"),
        (torch.tensor([[[0.5, float("nan")]]]), "NaN"),
    ],
)
def test_bad_probabilities_are_refused(probs_LTC, message):
    with pytest.raises(InputError, match=message):
        expected_groups(probs_LTC)


def test_probabilities_in_single_precision_are_accepted():
    # The worst of 1e5 rows is off by about 2e-7, well within the stated tolerance.
    expected_groups(torch.randn(100, 2, 500, generator=seeded(0)).softmax(-1))


def test_mismatching_tables_are_refused():
    costs = table(3, ["a", "b"])
    with pytest.raises(InputError, match="3 blocks and 2 tasks"):
        expected_cost(random_probs(2, 2, 2, seed=0), costs, "macs")
    with pytest.raises(InputError, match="resource"):
        expected_cost(random_probs(3, 2, 2, seed=0), costs, "ms")
