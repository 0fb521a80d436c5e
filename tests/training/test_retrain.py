import pytest
import torch
from hypothesis import given, settings
from toys import DEVICE, ToyData, VectorBackbone, assert_same, copied_state, names, seeded, toy_tasks
from tree_strategies import trees

from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError, WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.training import Retraining, TrainingSettings, TrainingState, load_network, parameter_groups
from nas.tree import BranchTree

TASKS = toy_tasks(3)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1], [0, 1, 2]])
BACKBONE = VectorBackbone(3, dropout=0.3)


class Interrupted(Exception):
    pass


class Recorded:
    """A data source that remembers which splits were asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    def split(self, name):
        self.asked.append(name)
        return self.data.split(name)


def new_network(seed=0, tree=TREE, backbone=BACKBONE, tasks=TASKS):
    return seeded(lambda: BranchedNetwork(backbone, tasks, tree), seed)


def new_training(training, data=None, tasks=TASKS, cls=Retraining, seed=0):
    return cls(tasks, data or ToyData(tasks, missing=0.3), training, seed=seed, device=DEVICE)


def train(training, network, folder, on_epoch=lambda record: None):
    state = TrainingState.start(network, training.settings)
    training.run(state, CheckpointFolder(folder), on_epoch)
    return state


@pytest.mark.parametrize("shared_lr", ["same", "divided"])
@pytest.mark.parametrize(
    "optimizer",
    [OptimizerSettings(lr=1e-2, weight_decay=1e-3), OptimizerSettings(kind="sgd", lr=0.05, momentum=0.9)],
)
def test_a_resumed_training_is_bitwise_an_undisturbed_one(tmp_path, optimizer, shared_lr):
    training = new_training(
        TrainingSettings(
            epochs=5,
            batch_size=16,
            optimizer=optimizer,
            schedule=ScheduleSettings(kind="cosine", warmup=0.1),
            shared_lr=shared_lr,
        )
    )
    whole = train(training, new_network(), tmp_path / "whole")

    def stop(record):
        if record["epoch"] == 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(training, new_network(), tmp_path / "parts", stop)
    torch.manual_seed(12345)  # whatever the new process did before
    resumed = TrainingState.start(new_network(seed=9), training.settings)
    checkpoints = CheckpointFolder(tmp_path / "parts")
    resumed.load(checkpoints.latest(), "parts")
    assert resumed.num_epochs == 2
    seen = []
    training.run(resumed, checkpoints, seen.append)
    assert [record["epoch"] for record in seen] == [2, 3, 4]
    assert (resumed.num_epochs, len(resumed.history)) == (5, 5)
    assert_same(resumed.record(), whole.record())
    assert_same(checkpoints.latest(), CheckpointFolder(tmp_path / "whole").latest())


def test_training_depends_on_the_seed_and_on_nothing_around_it(tmp_path):
    settings = TrainingSettings(epochs=1, batch_size=16)
    records = []
    for i, seed in enumerate((0, 0, 1)):
        torch.manual_seed(i)
        before = torch.get_rng_state()
        records.append(train(new_training(settings, seed=seed), new_network(), tmp_path / str(i)).record())
        assert torch.equal(torch.get_rng_state(), before)
    assert_same(records[0], records[1])
    assert not torch.equal(records[0]["network"]["stem.0.weight"], records[2]["network"]["stem.0.weight"])


def test_training_lowers_the_loss(tmp_path):
    settings = TrainingSettings(epochs=30, batch_size=32, optimizer=OptimizerSettings(lr=1e-2))
    state = train(new_training(settings), new_network(backbone=VectorBackbone(3)), tmp_path)
    first, last = (state.history[i]["training"]["total"] for i in (0, -1))
    # Three tasks start at log 3, log 3 and a variance of about 0.4; well under half of it is learnt by far.
    assert last < 0.5 * first


def test_splits_are_those_of_the_settings_and_never_the_test_split(tmp_path):
    for splits in (("train", "architecture"), ("train",)):
        data = Recorded(ToyData(TASKS, size=40))
        training = new_training(TrainingSettings(epochs=2, batch_size=8, splits=splits), data)
        steps = []
        state = TrainingState.start(new_network(), training.settings)
        state.optimizer.register_step_post_hook(lambda *_, steps=steps: steps.append(1))
        training.run(state, CheckpointFolder(tmp_path / "-".join(splits)), lambda record: None)
        assert set(data.asked) == {*splits, "validation"}
        assert len(steps) == 2 * len(splits) * 40 // 8
    with pytest.raises(ValueError, match="splits"):
        TrainingSettings(splits=())


@pytest.mark.parametrize(("size", "num_steps"), [(40, 5), (41, 5), (7, 1), (8, 1)])
def test_the_schedule_is_followed_step_by_step(tmp_path, size, num_steps):
    schedule = ScheduleSettings(kind="polynomial", warmup=0.25)
    training = new_training(
        TrainingSettings(
            epochs=3, batch_size=8, splits=("train",), schedule=schedule, optimizer=OptimizerSettings(lr=0.1)
        ),
        ToyData(TASKS, size=size),
    )
    state, rates = TrainingState.start(new_network(), training.settings), []
    state.optimizer.register_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    training.run(state, CheckpointFolder(tmp_path), lambda record: None)
    total = 3 * num_steps
    assert rates == pytest.approx([0.1 * schedule.factor(i / total, 1 / total) for i in range(total)])
    assert rates[0] > 0.0


class Scripted(Retraining):
    """Validation losses as they are told."""

    losses = ()

    def evaluate(self, network, split):
        assert split == "validation"
        assert not torch.is_inference_mode_enabled()
        loss = self.losses[self.calls]
        self.calls += 1
        return {task.name: {"loss": loss} for task in self.tasks}

    calls = 0


def scripted(losses, patience, epochs=6):
    training = new_training(TrainingSettings(epochs=epochs, batch_size=32, patience=patience), cls=Scripted)
    training.losses = losses
    return training


@pytest.mark.parametrize(
    ("losses", "patience", "num_epochs", "best_epoch"),
    [
        ([3, 2, 4, 5, 1, 1], 2, 4, 2),
        ([3, 2, 4, 5, 1, 1], None, 6, 5),
        ([3, 2, 4, 5, 1, 1], 3, 6, 5),
        ([3, 3, 3, 3, 3, 3], 1, 2, 1),
        ([6, 5, 4, 3, 2, 1], 1, 6, 6),
    ],
)
def test_patience_and_the_best_epoch_by_validation(tmp_path, losses, patience, num_epochs, best_epoch):
    training = scripted(losses, patience)
    weights = []
    state = TrainingState.start(new_network(), training.settings)
    checkpoints = CheckpointFolder(tmp_path)
    training.run(state, checkpoints, lambda record: weights.append(copied_state(state.network)))
    assert (state.num_epochs, state.best_epoch) == (num_epochs, best_epoch)
    assert state.best_loss == len(TASKS) * min(losses[:num_epochs])
    # The best epoch's own weights are there.
    best = load_tensors(checkpoints.path(best_epoch))
    assert_same(dict(best["network"]), weights[best_epoch - 1])


def test_a_training_that_has_stopped_early_stays_stopped(tmp_path):
    training = scripted([3, 4, 5, 6], patience=2)
    train(training, new_network(), tmp_path)
    resumed = TrainingState.start(new_network(), training.settings)
    checkpoints = CheckpointFolder(tmp_path)
    resumed.load(checkpoints.latest(), "here")
    training.run(resumed, checkpoints, lambda record: pytest.fail("trained on"))
    assert resumed.num_epochs == 3


def test_validation_weighs_the_tasks(tmp_path):
    tasks = (TASKS[0], TASKS[1].model_copy(update={"weight": 10.0}), TASKS[2])
    state = train(new_training(TrainingSettings(epochs=1, batch_size=32), tasks=tasks), new_network(), tmp_path)
    validation = state.history[0]["validation"]
    losses = {name: measured["loss"] for name, measured in validation["tasks"].items()}
    assert validation["total"] == pytest.approx(losses["t0"] + 10 * losses["t1"] + losses["t2"])


@settings(deadline=None, max_examples=30)
@given(trees(tasks=names(toy_tasks(5))))
def test_the_optimizers_groups_cover_every_parameter_once_at_a_rate_of_one_kth(tree):
    network = BranchedNetwork(VectorBackbone(len(tree.partitions)), toy_tasks(5), tree)
    for shared_lr in ("same", "divided"):
        groups = parameter_groups(network, TrainingSettings(optimizer=OptimizerSettings(lr=0.6), shared_lr=shared_lr))
        rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
        assert sum(len(group["params"]) for group in groups) == len(rates) == len(list(network.parameters()))
        expected = {id(parameter): 0.6 / 5 for parameter in network.stem.parameters()}
        expected |= {id(parameter): 0.6 for parameter in network.heads.parameters()}
        for partition, instances in zip(tree.partitions, network.blocks, strict=True):
            for group, instance in zip(partition, instances, strict=True):
                expected |= {id(parameter): 0.6 / len(group) for parameter in instance.parameters()}
        assert rates == (expected if shared_lr == "divided" else dict.fromkeys(expected, 0.6))


def test_a_divided_rate_moves_a_shared_part_by_one_kth_of_its_gradient(tmp_path):
    settings = TrainingSettings(
        epochs=1,
        batch_size=48,
        splits=("train",),
        optimizer=OptimizerSettings(kind="sgd", lr=0.5),
        schedule=ScheduleSettings(kind="constant"),
        shared_lr="divided",
    )
    network = new_network(backbone=VectorBackbone(3)).double()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    data = ToyData(TASKS)
    for split in data.splits.values():
        object.__setattr__(split, "inputs", split.inputs.double())
        object.__setattr__(
            split, "labels", {k: v.double() if v.is_floating_point() else v for k, v in split.labels.items()}
        )
    train(new_training(settings, data), network, tmp_path)
    # One step, on the whole split.
    users = {"stem": 3, "blocks.0.0": 3, "blocks.1.0": 2, "blocks.1.1": 1, "blocks.2": 1, "heads": 1}
    for name, parameter in network.named_parameters():
        k = next(count for prefix, count in users.items() if name.startswith(prefix))
        # A bias before a BatchNorm has no gradient but rounding; others are in double precision, relative to 1.
        torch.testing.assert_close(before[name] - parameter, 0.5 / k * parameter.grad, rtol=1e-6, atol=1e-15)
        assert parameter.grad.abs().max() > 1e-6 or name == "stem.0.bias"


def test_a_task_without_labels_gets_no_gradient_in_what_is_its_own(tmp_path):
    data = ToyData(TASKS)
    for split in ("train", "architecture"):
        data.split(split).present["t2"][:] = False
    network = new_network()
    before = copied_state(network)
    training = new_training(
        TrainingSettings(epochs=1, batch_size=16, optimizer=OptimizerSettings(weight_decay=0.1)), data
    )
    train(training, network, tmp_path)
    own = [name for name, _ in network.named_parameters() if name.startswith(("heads.t2", "blocks.1.1", "blocks.2.2"))]
    assert len(own) == 2 + 3 + 3
    after = copied_state(network)
    assert all(torch.equal(after[name], before[name]) for name in own)
    assert not torch.equal(after["heads.t1.linear.weight"], before["heads.t1.linear.weight"])


def failing_tasks(value):
    def loss(outputs, labels):
        return (outputs * value).sum()

    return (TASKS[0], Task(name="t1", num_outputs=2, loss=loss, metrics=("rmse",)), TASKS[2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_fails(tmp_path, value):
    training = new_training(TrainingSettings(epochs=2, batch_size=16), tasks=failing_tasks(value))
    with pytest.raises(
        WorkFailed, match=r"^epoch 1: the training loss of t1 is (nan|inf|-inf); lower the learning rate"
    ):
        train(training, new_network(), tmp_path)
    assert CheckpointFolder(tmp_path).epochs() == []


def test_a_validation_loss_that_is_not_finite_fails(tmp_path):
    with pytest.raises(WorkFailed, match=r"^epoch 2: the validation loss of t0 is nan; lower the learning rate"):
        train(scripted([1.0, float("nan")], None), new_network(), tmp_path)


def test_training_without_any_label_fails(tmp_path):
    data = ToyData(TASKS)
    for split in ("train", "architecture"):
        for rows in data.split(split).present.values():
            rows[:] = False
    with pytest.raises(WorkFailed, match=r"epoch 1: no batch had a label of t0, t1, t2"):
        train(new_training(TrainingSettings(batch_size=16), data), new_network(), tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    training = new_training(TrainingSettings(epochs=1, batch_size=32))
    train(training, new_network(), tmp_path)
    record = CheckpointFolder(tmp_path).latest()
    other = TrainingState.start(new_network(tree=BranchTree.shared(names(TASKS), 3)), training.settings)
    with pytest.raises(InputError, match=r"^the folder: its weights do not fit the network of this tree") as raised:
        other.load(record, "the folder")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("broken", [{}, {"network": 3}, {"network": {"stem.0.weight": 1.0}}, {"network": None}])
def test_weights_that_are_none_are_refused(broken):
    with pytest.raises(InputError, match=r"^the file: its weights do not fit the network of this tree"):
        load_network(new_network(), broken, "the file")


@pytest.mark.parametrize("missing", ["optimizer", "num_epochs", "best_epoch", "best_loss", "history"])
def test_a_record_that_lacks_a_part_is_refused(tmp_path, missing):
    training = new_training(TrainingSettings(epochs=1, batch_size=32))
    state = train(training, new_network(), tmp_path)
    record = CheckpointFolder(tmp_path).latest()
    del record[missing]
    with pytest.raises(InputError, match=f"^here: not a checkpoint of this training.*{missing}"):
        state.load(record, "here")
    record[missing] = object()
    if missing != "best_epoch":
        with pytest.raises(InputError, match=r"^here: not a checkpoint of this training"):
            state.load(record, "here")


def test_samples_and_dropout_are_drawn_anew_in_every_epoch():
    training = new_training(TrainingSettings(epochs=3, batch_size=16))
    state = TrainingState.start(new_network(), training.settings)
    seeds, inputs = [], []
    state.network.stem.register_forward_hook(lambda module, arguments, _: inputs.append(arguments[0]))
    state.network.stem.register_forward_hook(lambda *_: seeds.append(torch.initial_seed()))
    firsts = []
    for epoch in (0, 1, 2):
        seeds.clear(), inputs.clear()
        training.train_epoch(state, epoch)
        firsts.append((seeds[0], tuple(inputs[0].flatten().tolist())))
    assert len({seed for seed, _ in firsts}) == len({batch for _, batch in firsts}) == 3
