"""Whole trainings with options: resumed bitwise, and what is measured, kept and stopped on."""

import pytest
import torch
from toys import DEVICE, ToyData, VectorBackbone, assert_same, copied_state, names, seeded, toy_tasks

from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.training import DistillSettings, Retraining, TrainingSettings, TrainingState, load_network
from nas.tree import BranchTree

TASKS = toy_tasks(3)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1], [0, 1, 2]])

EVERYTHING = {
    "optimizer": OptimizerSettings(kind="adamw", lr=1e-2, weight_decay=1e-3),
    "schedule": ScheduleSettings(kind="cosine", warmup=0.2),
    "accumulate": 2,
    "clip_norm": 1.0,
    "ema": 0.9,
    "distill": DistillSettings(weight=0.5),
    "stop_on": {"t0.accuracy": 1.0, "t1": 2.0},
    "patience": 4,
}


class Interrupted(Exception):
    pass


def new_network(seed=0, tree=TREE):
    return seeded(lambda: BranchedNetwork(VectorBackbone(3, dropout=0.3), TASKS, tree), seed)


def new_training(settings, missing=0.3):
    teachers = {task: new_network(7, BranchTree.shared([task], 3)) for task in names(TASKS)}
    return Retraining(
        TASKS,
        # So few labels that some steps lack a task.
        ToyData(TASKS, size=24, missing=missing),
        settings,
        seed=0,
        device=DEVICE,
        teachers=teachers if settings.distill.weight else None,
    )


def train(training, folder, network=None, on_epoch=lambda record: None):
    state = TrainingState.start(network or new_network(), training.settings)
    training.run(state, CheckpointFolder(folder), on_epoch)
    return state


@pytest.mark.parametrize(
    ("balance", "aggregate", "compute"),
    [
        ("uncertainty", "gradvac", ComputeSettings()),
        ("dwa", "pcgrad", ComputeSettings(precision="bfloat16")),
        ("random", "graddrop", ComputeSettings(channels_last=True)),
        ("imtl_l", "none", ComputeSettings()),
        ("none", "aligned_mtl", ComputeSettings()),
    ],
)
def test_a_resumed_training_is_bitwise_an_undisturbed_one(tmp_path, balance, aggregate, compute):
    settings = TrainingSettings(
        **EVERYTHING, epochs=5, batch_size=4, balance=balance, aggregate=aggregate, compute=compute
    )
    training = new_training(settings, missing=0.7)
    whole = train(training, tmp_path / "whole")

    def stop(record):
        if record["epoch"] == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(training, tmp_path / "parts", on_epoch=stop)
    torch.manual_seed(12345)  # whatever the new process did before
    checkpoints = CheckpointFolder(tmp_path / "parts")
    resumed = TrainingState.start(new_network(9), settings)
    resumed.load(checkpoints.latest(), "parts")
    assert resumed.num_epochs == 3
    new_training(settings, missing=0.7).run(resumed, checkpoints, lambda record: None)
    assert_same(resumed.record(), whole.record())
    # Read back, so that types are a checkpoint's.
    assert_same(checkpoints.latest(), CheckpointFolder(tmp_path / "whole").latest())
    options = {"balance": balance != "none", "aggregation": aggregate != "none", "averaged_steps": True}
    assert {name for name, is_on in options.items() if is_on} <= set(whole.record())


def test_a_checkpoint_without_options_is_as_it_was(tmp_path):
    state = train(new_training(TrainingSettings(epochs=1, batch_size=16)), tmp_path)
    assert set(state.record()) == {"network", "optimizer", "best_epoch", "best_loss", "history"}


@pytest.mark.parametrize("part", ["trained_network", "averaged_steps", "balance", "aggregation"])
def test_a_checkpoint_that_lacks_an_option_is_refused(tmp_path, part):
    settings = TrainingSettings(epochs=1, batch_size=16, ema=0.9, balance="dwa", aggregate="gradvac")
    state = train(new_training(settings), tmp_path)
    record = CheckpointFolder(tmp_path).latest()
    for broken in (
        {key: value for key, value in record.items() if key != part},
        record | {part: 3.5 if part != "averaged_steps" else "x"},
    ):
        with pytest.raises(InputError, match=r"^here: (not a checkpoint of this training|its weights do not fit)"):
            state.load(broken, "here")
    with pytest.raises(InputError, match=r"^here: not a checkpoint of this training"):
        state.load(record | {"aggregation": {"t0,t1,t2/t0,t1": {"_phi": torch.zeros(1)}}}, "here")


def test_the_average_is_measured_chosen_and_kept(tmp_path):
    settings = TrainingSettings(epochs=4, batch_size=16, ema=0.9, optimizer=OptimizerSettings(lr=5e-2))
    training = new_training(settings)
    measured = []
    state = TrainingState.start(new_network(), settings)

    def look(record):
        measured.append((training.evaluate(state.average.network, "validation"), copied_state(state.average.network)))

    training.run(state, CheckpointFolder(tmp_path), look)
    assert [record["validation"]["tasks"] for record in state.history] == [values for values, _ in measured]
    best = load_tensors(CheckpointFolder(tmp_path).path(state.best_epoch))
    # The average of a training that is still noisy is not its last weights.
    assert not torch.equal(best["network"]["stem.0.weight"], best["trained_network"]["stem.0.weight"])
    loaded = new_network(3)
    load_network(loaded, best, "best")
    assert_same(copied_state(loaded), measured[state.best_epoch - 1][1])


class Scripted(Retraining):
    """Validation measures as they are told: accuracy of t0, and all losses."""

    script = ()
    calls = 0

    def evaluate(self, network, split):
        loss, accuracy = self.script[self.calls]
        self.calls += 1
        return {task.name: {"loss": loss, "accuracy": accuracy} for task in self.tasks}


@pytest.mark.parametrize(
    ("stop_on", "num_epochs", "best_epoch"),
    [(None, 3, 1), ({"t0.accuracy": 1.0}, 5, 3), ({"t0.accuracy": 1.0, "t1": 0.05}, 4, 2)],
)
def test_patience_and_the_best_epoch_go_by_the_mix(tmp_path, stop_on, num_epochs, best_epoch):
    settings = TrainingSettings(epochs=6, batch_size=32, patience=2, stop_on=stop_on)
    training = Scripted(TASKS, ToyData(TASKS), settings, seed=0, device=DEVICE)
    training.script = [(1.0, 0.1), (2.0, 0.5), (9.0, 0.6), (3.0, 0.55), (3.0, 0.55), (3.0, 0.55)]
    state = train(training, tmp_path)
    assert (state.num_epochs, state.best_epoch) == (num_epochs, best_epoch)


@pytest.mark.parametrize(
    ("size", "accumulate", "num_steps"), [(40, 1, 5), (40, 2, 3), (41, 5, 1), (40, 9, 1), (7, 3, 1)]
)
def test_the_steps_of_an_epoch_and_their_rates(tmp_path, size, accumulate, num_steps):
    schedule = ScheduleSettings(kind="polynomial", warmup=0.25)
    settings = TrainingSettings(
        epochs=3,
        batch_size=8,
        splits=("train",),
        accumulate=accumulate,
        schedule=schedule,
        optimizer=OptimizerSettings(lr=0.1),
    )
    training = Retraining(TASKS, ToyData(TASKS, size=size), settings, seed=0, device=DEVICE)
    state, rates = TrainingState.start(new_network(), settings), []
    state.optimizer.register_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    training.run(state, CheckpointFolder(tmp_path), lambda record: None)
    total = 3 * num_steps
    assert rates == pytest.approx([0.1 * schedule.factor(i / total, 1 / total) for i in range(total)])


def test_training_losses_are_told_by_task(tmp_path):
    state = train(new_training(TrainingSettings(epochs=1, batch_size=16), missing=0.0), tmp_path)
    training = state.history[0]["training"]
    assert list(training["tasks"]) == list(names(TASKS))
    # Sums of single precision.
    assert training["total"] == pytest.approx(sum(training["tasks"].values()), rel=1e-6)


def test_a_measure_that_is_not_there_is_told_before_training():
    with pytest.raises(InputError, match=r"retrain.stop_on: there is no task 'seg'"):
        new_training(TrainingSettings(stop_on={"seg.iou": 1.0}))


@pytest.mark.parametrize(
    "options", [{"aggregate": "aligned_mtl"}, {"balance": "uncertainty"}, {"accumulate": 2}, {"ema": 0.9}]
)
def test_training_with_an_option_lowers_the_loss(tmp_path, options):
    settings = TrainingSettings(epochs=25, batch_size=12, optimizer=OptimizerSettings(lr=1e-2), **options)
    network = seeded(lambda: BranchedNetwork(VectorBackbone(3), TASKS, TREE))
    state = train(new_training(settings, missing=0.0), tmp_path, network)
    first, last = (state.history[i]["training"]["total"] for i in (0, -1))
    # As without options, in which a half is reached by far.
    assert last < 0.6 * first
