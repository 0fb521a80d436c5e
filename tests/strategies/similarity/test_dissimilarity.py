import json

import numpy as np
import pytest
import torch
from toys import DEVICE, ToyData, VectorBackbone, names, toy_tasks

from nas.errors import InputError
from nas.strategies.similarity import CopyTraining, Dissimilarity, SimilaritySettings, measure_dissimilarity

TASKS = toy_tasks(3)
QUICK = {"epochs": 2, "batch_size": 16, "candidates": "plain"}


def of_copies(copies_LCC, num_tasks=3):
    return Dissimilarity.of_copies([f"t{t}" for t in range(num_tasks)], "r2 of features", copies_LCC)


def random_copies(num_copies, num_tasks=3, num_blocks=2, seed=0):
    half = np.random.default_rng(seed).random((num_blocks, num_copies * num_tasks, num_copies * num_tasks))
    whole = half + half.swapaxes(1, 2)
    whole[:, *np.diag_indices(whole.shape[1])] = 0.0
    return whole


@pytest.mark.parametrize("num_copies", [1, 2, 3])
def test_dissimilarity_floor_and_error_are_what_loops_give(num_copies):
    copies_LCC = random_copies(num_copies)
    measured = of_copies(copies_LCC)
    ks = range(num_copies)
    for l in range(2):
        own = [
            np.mean([copies_LCC[l, k * 3 + t, j * 3 + t] for k in ks for j in ks if j != k] or [0.0]) for t in range(3)
        ]
        for s in range(3):
            for t in range(3):
                if s == t:
                    assert measured.dissimilarity_LTT[l, s, t] == measured.floor_LTT[l, s, t] == 0.0
                    continue
                pairs = [copies_LCC[l, k * 3 + s, j * 3 + t] for k in ks for j in ks]
                assert measured.dissimilarity_LTT[l, s, t] == pytest.approx(np.mean(pairs))
                assert measured.floor_LTT[l, s, t] == pytest.approx((own[s] + own[t]) / 2)
                if num_copies > 1:
                    assert measured.error_LTT[l, s, t] == pytest.approx(np.std(pairs) / num_copies**0.5)
    assert (measured.error_LTT is None) == (num_copies == 1)


def test_a_task_that_is_as_far_from_itself_as_from_others_is_at_the_floor():
    copies_LCC = np.full((1, 6, 6), 0.2)
    copies_LCC[:, [2, 5], :] = copies_LCC[:, :, [2, 5]] = 0.9
    copies_LCC[:, *np.diag_indices(6)] = 0.0
    copies_LCC[:, [0, 1], [3, 4]] = copies_LCC[:, [3, 4], [0, 1]] = 0.1
    above = of_copies(copies_LCC).above_floor()[0]
    assert above[0, 1] == pytest.approx(0.1)
    # The copies of t2 are .9 apart, those of t0 .1: the floor of the two is halfway.
    assert above[0, 2] == pytest.approx(0.9 - 0.5)
    assert of_copies(copies_LCC).above_floor(2.0)[0, 0, 2] == pytest.approx(0.9 - 1.0)


def test_a_file_gives_back_what_was_written():
    for num_copies in (1, 2):
        measured = of_copies(random_copies(num_copies))
        again = Dissimilarity.from_dict(json.loads(json.dumps(measured.to_dict())), "here")
        assert again.tasks == measured.tasks
        assert again.measure == measured.measure
        np.testing.assert_array_equal(again.dissimilarity_LTT, measured.dissimilarity_LTT)
        np.testing.assert_array_equal(again.floor_LTT, measured.floor_LTT)
        assert (again.error_LTT is None) == (num_copies == 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("tasks"),
        lambda record: record.update(schema_version=2),
        lambda record: record["blocks"][0].pop("floor"),
        lambda record: record["blocks"].clear(),
        lambda record: record["tasks"].pop(),
        lambda record: record["blocks"][1]["floor"][0].__setitem__(1, float("nan")),
        lambda record: record["blocks"][1]["floor"][0].__setitem__(1, "x"),
        lambda record: record.update(measure=None),
    ],
)
def test_other_files_are_refused(change):
    record = of_copies(random_copies(2)).to_dict()
    change(record)
    with pytest.raises(InputError, match="here: not the dissimilarities"):
        Dissimilarity.from_dict(record, "here")
    with pytest.raises(InputError):
        Dissimilarity.from_dict([record], "here")


def measured_after(training, backbone, state):
    for epoch in range(2):
        training.train_epoch(state, epoch)
    return measure_dissimilarity(training, state.copies)


def new_training(tasks=TASKS, **settings):
    return CopyTraining(tasks, ToyData(tasks), SimilaritySettings(**{**QUICK, **settings}), seed=0, device=DEVICE)


def test_permuting_the_tasks_permutes_the_result():
    """Copies that start from the same weights, whatever their place."""
    order, backbone = [2, 0, 1], VectorBackbone(2)
    data, results = ToyData(TASKS), []
    for tasks in (TASKS, tuple(TASKS[t] for t in order)):
        training = CopyTraining(tasks, data, SimilaritySettings(**QUICK), seed=0, device=DEVICE)
        state = training.start(backbone)
        for name, parameter in state.copies.named_parameters():
            if name.startswith("blocks."):
                _, l, c, *rest = name.split(".")
                place = names(tasks)[int(c) % 3] + str(int(c) // 3)
            else:
                l, place, rest = "", name, []
            generator = torch.Generator().manual_seed(sum(map(ord, "".join([l, place, *rest]))))
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
        results.append(measured_after(training, backbone, state))
    first, second = results
    assert second.tasks == tuple(first.tasks[t] for t in order)
    # The stem's gradient is summed in another order, and Adam divides by small gradients.
    np.testing.assert_allclose(
        second.dissimilarity_LTT, first.dissimilarity_LTT[:, order][:, :, order], rtol=0.0, atol=2e-3
    )
    np.testing.assert_allclose(second.floor_LTT, first.floor_LTT[:, order][:, :, order], rtol=0.0, atol=2e-3)
    assert first.dissimilarity_LTT.max() > 0.1


@pytest.mark.parametrize("measure", ["r2", "cka", "rdm"])
def test_measuring_changes_nothing_and_gives_the_same_again(measure):
    backbone, training = VectorBackbone(2), new_training(measure=measure)
    state = training.start(backbone)
    first = measured_after(training, backbone, state)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = measure_dissimilarity(training, state.copies)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first.dissimilarity_LTT, again.dissimilarity_LTT)
    assert first.measure == f"{measure} of features"


@pytest.mark.parametrize("num_seeds", [1, 2, 3])
def test_the_mean_over_seeds_has_the_error_of_a_mean(num_seeds):
    seeds = [of_copies(random_copies(2, seed=seed)) for seed in range(num_seeds)]
    mean = Dissimilarity.mean(seeds)
    for name in ("dissimilarity_LTT", "floor_LTT"):
        np.testing.assert_allclose(getattr(mean, name), sum(getattr(one, name) for one in seeds) / num_seeds)
    squares = sum(one.error_LTT**2 for one in seeds)
    np.testing.assert_allclose(mean.error_LTT, squares**0.5 / num_seeds)
    assert mean.above_floor(2.0) == pytest.approx(sum(one.above_floor(2.0) for one in seeds) / num_seeds)
    # A search alone stays what it was, to the last bit.
    if num_seeds == 1:
        assert all((getattr(mean, name) == getattr(seeds[0], name)).all() for name in ("floor_LTT", "error_LTT"))


def test_the_mean_over_seeds_has_an_error_if_all_have_one_and_is_of_one_measure():
    with_error, without = of_copies(random_copies(2)), of_copies(random_copies(1))
    assert Dissimilarity.mean([with_error, without]).error_LTT is None
    other = Dissimilarity(without.tasks, "cka of features", without.dissimilarity_LTT, without.floor_LTT)
    for odd in (
        other,
        of_copies(random_copies(1, num_tasks=2), num_tasks=2),
        of_copies(random_copies(1, num_blocks=3)),
    ):
        with pytest.raises(InputError, match="same tasks, blocks and measure"):
            Dissimilarity.mean([without, odd])
