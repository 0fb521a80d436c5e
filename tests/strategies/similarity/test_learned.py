"""The share of its validation loss that a task's copies explain: 0 by chance, for any loss, and 1 at best."""

import pytest
import torch
from toys import DEVICE, ToyData, VectorBackbone, names, toy_tasks

from nas.data import SPLITS, MaskedTensors
from nas.datasets.digits import DigitPairs, digit_tasks
from nas.engine.optimizer import OptimizerSettings
from nas.strategies.diagnosis import LEARNED
from nas.strategies.similarity import CopyTraining, SimilaritySettings, learned_shares
from nas.tasks import Task
from search_spaces import DigitsBackbone

TASKS = toy_tasks(3)
FAST = OptimizerSettings(kind="adam", lr=1e-2)


def trained(tasks, data, epochs=0, backbone=None, batch_size=16):
    settings = SimilaritySettings(epochs=8, batch_size=batch_size, weights=FAST, candidates="plain")
    training = CopyTraining(tasks, data, settings, seed=0, device=DEVICE)
    state = training.start(backbone or VectorBackbone(2))
    for epoch in range(epochs):
        training.train_epoch(state, epoch)
    return training, state.copies


def regression(loss, labels_N2):
    """A task of two numbers, and data whose inputs are five copies of the first one."""
    inputs_N5 = labels_N2[:, :1].expand(-1, 5).clone()
    data = ToyData(TASKS)
    present = torch.ones(len(labels_N2), dtype=torch.bool)
    data.splits = {name: MaskedTensors(inputs_N5, {"t1": labels_N2}, {"t1": present}) for name in SPLITS}
    return (Task(name="t1", num_outputs=2, loss=loss, metrics=("rmse",)),), data


def cubic(outputs, labels):
    return (outputs - labels).abs().pow(3).mean()


@pytest.mark.parametrize("loss", ["mse", "l1", cubic])
def test_a_constant_has_learned_nothing_however_good_it_is(loss):
    labels_N2 = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    tasks, data = regression(loss, labels_N2)
    training, copies = trained(tasks, data)
    for head in copies.heads.values():
        torch.nn.init.zeros_(head.linear.weight)
        head.linear.bias.data = labels_N2.mean(0)
    # Sums of single precision in another order.
    assert learned_shares(training, copies) == {"t1": pytest.approx(0.0, abs=1e-6)}


def test_perfect_answers_have_learned_all_even_if_the_labels_are_sorted():
    labels_N2 = torch.linspace(0.1, 1.0, 64)[:, None].expand(-1, 2).clone()
    tasks, data = regression("mse", labels_N2)
    training, copies = trained(tasks, data)
    answers = {name: (lambda inputs: inputs[:, :2]) for name in copies.task_names}
    copies.forward = lambda inputs, *_: {name: answer(inputs) for name, answer in answers.items()}
    assert learned_shares(training, copies) == {"t1": 1.0}
    # The least of the copies counts.
    answers["t1:1"] = torch.zeros_like
    copies.forward = lambda inputs, *_: {name: answer(inputs)[:, :2] for name, answer in answers.items()}
    assert learned_shares(training, copies) == {"t1": pytest.approx(0.0, abs=1e-6)}


def test_what_cannot_be_judged_is_left_out():
    data = ToyData(TASKS)
    validation = data.split("validation")
    validation.present["t0"][1:] = False
    validation.labels["t1"][:] = 0.0
    training, copies = trained(TASKS, data)
    for name in ("t1", "t1:1"):
        torch.nn.init.zeros_(copies.heads[name].linear.weight)
        torch.nn.init.zeros_(copies.heads[name].linear.bias)
    assert list(learned_shares(training, copies)) == ["t2"]


def test_missing_labels_do_not_count_and_nothing_is_left_behind():
    training, copies = trained(TASKS, ToyData(TASKS, missing=0.4), epochs=8)
    copies.train()
    before = torch.get_rng_state()
    shares = learned_shares(training, copies)
    assert list(shares) == list(names(TASKS))
    assert all(LEARNED < share < 1.0 for share in shares.values()), shares
    assert copies.training
    assert torch.equal(torch.get_rng_state(), before)
    assert learned_shares(training, copies) == shares


def test_untrained_copies_of_real_images_are_below_the_threshold():
    """The reason of the threshold: features at random explain up to 2 % by chance."""
    data = DigitPairs(num_train=64, num_architecture=64, num_validation=512, num_test=64)
    training, copies = trained(digit_tasks(), data, backbone=DigitsBackbone(), batch_size=64)
    shares = learned_shares(training, copies)
    assert list(shares) == [task.name for task in digit_tasks()]
    assert max(map(abs, shares.values())) < LEARNED
