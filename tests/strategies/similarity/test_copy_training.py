import json

import pytest
import torch
from toys import DEVICE, ToyData, VectorBackbone, assert_same, copied_state, names, seeded, toy_batch, toy_tasks

from nas.engine.checkpoint import CheckpointFolder
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError, WorkFailed
from nas.strategies.similarity import CopyTraining, SimilaritySettings
from nas.strategies.similarity.copies import make_copies, twin_batch, twins_of
from nas.tasks import Task
from search_spaces import DigitsBackbone

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2, dropout=0.2)
# Batched candidates are traced first, which takes longer than these trainings.
QUICK = {"epochs": 3, "batch_size": 16, "candidates": "plain"}


class Interrupted(Exception):
    pass


def new_training(settings=None, tasks=TASKS, data=None, seed=0, **options):
    settings = settings or SimilaritySettings(**QUICK)
    return CopyTraining(tasks, data or ToyData(tasks, missing=0.2), settings, seed=seed, device=DEVICE, **options)


def run(training, folder, on_epoch=lambda record: None, state=None):
    state = state or training.start(BACKBONE)
    training.run(state, CheckpointFolder(folder), on_epoch)
    return state


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_resumed_warm_up_is_bitwise_an_undisturbed_one(tmp_path, kind):
    settings = SimilaritySettings(**QUICK, weights=OptimizerSettings(kind=kind, lr=1e-2))
    whole = run(new_training(settings), tmp_path / "whole")
    for stopped_after in (0, 1, 2):
        folder = tmp_path / str(stopped_after)

        def stop(record, last=stopped_after):
            if record["epoch"] == last:
                raise Interrupted

        with pytest.raises(Interrupted):
            run(new_training(settings), folder, stop)
        torch.manual_seed(12345)  # whatever the new process did before
        training = new_training(settings)
        state = training.start(BACKBONE)
        state.load(CheckpointFolder(folder).latest(), "here")
        assert state.num_epochs == stopped_after + 1
        run(training, folder, state=state)
        assert_same(state.record(), whole.record())
        assert_same(CheckpointFolder(folder).latest(), CheckpointFolder(tmp_path / "whole").latest())


def test_a_warm_up_depends_on_the_seed_and_on_nothing_around_it(tmp_path):
    records = []
    for i, seed in enumerate((0, 0, 1)):
        torch.manual_seed(i)
        before = torch.get_rng_state()
        records.append(run(new_training(seed=seed), tmp_path / str(i)).record())
        assert torch.equal(torch.get_rng_state(), before)
    assert_same(records[0], records[1])
    assert not torch.equal(records[0]["supernet"]["stem.0.weight"], records[2]["supernet"]["stem.0.weight"])


def test_copies_start_differently_and_a_twins_head_is_made_for_its_task():
    # This backbone makes a head by its task's name.
    tasks = (Task(name="restore", num_outputs=1, loss="mse", metrics=("rmse",)),)
    copies = seeded(lambda: make_copies(DigitsBackbone(widths=(4, 4), strided=()), tasks, 2))
    assert list(copies.heads) == ["restore", "restore:1"]
    assert type(copies.heads["restore"]) is type(copies.heads["restore:1"])
    for candidates in copies.blocks:
        assert not torch.equal(candidates[0].conv.weight, candidates[1].conv.weight)


def test_every_copy_is_trained_as_if_alone():
    """With the stem held still, the copies of a task are what they are when no other task has labels."""
    settings = SimilaritySettings(**QUICK, weights=OptimizerSettings(kind="sgd", lr=0.1))
    results = []
    for without in ((), ("t0", "t2")):
        training = new_training(settings)
        state = training.start(VectorBackbone(2))
        state.copies.stem.requires_grad_(False)
        for seed in range(3):
            training.step(state, toy_batch(TASKS, without=without, seed=seed))
        own = [state.copies.blocks[l][c] for l in (0, 1) for c in (1, 4)]
        results.append([copied_state(part) for part in [*own, state.copies.heads["t1"], state.copies.heads["t1:1"]]])
    torch.testing.assert_close(*results)


def test_copies_that_run_together_are_those_that_run_one_after_another():
    stems = []
    for candidates in ("plain", "batched"):
        training = new_training(SimilaritySettings(**{**QUICK, "candidates": candidates}))
        state = training.start(VectorBackbone(2))
        for seed in range(2):
            training.step(state, toy_batch(TASKS, seed=seed))
        stems.append(copied_state(state.copies))
    # Sums of single precision in another order, and Adam divides by small gradients.
    torch.testing.assert_close(*stems, rtol=1e-3, atol=1e-5)


def test_a_task_without_labels_in_a_batch_is_not_touched():
    training = new_training(
        SimilaritySettings(**QUICK, weights=OptimizerSettings(kind="adam", lr=1e-2, weight_decay=0.1))
    )
    state = training.start(BACKBONE)
    training.step(state, toy_batch(TASKS))  # so that the optimiser has moments to move by
    before = {name: tensor.clone() for name, tensor in state.copies.named_parameters()}
    losses = training.step(state, toy_batch(TASKS, without=("t1",), seed=1))
    assert sorted(losses) == ["t0", "t0:1", "t2", "t2:1"]
    same = {name for name, tensor in state.copies.named_parameters() if torch.equal(tensor, before[name])}
    idle = (*(f"blocks.{l}.{c}." for l in (0, 1) for c in (1, 4)), "heads.t1.", "heads.t1:1.")
    assert same == {name for name in before if name.startswith(idle)}
    after = copied_state(state.copies)
    assert training.step(state, toy_batch(TASKS, without=names(TASKS))) == {}
    assert_same(copied_state(state.copies), after)


def test_a_task_with_labels_on_a_few_samples_is_trained_on_these(tmp_path):
    data = ToyData(TASKS)
    for split in ("train", "architecture"):
        data.split(split).present["t1"][1:] = False
    state = run(new_training(data=data), tmp_path)
    assert all("t1" in record["weights"]["tasks"] for record in state.history)
    steps = {
        name: state.optimizer.state[tensor]["step"].item() for name, tensor in state.copies.heads.named_parameters()
    }
    # Two labelled samples: in one or two of the six batches of each of three epochs.
    assert 3 <= steps["t1.linear.weight"] <= 6
    assert steps["t0.linear.weight"] == 18


def test_twins_share_labels_and_nothing_is_copied():
    batch = toy_batch(TASKS, missing=0.5)
    twinned = twin_batch(batch, 2)
    assert set(twinned.labels) == set(twinned.present) == {task.name for task in twins_of(TASKS, 2)}
    assert twinned.labels["t1:1"] is batch.labels["t1"]
    assert twinned.present["t1:1"] is batch.present["t1"]


def test_all_splits_that_are_named_are_trained_on():
    for splits, size in ((("train",), 48), (("train", "architecture"), 96)):
        training = new_training(SimilaritySettings(**QUICK, splits=splits))
        assert len(training.training_set) == size
        assert training.num_steps == len(list(training.batches(0))) == size // 16


def test_the_schedule_is_followed_per_step(tmp_path, monkeypatch):
    rates = []
    settings = SimilaritySettings(**{**QUICK, "epochs": 2, "batch_size": 48}, schedule=ScheduleSettings(kind="cosine"))
    training = new_training(settings)
    step = CopyTraining.step

    def remember(self, state, batch):
        rates.append(state.optimizer.param_groups[0]["lr"] / 1e-3)
        return step(self, state, batch)

    monkeypatch.setattr(CopyTraining, "step", remember)
    run(training, tmp_path)
    assert rates == pytest.approx([1.0, 0.853553, 0.5, 0.146447], abs=1e-6)


def test_the_history_is_plain_and_a_task_counts_once(tmp_path):
    tasks = (TASKS[0], TASKS[1].model_copy(update={"weight": 3.0}), TASKS[2])
    seen = []
    state = run(new_training(tasks=tasks, data=ToyData(tasks)), tmp_path, seen.append)
    assert seen == state.history == json.loads(json.dumps(state.history))
    assert [(record["epoch"], record["phase"]) for record in seen] == [
        (0, "own copies"),
        (1, "own copies"),
        (2, "own copies"),
    ]
    for record in seen:
        losses = record["weights"]["tasks"]
        assert set(losses) == set(names(tasks))
        assert record["weights"]["total"] == pytest.approx(losses["t0"] + 3.0 * losses["t1"] + losses["t2"])
    assert seen[-1]["weights"]["total"] < seen[0]["weights"]["total"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_fails_with_task_and_epoch(tmp_path, value):
    calls = []

    def loss(outputs, labels):
        calls.append(1)
        # Twice a step, six steps an epoch.
        return (outputs - labels).square().mean() if len(calls) <= 12 else (outputs * value).sum()

    tasks = (TASKS[0], Task(name="t1", num_outputs=2, loss=loss, metrics=("rmse",)), TASKS[2])
    with pytest.raises(WorkFailed, match=r"^epoch 2: the loss of t1 is -?(nan|inf)"):
        run(new_training(tasks=tasks, data=ToyData(tasks)), tmp_path)
    assert CheckpointFolder(tmp_path).epochs() == [1]


def test_a_warm_up_without_any_label_fails(tmp_path):
    data = ToyData(TASKS)
    for split in ("train", "architecture"):
        for rows in data.split(split).present.values():
            rows[:] = False
    with pytest.raises(WorkFailed, match="no batch had a label"):
        run(new_training(data=data), tmp_path)


def test_checkpoints_of_other_tasks_or_copies_are_refused(tmp_path):
    run(new_training(), tmp_path)
    saved = CheckpointFolder(tmp_path).latest()
    for other in (
        new_training(tasks=TASKS[:2], data=ToyData(TASKS[:2])),
        new_training(SimilaritySettings(**QUICK, copies=3)),
    ):
        with pytest.raises(InputError, match="here: not a checkpoint of this warm-up"):
            other.start(BACKBONE).load(dict(saved), "here")


def test_a_step_can_be_tried():
    training = new_training()
    losses, seconds = training.try_steps(training.start(BACKBONE))
    assert set(losses) == set(names(TASKS))
    assert seconds > 0
