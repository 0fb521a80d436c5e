import numpy as np
import pytest
import torch
from toys import VectorBackbone, assert_same, seeded, toy_tasks

from nas.discretize import discretize, dissimilarity_from_logits
from nas.networks.supernet import Supernet
from nas.strategies.similarity import Dissimilarity, candidate_sources, medoid, start_candidates, starting_logits
from nas.strategies.similarity.copies import make_copies
from nas.strategies.similarity.start import UNDECIDED
from nas.tree import BranchTree, CostTable

NAMES = tuple(f"t{t}" for t in range(5))
CHOICES = [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 2, 2]]
PLANTED = BranchTree.from_choices(NAMES, CHOICES)
TABLE = CostTable(
    stem={"macs": 0},
    blocks=({"macs": 1},) * 3,
    heads={name: {"macs": 0} for name in NAMES},
    block_names=("a", "b", "c"),
)


def measured_like(choices_LT, near=0.1, far=0.6, floor=0.15, seed=0):
    """Tasks of one group are near, others far, with a little noise."""
    choices = np.array(choices_LT)
    noise = 0.02 * np.random.default_rng(seed).random((len(choices), choices.shape[1], choices.shape[1]))
    together = choices[:, :, None] == choices[:, None, :]
    unlike = (np.where(together, near, far) + noise + noise.swapaxes(1, 2)) * ~np.eye(choices.shape[1], dtype=bool)
    names = NAMES[: choices.shape[1]]
    return Dissimilarity(names, "r2 of features", unlike, np.full_like(unlike, floor) * (unlike > 0))


MEASURED = measured_like(CHOICES)
CURVE = discretize(NAMES, MEASURED.above_floor(), TABLE, "macs")


def test_the_medoid_is_nearest_to_its_group():
    unlike = np.array([[0.0, 0.2, 0.6, 0.1], [0.2, 0.0, 0.3, 0.9], [0.6, 0.3, 0.0, 0.9], [0.1, 0.9, 0.9, 0.0]])
    assert medoid([0, 1, 2], unlike) == 1
    assert medoid([2, 0, 1], unlike) == 1
    assert medoid([3], unlike) == 3
    # Of two that are equally near the first.
    assert medoid([1, 0], unlike) == 1


@pytest.mark.parametrize("num_candidates", [5, 7])
def test_with_a_candidate_for_each_task_they_start_from_their_own(num_candidates):
    sources = candidate_sources(MEASURED, num_candidates)
    assert sources == [[0, 1, 2, 3, 4, *[-1] * (num_candidates - 5)]] * 3


@pytest.mark.parametrize("num_candidates", [1, 2, 3, 4])
def test_with_fewer_candidates_groups_of_similar_tasks_have_one_each(num_candidates):
    sources = candidate_sources(MEASURED, num_candidates)
    assert all(len(set(row)) == num_candidates for row in sources)
    if num_candidates == 3:
        # A member of each planted group.
        assert {CHOICES[2][source] for source in sources[2]} == {0, 1, 2}
    if num_candidates >= 2:
        assert {CHOICES[1][source] for source in sources[1]} == {0, 1}


@pytest.mark.parametrize("num_candidates", [3, 4, 5, 7])
def test_the_wanted_tree_is_read_back_from_the_logits(num_candidates):
    cost = TABLE.tree_cost(PLANTED)["macs"]
    assert CURVE.within(cost).tree == PLANTED
    logits_LTC = starting_logits(MEASURED, CURVE, candidate_sources(MEASURED, num_candidates), [cost])
    assert logits_LTC.shape == (3, 5, num_candidates)
    curve = discretize(NAMES, dissimilarity_from_logits(logits_LTC), TABLE, "macs")
    assert curve.within(cost).tree == PLANTED
    # The control: of tasks that are all alike, no such tree is read.
    alike = measured_like([[0] * 5] * 3)
    other = discretize(NAMES, alike.above_floor(), TABLE, "macs")
    logits_LTC = starting_logits(alike, other, candidate_sources(alike, num_candidates), [cost])
    curve = discretize(NAMES, dissimilarity_from_logits(logits_LTC), TABLE, "macs")
    assert curve.within(cost).tree != PLANTED


def test_probabilities_are_shares_of_trees_and_the_wanted_one_has_half():
    logits_LTC = starting_logits(MEASURED, CURVE, candidate_sources(MEASURED, 5), [TABLE.tree_cost(PLANTED)["macs"]])
    probs_LTC = torch.softmax(logits_LTC.double(), dim=-1)
    assert probs_LTC.min().item() >= UNDECIDED / 5 - 1e-6
    assert probs_LTC.max(dim=-1).values.min().item() >= (1 - UNDECIDED) / 2
    torch.testing.assert_close(logits_LTC.sum(dim=-1), torch.zeros(3, 5), rtol=0.0, atol=1e-5)
    # Tasks that share in the wanted tree agree at least where it counts; those apart in every tree do not.
    choices = probs_LTC.argmax(dim=-1)
    assert BranchTree.from_choices(NAMES, choices.tolist()) == PLANTED


def test_a_search_with_one_candidate_has_nothing_to_decide():
    assert not starting_logits(MEASURED, CURVE, candidate_sources(MEASURED, 1), [100.0]).any()


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("num_candidates", [2, 3, 4])
def test_candidates_start_from_first_copies(num_candidates, affine):
    tasks = toy_tasks(3)
    copies = seeded(lambda: make_copies(VectorBackbone(2), tasks, 2, affine_last_norm=affine), 1)
    supernet = seeded(lambda: Supernet(VectorBackbone(2), tasks, num_candidates, affine_last_norm=affine), 2)
    sources = [[0, 2, 1, -1][:num_candidates], [1, 0, 2, -1][:num_candidates]]
    last = {name: tensor.clone() for name, tensor in supernet.blocks[0][-1].state_dict().items()}
    start_candidates(supernet, copies, sources)
    assert_same(dict(supernet.stem.state_dict()), dict(copies.stem.state_dict()))
    assert_same(dict(supernet.heads["t1"].state_dict()), dict(copies.heads["t1"].state_dict()))
    for l, row in enumerate(sources):
        for c, source in enumerate(row):
            if source >= 0:
                assert_same(dict(supernet.blocks[l][c].state_dict()), dict(copies.blocks[l][source].state_dict()))
    if num_candidates == 4:
        assert_same(dict(supernet.blocks[0][-1].state_dict()), last)
