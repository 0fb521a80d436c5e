import copy
from dataclasses import dataclass

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from toys import DEVICE, VectorBackbone, assert_same, copied_state, names, seeded, toy_batch, toy_tasks

from nas.data import Batch
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.training import DistillSettings, TrainingSettings, TrainingState
from nas.training.distill import Distillation
from nas.training.step import train_step
from nas.tree import BranchTree

TASKS = (*toy_tasks(2), toy_tasks(3, weight=3.0)[2])
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1]])
SGD = OptimizerSettings(kind="sgd", lr=1.0)


@dataclass(frozen=True)
class PlainBackbone(VectorBackbone):
    """Without BatchNorm, so that a batch's rows know nothing of each other."""

    def make_stem(self):
        return nn.Sequential(super().make_stem()[0], nn.Tanh())

    def make_block(self, l):
        return nn.Sequential(super().make_block(l)[0], nn.Tanh())


def new_network(backbone=PlainBackbone(2), tree=TREE, seed=0):
    return seeded(lambda: BranchedNetwork(backbone, TASKS, tree), seed).double()


def batch_of(size=16, missing=0.0, without=(), seed=0):
    batch = toy_batch(TASKS, size, missing, without, seed)
    labels = {n: v.double() if v.is_floating_point() else v for n, v in batch.labels.items()}
    return Batch(batch.inputs.double(), labels, batch.present)


def joined(batches):
    """One batch of the rows of several, of which any may lack any task."""
    labels, present = {}, {}
    for name in names(TASKS):
        labelled = [batch.labels[name] for batch in batches if name in batch.labels]
        if labelled:
            labels[name] = torch.cat(labelled)
            none = torch.zeros(1, dtype=torch.bool)
            present[name] = torch.cat([b.present.get(name, none.expand(len(b.inputs))) for b in batches])
    return Batch(torch.cat([batch.inputs for batch in batches]), labels, present)


def stepped(batches, network=None, distillation=None, lr_factor=1.0, tasks=TASKS, **fields):
    """A network's state after one step, and what the step says of its losses."""
    settings = TrainingSettings(**{"optimizer": SGD, **fields})
    state = TrainingState.start(network or new_network(), settings)
    losses = train_step(state, tasks, batches, settings, lr_factor, distillation)
    return state, losses


def teachers():
    return {
        task: new_network(tree=BranchTree.shared([task], 2), seed=seed) for seed, task in enumerate(names(TASKS), 1)
    }


def change(state, before=None):
    before = copied_state(new_network()) if before is None else before
    return {name: value - before[name] for name, value in copied_state(state.network).items()}


def norm(tensors):
    return torch.linalg.vector_norm(torch.cat([tensor.flatten() for tensor in tensors.values()]))


@pytest.mark.parametrize("fields", [{}, {"aggregate": "mgda"}, {"balance": "uncertainty"}])
@pytest.mark.parametrize("distilled", [False, True])
def test_several_batches_are_one_large_batch(fields, distilled):
    # Of different sizes, and one without any label of a task.
    batches = [batch_of(16, 0.4, seed=0), batch_of(10, 0.2, without=("t2",), seed=1), batch_of(8, 0.5, seed=2)]
    distillation = Distillation(teachers(), DistillSettings(weight=0.7), ComputeSettings()) if distilled else None
    parts, losses = stepped(batches, distillation=distillation, **fields)
    whole, expected = stepped([joined(batches)], distillation=distillation, **fields)
    # Other sums of the same terms in double precision.
    torch.testing.assert_close(change(parts), change(whole), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(losses.by_task, expected.by_task, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(losses.total, expected.total, rtol=1e-9, atol=1e-12)
    assert norm(change(whole)) > 0.1
    if parts.balance is not None:
        torch.testing.assert_close(parts.balance.factors(), whole.balance.factors(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("without", [("t0",), ("t0", "t2")])
@pytest.mark.parametrize("balance", ["none", "uncertainty", "imtl_l", "dwa", "random"])
@pytest.mark.parametrize("aggregate", ["none", "sum", "gradvac", "aligned_mtl"])
def test_a_task_without_labels_moves_nothing_of_its_own(balance, aggregate, without):
    state, losses = stepped([batch_of(without=without)], balance=balance, aggregate=aggregate)
    assert list(losses.by_task) == [name for name in names(TASKS) if name not in without]
    for name, difference in change(state).items():
        own = name.startswith(tuple(f"heads.{task}" for task in without)) or (
            "t2" in without and name.startswith("blocks.1.1")
        )
        assert (difference == 0).all() == own, name


def test_a_step_without_any_label_is_none():
    before = copied_state(new_network())
    state, losses = stepped([batch_of(without=names(TASKS))], ema=0.5, balance="uncertainty", aggregate="pcgrad")
    assert losses is None
    assert state.average.num_steps == 0
    assert_same(copied_state(state.network), before)


@pytest.mark.parametrize("fields", [{"balance": "dwa"}, {"clip_norm": 1e6}, {"ema": 0.9}, {"logs": ("csv",)}])
def test_options_that_do_not_interfere_change_no_bit(fields):
    plain, _ = stepped([batch_of()])
    other, _ = stepped([batch_of()], **fields)
    assert_same(copied_state(other.network), copied_state(plain.network))


def test_learned_factors_weigh_the_step():
    state, losses = stepped([batch_of()], balance="uncertainty")
    plain, expected = stepped([batch_of()], optimizer=OptimizerSettings(kind="sgd", lr=0.5))
    # The factors begin at a half; what is told of the losses is without them.
    torch.testing.assert_close(change(state), change(plain), rtol=1e-12, atol=1e-15)
    assert_same(losses.by_task, expected.by_task)
    assert all(factor != 0.5 for factor in state.balance.factors().values())


def test_the_gradient_is_cut_down_to_its_norm():
    free = norm(change(stepped([batch_of()])[0]))
    state, _ = stepped([batch_of()], clip_norm=free.item() / 3)
    # torch divides by the norm plus 1e-6.
    assert norm(change(state)).item() == pytest.approx(free.item() / 3, rel=1e-4)
    cut_first, _ = stepped([batch_of()], clip_norm=free.item() / 3, lr_factor=0.5)
    assert norm(change(cut_first)).item() == pytest.approx(free.item() / 6, rel=1e-4)


def test_the_average_is_what_is_kept():
    network = new_network(VectorBackbone(2))
    before = copied_state(network)
    state, _ = stepped([batch_of()], network, ema=0.9)
    d = 1 / 10  # the first step's, of a decay that grows to 0.9
    kept = state.record()["network"]
    for name, value in state.network.state_dict().items():
        expected = d * before[name] + (1 - d) * value if value.is_floating_point() else value
        torch.testing.assert_close(kept[name], expected, rtol=1e-12, atol=1e-12)
    assert state.result is state.average.network


def test_bfloat16_trains_weights_of_float32():
    seen, results = [], {}
    for precision in ("float32", "bfloat16"):
        network = new_network().float()
        network.blocks[0][0].register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
        batch = batch_of()
        batch = batch._replace(inputs=batch.inputs.float(), labels={**batch.labels, "t1": batch.labels["t1"].float()})
        state, losses = stepped([batch], network, compute=ComputeSettings(precision=precision))
        results[precision] = losses.total.item()
        assert all(parameter.dtype == torch.float32 for parameter in state.network.parameters())
        assert all(loss.dtype == torch.float32 for loss in losses.by_task.values())
    # Before its first run a part is tried once.
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
    # Eight bits of mantissa.
    assert results["bfloat16"] == pytest.approx(results["float32"], rel=0.02)
    assert results["bfloat16"] != results["float32"]


@pytest.mark.parametrize("aggregate", ["none", "aligned_mtl"])
def test_gradients_that_overflow_are_skipped_and_the_scale_shrinks(aggregate):
    # The scaler that float16 has on a GPU, on a network whose gradients leave the range of float32.
    settings = TrainingSettings(optimizer=SGD, aggregate=aggregate, clip_norm=1e9)
    results = []
    for scale in (1.0, 2.0**60, 2.0**127):
        state = TrainingState.start(new_network().float(), settings)
        state.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        batch = batch_of()
        batch = batch._replace(inputs=batch.inputs.float(), labels={**batch.labels, "t1": batch.labels["t1"].float()})
        train_step(state, TASKS, [batch], settings, 1.0)
        results.append((copied_state(state.network), state.scaler.get_scale()))
    before = copied_state(new_network().float())
    assert not torch.equal(results[0][0]["stem.0.weight"], before["stem.0.weight"])
    assert_same(results[1], (results[0][0], 2.0**60))
    assert_same(results[2], (before, 2.0**126))


def test_a_scaler_goes_on_from_a_checkpoint():
    settings = TrainingSettings()
    state, other = (TrainingState.start(new_network(), settings) for _ in range(2))
    state.scaler, other.scaler = (torch.amp.GradScaler("cpu", init_scale=scale) for scale in (8.0, 2.0))
    state.best_epoch = 1
    record = copy.deepcopy(state.record()) | {"num_epochs": 1}
    # The update of a step that has found no infinity.
    other.load(record, "here")
    assert other.scaler.state_dict() == state.scaler.state_dict()


@pytest.mark.parametrize(
    "fields",
    [
        {"accumulate": 0},
        {"clip_norm": 0.0},
        {"ema": 1.0},
        {"ema": 0.0},
        {"balance": "fair"},
        {"aggregate": "fair"},
        {"distill": {"weight": -1.0}},
        {"distill": {"temperature": 0.0}},
        {"stop_on": {}},
        {"stop_on": {"t0": -1.0}},
        {"logs": ["screen"]},
        {"compute": {"precision": "int8"}},
    ],
)
def test_bad_settings_name_the_field(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        TrainingSettings(**fields)


def test_names_that_are_not_known_are_told_those_that_are():
    with pytest.raises(ValidationError, match=r"there is no aggregation 'fair'; known are none, sum, pcgrad, .*upgrad"):
        TrainingSettings(aggregate="fair")
    with pytest.raises(ValidationError, match=r"there is no balance 'fair'; known are none, uncertainty, .*dwa"):
        TrainingSettings(balance="fair")


def test_what_several_tasks_need_is_not_for_one():
    settings = TrainingSettings(aggregate="pcgrad", balance="dwa", distill=DistillSettings(weight=1.0), ema=0.9)
    assert settings.for_tasks(2) is settings
    assert settings.for_tasks(1) == TrainingSettings(ema=0.9)
    state, _ = stepped([batch_of()], new_network(tree=TREE.restricted_to(["t1"])), tasks=[TASKS[1]], aggregate="pcgrad")
    assert state.aggregation is None


def test_float16_needs_a_gpu():
    with pytest.raises(InputError, match="float16 needs a CUDA device"):
        TrainingState.start(new_network().to(DEVICE), TrainingSettings(compute=ComputeSettings(precision="float16")))
