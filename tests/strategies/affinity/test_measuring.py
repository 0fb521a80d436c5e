"""Gradients and look-ahead steps against the same computed naively, and that measuring leaves no trace."""

import copy
import math

import pytest
import torch
from affinity_toys import BACKBONE, TASKS, TWINS, TwinData, toy_problem
from toys import ToyData, VectorBackbone, assert_same, copied_state, names, seeded, toy_batch

from nas.data import batches
from nas.discretize import value_of
from nas.errors import InputError, WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.strategies.affinity import AffinityRecord, GradientAffinity, Lookahead, unlikeness
from nas.strategies.affinity.lookahead import step_effects
from nas.strategies.affinity.measuring import halves, leaving_no_trace, task_gradients
from nas.strategies.affinity.pair_means import PairMeans
from nas.tasks import Task, task_losses
from nas.tree import BranchTree

QUICK = {"epochs": 2, "batch_size": 16, "every": 1}
BOTH = pytest.mark.parametrize("make", [GradientAffinity, Lookahead])


def shared_network(backbone=BACKBONE, tasks=TASKS):
    tree = BranchTree.shared(names(tasks), backbone.num_blocks)
    return seeded(lambda: BranchedNetwork(backbone, tasks, tree)).double()


def doubles(batch):
    """A batch in double precision, so that rounding hides nothing."""
    labels = {name: values.double() if values.is_floating_point() else values for name, values in batch.labels.items()}
    return batch._replace(inputs=batch.inputs.double(), labels=labels)


def naive_gradient(network, task, batch, block):
    """The gradient by a backward pass of its own."""
    twin = copy.deepcopy(network)
    (task.weight * task_losses([task], twin(batch.inputs), batch)[task.name]).backward()
    return torch.cat([parameter.grad.flatten() for parameter in twin.blocks[block].parameters()])


def test_cosines_are_those_of_separate_backward_passes():
    network, batch = shared_network(), doubles(toy_batch(TASKS))
    found_LTT = GradientAffinity().affinity(network, TASKS, batch)
    first, second = halves(batch)
    for l in range(2):
        for s, one in enumerate(TASKS):
            for t, other in enumerate(TASKS):
                cosines = [
                    torch.cosine_similarity(
                        naive_gradient(network, one, a, l), naive_gradient(network, other, b, l), dim=0
                    )
                    for a, b in ((first, second), (second, first))
                ]
                # Sums in another order.
                assert found_LTT[l, s, t].item() == pytest.approx(sum(cosines).item() / 2, abs=1e-12)


def naive_effects(network, batch, rate, blocks):
    """Z(s -> t) by plain gradient descent on copies of the network."""
    first, second = halves(batch)
    found = torch.zeros(len(TASKS), len(TASKS), dtype=torch.float64)
    before = task_losses(TASKS, network(second.inputs), second)
    for s, source in enumerate(TASKS):
        stepped = copy.deepcopy(network)
        (source.weight * task_losses([source], stepped(first.inputs), first)[source.name]).backward()
        torch.optim.SGD([p for l in blocks for p in stepped.blocks[l].parameters()], lr=rate).step()
        after = task_losses(TASKS, stepped(second.inputs), second)
        for t, task in enumerate(TASKS):
            found[t, s] = 1.0 - after[task.name].item() / before[task.name].item()
    return found


def test_look_ahead_steps_are_those_of_gradient_descent_on_copies():
    network, batch = shared_network(), doubles(toy_batch(TASKS))
    found = step_effects(network, TASKS, batch, 0.1, [[0], [1], [0, 1]])
    for effects_TT, blocks in zip(found, ([0], [1], [0, 1]), strict=True):
        torch.testing.assert_close(effects_TT, naive_effects(network, batch, 0.1, blocks), rtol=1e-9, atol=1e-12)
    # To first order a step on all blocks does what the steps on single blocks do.
    small = step_effects(network, TASKS, batch, 1e-6, [[0], [1], [0, 1]])
    torch.testing.assert_close(small[0] + small[1], small[2], rtol=1e-3, atol=1e-11)
    assert torch.equal(Lookahead(rate=0.1).affinity(network, TASKS, batch), 100.0 * found[:2])


@BOTH
def test_measuring_changes_no_weight_buffer_or_random_number(make):
    network, batch = shared_network(VectorBackbone(2, dropout=0.4)), doubles(toy_batch(TASKS))
    before, state = copied_state(network), torch.get_rng_state()
    with leaving_no_trace(network, torch.device("cpu")):
        make().affinity(network, TASKS, batch)
    assert_same(copied_state(network), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in network.parameters())


@BOTH
def test_a_training_has_the_same_weights_however_often_it_is_measured(make, tmp_path):
    ended = []
    for every in (1, 100):
        problem = toy_problem(tmp_path / str(every), backbone=VectorBackbone(2, dropout=0.4))
        make(**{**QUICK, "every": every}).search(problem)
        ended.append(problem.store.checkpoints.latest()["network"])
    assert_same(*ended)


def test_dropout_has_the_same_masks_before_and_after_a_step():
    network, batch = shared_network(VectorBackbone(2, dropout=0.4)), doubles(toy_batch(TASKS))
    effects = step_effects(network, TASKS, batch, 1e-9, [[0, 1]])
    # A step this small changes losses by less than 1e-7; other masks change them by a tenth.
    assert effects.abs().max() < 1e-6


@BOTH
def test_equal_tasks_are_not_unlike(make, tmp_path):
    problem = toy_problem(tmp_path, tasks=TWINS, data=TwinData())
    # Heads that differ make the gradients differ.
    shared_head = VectorBackbone(2)
    problem = type(problem)(**{**vars(problem), "backbone": EqualHeads(shared_head)})
    make(**QUICK).search(problem)
    record = AffinityRecord.read(problem.store)
    assert record.unlike_LTT == pytest.approx(0.0, abs=1e-5)  # single precision
    assert (abs(torch.tensor(record.affinity_LTT)) > 1e-3).all()


class EqualHeads:
    """A backbone whose heads all start with the same weights, for tasks that stay equal."""

    def __init__(self, backbone):
        self.num_blocks, self.taps = backbone.num_blocks, backbone.taps
        self.make_stem, self.make_block, self._make_head = backbone.make_stem, backbone.make_block, backbone.make_head

    def make_head(self, task):
        return seeded(lambda: self._make_head(task))


@BOTH
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_affinities_are_finite_and_dissimilarities_symmetric(make, missing, tmp_path):
    problem = toy_problem(tmp_path, data=ToyData(TASKS, missing=missing))
    make(**QUICK).search(problem)
    record = AffinityRecord.read(problem.store)
    for values in (record.affinity_LTT, record.dissimilarity_LTT, record.error_LTT):
        assert torch.tensor(values).isfinite().all()
    unlike_LTT = torch.tensor(record.dissimilarity_LTT)
    assert torch.equal(unlike_LTT, unlike_LTT.mT)
    assert (unlike_LTT[:, range(3), range(3)] == 0.0).all()
    assert (torch.tensor(record.error_LTT)[:, [0, 0, 1], [1, 2, 2]] > 0.0).all()


@BOTH
def test_a_batch_without_labels_of_a_task_says_nothing_of_it(make):
    batch = doubles(toy_batch(TASKS, without=("t1",)))
    affinity_LTT = make().affinity(shared_network(), TASKS, batch)
    assert affinity_LTT[:, [0, 0, 2, 2], [0, 2, 0, 2]].isfinite().all()
    assert affinity_LTT[:, 1].isnan().all()
    assert affinity_LTT[:, :, 1].isnan().all()


@BOTH
def test_tasks_that_never_meet_are_refused(make, tmp_path):
    data = ToyData(TASKS)
    for split in data.splits.values():
        half = torch.arange(len(split)) < len(split) // 2
        split.present["t0"], split.present["t2"] = half, ~half
    # One batch of four samples is measured.
    with pytest.raises(
        InputError, match=r"tasks t\d and t\d never had labels in both halves .*raise strategy.batch_size"
    ):
        make(epochs=1, batch_size=4, every=100).search(toy_problem(tmp_path, data=data))


def test_halves_have_the_labels_of_their_samples():
    batch = toy_batch(TASKS, size=9, missing=0.3)
    first, second = halves(batch)
    assert len(first.inputs) == len(second.inputs) == 4
    for name, rows in batch.present.items():
        values = iter(batch.labels[name])
        of_sample = [next(values) if present else None for present in rows]
        for half, start in ((first, 0), (second, 4)):
            expected = [label for label in of_sample[start : start + 4] if label is not None]
            if expected:
                assert torch.equal(half.labels[name], torch.stack(expected))
                assert half.present[name].sum() == len(expected)
            else:
                assert name not in half.labels


def test_frozen_blocks_have_no_gradient_and_make_no_tasks_unlike(tmp_path):
    network = shared_network()
    network.blocks[0].requires_grad_(False)
    affinity_LTT = GradientAffinity().affinity(network, TASKS, doubles(toy_batch(TASKS)))
    assert (affinity_LTT[0] == 0.0).all()
    assert (affinity_LTT[1] != 0.0).all()
    (gradients, *_) = task_gradients(network, TASKS, doubles(toy_batch(TASKS))).values()
    assert gradients[0] == []


def test_a_step_that_diverges_is_one_line(tmp_path):
    with pytest.raises(
        WorkFailed, match=r"a look-ahead step on task t\d gives a loss of (nan|inf); lower strategy.rate"
    ):
        Lookahead(**QUICK, rate=1e38).search(toy_problem(tmp_path))


@pytest.mark.parametrize(("make", "factor"), [(GradientAffinity, 1.0), (Lookahead, 2.0 / 3.0)])
def test_the_record_has_the_dissimilarities_in_the_unit_of_the_trees(make, factor, tmp_path):
    problem = toy_problem(tmp_path)
    found = make(**QUICK).search(problem)
    record = AffinityRecord.read(problem.store)
    expected_LTT = factor * unlikeness(torch.tensor(record.affinity_LTT, dtype=torch.float64))
    torch.testing.assert_close(torch.tensor(record.dissimilarity_LTT, dtype=torch.float64), expected_LTT)
    assert found.trees[0].value == pytest.approx(-value_of(found.trees[0].tree, record.unlike_LTT))
    means = PairMeans(2, 3)
    means.load_state_dict(problem.store.checkpoints.latest()["means"])
    torch.testing.assert_close(torch.tensor(record.error_LTT, dtype=torch.float64), factor * means.error_LTT)


@pytest.mark.parametrize(("make", "extra"), [(GradientAffinity, 7 / 3), (Lookahead, 14 / 6)])
def test_the_cost_counts_what_is_measured(make, extra, tmp_path):
    problem = toy_problem(tmp_path)
    make(epochs=2, batch_size=16, every=3).search(problem)
    # 96 samples give six steps; two of them are measured.
    table = problem.table
    shared = table.tree_cost(BranchTree.shared(names(TASKS), 2))["macs"]
    expected = 2 / 10 * (1 + extra / 3) * shared / (0.85 * table.separate_cost()["macs"])
    assert AffinityRecord.read(problem.store).cost == pytest.approx(expected)
    loader = batches(problem.data.split("train"), 16, seed=0, epoch=0, shuffle=True)
    assert 2 * len(list(loader)) == 6


def test_weights_of_tasks_count_in_steps():
    network, batch = shared_network(), doubles(toy_batch(TASKS))
    heavier = tuple(Task(**{**dict(task), "weight": 3.0}) if task.name == "t1" else task for task in TASKS)
    once, thrice = (step_effects(network, tasks, batch, 1e-6, [[1]])[0] for tasks in (TASKS, heavier))
    torch.testing.assert_close(thrice[:, 1], 3.0 * once[:, 1], rtol=1e-3, atol=1e-12)
    torch.testing.assert_close(thrice[:, 0], once[:, 0])
    assert not math.isclose(once[0, 1].item(), 0.0, abs_tol=1e-12)
