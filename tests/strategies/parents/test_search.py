"""The joint search: what a step changes, what an epoch records, and that a resumed search is the same."""

import shutil

import pytest
import torch
from pydantic import ValidationError
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, assert_same, copied_state, seeded, toy_batch, toy_tasks

from nas.cost import DualPenalty, FixedPenalty, expected_parent_cost, measure_costs
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError, WorkFailed
from nas.networks.supernet import ParentSupernet, sample_parents
from nas.strategies.parents import (
    JointSearch,
    ParentSettings,
    ParentState,
    TemperatureSettings,
    joint_step,
    published,
    search,
)
from nas.strategies.parents.steps import weight_step
from nas.tasks import task_losses

TASKS = toy_tasks(3)
NODES = (2, 3)
BACKBONE = VectorBackbone(2, dropout=0.2)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
QUICK = {"epochs": 4, "batch_size": 16, "warmup": 0.25, "nodes": NODES}
SGD = OptimizerSettings(kind="sgd", lr=1.0)


def new_search(settings, data=None, seed=0, budgets=()):
    data = data or ToyData(TASKS, missing=0.2)
    return JointSearch(TASKS, data, TABLE, settings, budgets=budgets, seed=seed, device=DEVICE)


def new_state(searching, seed=0, backbone=BACKBONE, nodes=NODES):
    return searching.start(seeded(lambda: ParentSupernet(backbone, TASKS, nodes), seed))


def run(searching, folder, on_epoch=lambda record: None, **start):
    state = new_state(searching, **start)
    searching.run(state, CheckpointFolder(folder), on_epoch)
    return state


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"routing": "one_path", "temperature": TemperatureSettings(kind="root", start=50.0)},
        {"checkpoint_activations": True, "compute": ComputeSettings(precision="bfloat16")},
        {"sampler": "dselect_k"},
        {"sampler": "entmax", "temperature": TemperatureSettings(kind="epochs", start=2.0)},
    ],
)
def test_a_resumed_search_is_bitwise_an_undisturbed_one(tmp_path, changes):
    settings = ParentSettings(**{**QUICK, **changes})

    def keep(record):
        """What is on the disk when a search ends after this epoch."""
        shutil.copytree(tmp_path / "whole", tmp_path / str(record["epoch"]))

    whole = run(new_search(settings, budgets=(0.55, 0.6)), tmp_path / "whole", keep)
    # After the warm-up, in the middle of the search, and at its end.
    for stopped_after in (0, 2, 3):
        folder = tmp_path / str(stopped_after)
        torch.manual_seed(12345)  # whatever the new process did before
        searching = new_search(settings, budgets=(0.55, 0.6))
        resumed = new_state(searching, seed=9)
        resumed.load(CheckpointFolder(folder).latest(), "here")
        searching.run(resumed, CheckpointFolder(folder), lambda record: None)
        assert resumed.num_epochs == len(resumed.history) == 4
        assert_same(resumed.record(), whole.record())
        assert_same(CheckpointFolder(folder).latest(), CheckpointFolder(tmp_path / "whole").latest())
    assert whole.penalty.dual > 0  # the penalty's state was put to the test, too


def test_the_warm_up_leaves_the_logits(tmp_path):
    settings = ParentSettings(**{**QUICK, "warmup": 0.5}, logits=SGD)
    searching, seen = new_search(settings), []

    def look(record):
        saved = CheckpointFolder(tmp_path).latest()
        seen.append((record["phase"], record["temperature"], any(bool(rows.any()) for rows in saved["logits"])))

    run(searching, tmp_path, look)
    assert seen == [("warm-up", None, False)] * 2 + [("search", 5.0, True), ("search", pytest.approx(0.1), True)]


def test_every_step_learns_from_all_the_splits(tmp_path):
    steps, data = [], ToyData(TASKS, size=48)
    searching = new_search(ParentSettings(**QUICK), data=data)
    for splits, expected in ((("train", "architecture"), 6), (("train",), 3)):
        searching = new_search(ParentSettings(**QUICK, splits=splits), data=data)
        steps = list(searching._batches("joint", 0))
        assert len(steps) == expected
        rows = torch.cat([batch.inputs for batch in steps])
        assert len(rows.unique(dim=0)) == 48 * len(splits)


def test_samples_are_drawn_at_the_steps_temperature(monkeypatch, tmp_path):
    seen, sample = [], search.sample_parents

    def remember(logits, nodes, temperature, **options):
        seen.append(temperature)
        return sample(logits, nodes, temperature, **options)

    monkeypatch.setattr(search, "sample_parents", remember)
    schedule = TemperatureSettings(kind="root", start=6.0)
    run(new_search(ParentSettings(**{**QUICK, "epochs": 3}, temperature=schedule)), tmp_path)
    # Six steps in an epoch, the first of which is warm-up.
    assert seen[6:] == pytest.approx([6.0 / n**0.5 for n in range(1, 13)])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (TemperatureSettings(kind="root", start=50.0), [50.0, 25.0, 50 / 3]),
        (TemperatureSettings(kind="epochs", start=10.0), [10.0, 10.0, 5.0]),
        (TemperatureSettings(kind="linear", start=5.0, end=1.0), [5.0, 5.0, 1.0]),
        (TemperatureSettings(), [5.0, 5.0, 0.1]),
    ],
)
def test_schedules(schedule, expected):
    """Steps 0, 3 and 8, of which four are in an epoch and the last is in the third epoch of the last two."""
    places = [(0, 0), (0, 3), (1, 8)]
    assert [schedule.at(epoch, step, 2) for epoch, step in places] == pytest.approx(expected)


def test_a_schedule_refuses_what_it_does_not_read():
    with pytest.raises(ValidationError, match="temperature: the sampler 'dselect_k' has none; leave it out"):
        ParentSettings(sampler="dselect_k", temperature=TemperatureSettings(kind="root"))
    with pytest.raises(ValidationError, match="end is a setting of linear; root has none"):
        TemperatureSettings(kind="root", end=1.0)


def one_step(settings, step=joint_step, batch=None, **more):
    searching = new_search(settings)
    state = new_state(searching, backbone=VectorBackbone(2))
    batch = toy_batch(TASKS) if batch is None else batch
    routings = sample_parents(state.logits, state.supernet.nodes, 2.0, generator=torch.Generator().manual_seed(1))
    before = [rows.detach().clone() for rows in state.logits], copied_state(state.supernet)
    extra = (TABLE, None, 0.5) if step is joint_step else ()
    losses = step(state, batch, routings, TASKS, settings, *extra, **more)
    return state, before, routings, losses


@pytest.mark.parametrize("routing", ["hard", "one_path"])
def test_one_step_descends_in_weights_and_logits_by_one_loss(routing):
    """Both move by minus the gradient of the loss plus the penalty."""
    settings = ParentSettings(
        **QUICK, routing=routing, weights=SGD, logits=SGD, penalty=FixedPenalty(weight=2.0, per=100.0)
    )
    state, (logits, weights), _, losses = one_step(settings)
    fresh = new_state(new_search(settings), backbone=VectorBackbone(2))
    sampled = sample_parents(fresh.logits, fresh.supernet.nodes, 2.0, generator=torch.Generator().manual_seed(1))
    batch = toy_batch(TASKS)
    outputs = fresh.supernet.train()(batch.inputs, sampled, unread_gradients=routing == "hard")
    expected = task_losses(TASKS, outputs, batch)
    cost = expected_parent_cost([rows.softmax(-1) for rows in fresh.logits], TABLE, "macs")
    total = sum(expected.values()) + 3 * 2.0 * cost.float() / 100.0
    total.backward()
    torch.testing.assert_close(losses, {name: loss.detach() for name, loss in expected.items()})
    for before, found, leaf in zip(logits, state.logits, fresh.logits, strict=True):
        torch.testing.assert_close(before - found.detach(), leaf.grad, rtol=1e-4, atol=1e-6)
    for name, parameter in fresh.supernet.named_parameters():
        moved = weights[name] - state.supernet.get_parameter(name).detach()
        wanted = torch.zeros_like(moved) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(moved, wanted, rtol=1e-4, atol=1e-6, msg=name)


def test_a_warm_up_step_leaves_logits_and_inactive_nodes():
    settings = ParentSettings(**QUICK, weights=SGD, logits=SGD)
    state, (logits, weights), routings, _ = one_step(settings, weight_step)
    torch.testing.assert_close(list(state.logits), [rows.requires_grad_() for rows in logits], rtol=0, atol=0)
    active = {(1, j) for j in routings[1].argmax(-1).tolist()}
    active |= {(0, routings[0].argmax(-1).tolist()[j]) for _, j in active}
    assert len(active) < sum(NODES)
    for l, j in [(l, j) for l, num_nodes in enumerate(NODES) for j in range(num_nodes)]:
        name = f"blocks.{l}.{j}.0.weight"
        same = torch.equal(weights[name], state.supernet.state_dict()[name])
        assert same == ((l, j) not in active), name


def test_a_batch_without_labels_changes_nothing():
    settings = ParentSettings(**QUICK, weights=SGD, logits=SGD)
    batch = toy_batch(TASKS, without=("t0", "t1", "t2"))
    state, (logits, weights), _, losses = one_step(settings, batch=batch)
    assert losses == {}
    torch.testing.assert_close([rows.detach() for rows in state.logits], logits, rtol=0, atol=0)
    torch.testing.assert_close(copied_state(state.supernet), weights, rtol=0, atol=0)


def test_the_penalty_lowers_the_expected_cost(tmp_path):
    free, penalised = (
        run(
            new_search(
                ParentSettings(**{**QUICK, "epochs": 12}, logits=OptimizerSettings(lr=0.1), penalty=penalty),
                budgets=(0.5,),
            ),
            tmp_path / penalty.kind,
        )
        for penalty in (FixedPenalty(weight=0.0), DualPenalty())
    )
    assert penalised.history[-1]["expected_cost"] < free.history[-1]["expected_cost"]


def test_records_are_plain_and_of_the_space(tmp_path):
    record = run(new_search(ParentSettings(**QUICK)), tmp_path).history[-1]
    assert [[len(row) for row in block] for block in record["probabilities"]] == [[2] * 3, [3] * 3]
    assert all(sum(row) == pytest.approx(1, abs=3e-4) for block in record["probabilities"] for row in block)
    assert len(record["entropy"]) == 2
    assert record["drift"] > 0


def test_a_checkpoint_of_other_nodes_is_refused(tmp_path):
    searching = new_search(ParentSettings(**QUICK))
    record = new_state(searching).record()
    other = new_state(searching, nodes=(3, 3))
    with pytest.raises(
        InputError, match=r"its logits are \[\[3, 2\], \[3, 3\]\], here they are \[\[3, 3\], \[3, 3\]\]"
    ):
        other.load({**record, "num_epochs": 0}, "here")


def test_a_loss_that_is_not_finite_ends_the_search(tmp_path):
    settings = ParentSettings(**QUICK, weights=OptimizerSettings(kind="sgd", lr=1e30))
    with pytest.raises(WorkFailed, match="epoch 1"):
        run(new_search(settings), tmp_path)


def test_published_fields_are_settings():
    settings = ParentSettings(**published())
    assert (settings.warmup_epochs, settings.temperature.at(0, 0, 450)) == (50, 50.0)
    assert isinstance(new_state(new_search(settings), nodes=(3, 3)), ParentState)


@pytest.mark.parametrize(("nodes", "expected"), [(None, (3, 3)), (4, (4, 4)), ((1, 2), (1, 2))])
def test_nodes_of_blocks(nodes, expected):
    assert ParentSettings(nodes=nodes).nodes_of(2, 3) == expected
    with pytest.raises(InputError, match=r"strategy.nodes has 3 numbers, and the backbone 2 blocks"):
        ParentSettings(nodes=(1, 2, 3)).nodes_of(2, 3)
