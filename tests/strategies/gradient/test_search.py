import json
import shutil

import pytest
import torch
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, assert_same, copied_state, names, seeded, toy_tasks

from nas.cost import DualPenalty, FixedPenalty, measure_costs
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError, WorkFailed
from nas.networks.supernet import Supernet
from nas.networks.supernet.samplers import gumbel
from nas.strategies.gradient import BilevelSearch, GradientSettings, published
from nas.tasks import Task

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2, dropout=0.2)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
SEPARATE = TABLE.separate_cost()["macs"]
QUICK = {"epochs": 4, "batch_size": 16, "warmup": 0.25, "candidates": "plain"}
"""Candidates one after another: to batch them takes longer than a search of this size."""


class Interrupted(Exception):
    pass


def new_search(settings, tasks=TASKS, data=None, seed=0, budgets=()):
    data = data or ToyData(tasks, missing=0.2)
    return BilevelSearch(tasks, data, TABLE, settings, budgets=budgets, seed=seed, device=DEVICE)


def new_state(searching, seed=0, backbone=BACKBONE):
    settings = searching.settings

    def make():
        return Supernet(
            backbone,
            searching.tasks,
            settings.num_candidates,
            equal_start=settings.equal_start,
            affine_last_norm=settings.affine_last_norm,
        )

    return searching.start(seeded(make, seed))


def run(searching, folder, on_epoch=lambda record: None, **start):
    state = new_state(searching, **start)
    searching.run(state, CheckpointFolder(folder), on_epoch)
    return state


@pytest.mark.parametrize("weight_step", ["per_task", "joint"])
@pytest.mark.parametrize("routing", ["soft", "hard", "one_path"])
@pytest.mark.parametrize("reset_optimizers", [True, False])
def test_a_resumed_search_is_bitwise_an_undisturbed_one(tmp_path, reset_optimizers, routing, weight_step):
    settings = GradientSettings(**QUICK, reset_optimizers=reset_optimizers, routing=routing, weight_step=weight_step)
    check_resumed_searches(tmp_path, settings, BACKBONE)


@pytest.mark.parametrize(
    "execution",
    [
        {"candidates": "batched"},
        {"candidates": "batched", "routing": "one_path", "checkpoint_activations": True},
        {"candidates": "plain", "checkpoint_activations": True, "compute": ComputeSettings(precision="bfloat16")},
    ],
)
def test_a_resumed_search_is_bitwise_an_undisturbed_one_however_it_is_computed(tmp_path, execution):
    # Without dropout, blocks are batched.
    check_resumed_searches(tmp_path, GradientSettings(**{**QUICK, **execution}), VectorBackbone(2))


def check_resumed_searches(tmp_path, settings, backbone):
    def keep(record):
        """What is on the disk when a search ends after this epoch."""
        shutil.copytree(tmp_path / "whole", tmp_path / str(record["epoch"]))

    whole = run(new_search(settings, budgets=(0.55, 0.6)), tmp_path / "whole", keep, backbone=backbone)
    # After the warm-up, in the middle of the search, and at its end.
    for stopped_after in (0, 2, 3):
        folder = tmp_path / str(stopped_after)
        torch.manual_seed(12345)  # whatever the new process did before
        searching = new_search(settings, budgets=(0.55, 0.6))
        resumed = new_state(searching, seed=9, backbone=backbone)
        resumed.load(CheckpointFolder(folder).latest(), "here")
        assert resumed.num_epochs == stopped_after + 1
        seen = []
        searching.run(resumed, CheckpointFolder(folder), seen.append)
        assert [record["epoch"] for record in seen] == list(range(stopped_after + 1, 4))
        assert resumed.num_epochs == len(resumed.history) == 4
        assert_same(resumed.record(), whole.record())
        assert_same(CheckpointFolder(folder).latest(), CheckpointFolder(tmp_path / "whole").latest())
    assert whole.penalty.dual > 0  # the penalty's state was put to the test, too


def test_a_search_interrupted_within_an_epoch_starts_that_epoch_again(tmp_path):
    class Failing(ToyData):
        broken = False

        def split(self, name):
            if name == "train" and self.broken:
                raise Interrupted
            return super().split(name)

    settings, data = GradientSettings(**QUICK, reset_optimizers=False), Failing(TASKS)
    whole = run(new_search(settings, data=ToyData(TASKS)), tmp_path / "whole")

    def break_data(record):
        data.broken = record["epoch"] == 1

    with pytest.raises(Interrupted):
        run(new_search(settings, data=data), tmp_path / "parts", break_data)
    searching = new_search(settings, data=ToyData(TASKS))
    resumed = new_state(searching, seed=9)
    resumed.load(CheckpointFolder(tmp_path / "parts").latest(), "here")
    searching.run(resumed, CheckpointFolder(tmp_path / "parts"), lambda record: None)
    assert_same(resumed.record(), whole.record())


def test_a_search_depends_on_the_seed_and_on_nothing_around_it(tmp_path):
    settings = GradientSettings(**QUICK)
    records = []
    for i, seed in enumerate((0, 0, 1)):
        torch.manual_seed(i)
        before = torch.get_rng_state()
        records.append(run(new_search(settings, seed=seed), tmp_path / str(i)).record())
        assert torch.equal(torch.get_rng_state(), before)
    assert_same(records[0], records[1])
    assert not torch.equal(records[0]["logits_LTC"], records[2]["logits_LTC"])


def test_the_warm_up_leaves_the_logits_alone(tmp_path):
    state = run(new_search(GradientSettings(**{**QUICK, "warmup": 0.5})), tmp_path)
    phases = [(record["phase"], record["architecture"] is None, record["temperature"]) for record in state.history]
    assert phases == [("warm-up", True, None)] * 2 + [("search", False, 5.0), ("search", False, pytest.approx(0.1))]
    searching = new_search(GradientSettings(**{**QUICK, "warmup": 0.5}))
    state = new_state(searching)
    searching.train_epoch(state, 0)
    assert not state.logits_LTP.any()
    searching.train_epoch(state, 2)
    assert state.logits_LTP.any()


@pytest.mark.parametrize(
    ("num_candidates", "unlabelled", "unchanged"),
    [(4, [], [3]), (3, ["t1"], [1]), (2, ["t1"], [1]), (2, ["t0"], []), (1, ["t0", "t1"], [])],
)
def test_in_the_warm_up_tasks_train_their_own_copies(num_candidates, unlabelled, unchanged):
    data = ToyData(TASKS)
    for name in unlabelled:
        data.split("train").present[name][:] = False
    searching = new_search(GradientSettings(**QUICK, num_candidates=num_candidates), data=data)
    state = new_state(searching)
    before = {name: parameter.detach().clone() for name, parameter in state.supernet.named_parameters()}
    searching.train_epoch(state, 0)
    same = {name for name, parameter in state.supernet.named_parameters() if torch.equal(parameter, before[name])}
    idle = tuple(f"blocks.{l}.{c}." for l in (0, 1) for c in unchanged) + tuple(f"heads.{t}." for t in unlabelled)
    # `startswith(())` is never true.
    assert same == {name for name in before if name.startswith(idle)}


def test_every_copy_of_the_warm_up_is_trained_as_if_alone():
    settings = GradientSettings(**QUICK, weight_step="joint", weights=OptimizerSettings(kind="sgd", lr=0.1))
    results = []
    for labelled in (names(TASKS), ("t1",)):
        data = ToyData(TASKS)
        for name in set(names(TASKS)) - set(labelled):
            data.split("train").present[name][:] = False
        searching = new_search(settings, data=data)
        state = new_state(searching, backbone=VectorBackbone(2))
        # A stem that does not learn is the same for one task and for all.
        state.supernet.stem.requires_grad_(False)
        searching.train_epoch(state, 0)
        own = [state.supernet.blocks[l][1] for l in (0, 1)] + [state.supernet.heads["t1"]]
        results.append([copied_state(part) for part in own])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("reset", [True, False])
def test_statistics_are_reset_after_the_pass_over_the_logits(reset):
    searching = new_search(GradientSettings(**QUICK, reset_statistics=reset, weight_step="joint"))
    state = new_state(searching)
    num_batches = 48 // 16
    searching.train_epoch(state, 0)
    assert state.supernet.stem[1].num_batches_tracked == num_batches
    searching.train_epoch(state, 1)
    assert state.supernet.stem[1].num_batches_tracked == (num_batches if reset else 3 * num_batches)


@pytest.mark.parametrize("reset", [True, False])
def test_optimizers_are_reset_at_every_epoch(reset):
    searching = new_search(GradientSettings(**QUICK, reset_optimizers=reset, weight_step="joint"))
    state = new_state(searching)
    for epoch in (0, 1, 2):
        searching.train_epoch(state, epoch)
    steps = [
        state.weight_optimizer.state[state.supernet.stem[0].weight]["step"].item(),
        state.logits_optimizer.state[state.logits_LTP]["step"].item(),
    ]
    assert steps == ([3, 3] if reset else [9, 6])


@pytest.mark.parametrize("routing", ["soft", "hard"])
def test_samples_are_drawn_at_the_epochs_temperature(monkeypatch, tmp_path, routing):
    drawn = []
    sample = gumbel.sample_routing

    def remember(logits_LTC, temperature, *, hard, generator):
        routing_LTC = sample(logits_LTC, temperature, hard=hard, generator=generator)
        drawn.append((temperature, hard, torch.is_grad_enabled(), routing_LTC.detach()))
        return routing_LTC

    monkeypatch.setattr(gumbel, "sample_routing", remember)
    run(new_search(GradientSettings(**QUICK, routing=routing, temperature=(4.0, 2.0))), tmp_path)
    # Three batches in each of two passes, in each of the three epochs after the warm-up.
    assert [temperature for temperature, *_ in drawn] == [4.0] * 6 + [3.0] * 6 + [2.0] * 6
    assert {hard for _, hard, *_ in drawn} == {routing == "hard"}
    assert [grad for _, _, grad, _ in drawn] == ([True] * 3 + [False] * 3) * 3
    # Every step has its own sample; of 729 one-hot ones, a few of 18 may be the same.
    assert len({tuple(routing_LTC.flatten().tolist()) for *_, routing_LTC in drawn}) >= 15


def test_samples_and_dropout_are_drawn_anew_in_every_epoch():
    searching = new_search(GradientSettings(**QUICK))
    state = new_state(searching)
    seeds, inputs, firsts = [], [], []
    state.supernet.stem.register_forward_hook(lambda module, arguments, _: inputs.append(arguments[0]))
    state.supernet.stem.register_forward_hook(lambda *_: seeds.append(torch.initial_seed()))
    for epoch in range(4):
        seeds.clear(), inputs.clear()
        searching.train_epoch(state, epoch)
        firsts.append((seeds[0], tuple(inputs[-1].flatten().tolist())))
    assert len({seed for seed, _ in firsts}) == len({batch for _, batch in firsts}) == 4


def test_weights_and_logits_are_trained_on_their_own_splits(tmp_path):
    used = []

    class Recorded(ToyData):
        def split(self, name):
            used.append(name)
            return super().split(name)

    searching = new_search(GradientSettings(**QUICK), data=Recorded(TASKS))
    state = new_state(searching)
    searching.train_epoch(state, 0)
    assert set(used) == {"train"}
    used.clear()
    searching.train_epoch(state, 1)
    assert used == sorted(used)  # the logits' pass comes first
    assert set(used) == {"architecture", "train"}


def test_a_split_smaller_than_a_batch_is_one_batch(tmp_path):
    settings = GradientSettings(**{**QUICK, "epochs": 2, "batch_size": 64})
    state = run(new_search(settings, data=ToyData(TASKS, size=20)), tmp_path)
    assert state.supernet.stem[1].num_batches_tracked == 1


def test_the_history_is_plain_and_says_what_happened(tmp_path):
    seen = []
    state = run(new_search(GradientSettings(**QUICK), budgets=(0.6,)), tmp_path, seen.append)
    assert seen == state.history == json.loads(json.dumps(state.history))
    assert [record["epoch"] for record in seen] == [0, 1, 2, 3]
    for record in seen:
        assert set(record["weights"]["tasks"]) == set(names(TASKS))
        assert record["weights"]["total"] == pytest.approx(sum(record["weights"]["tasks"].values()))
        assert record["budget"] == pytest.approx(0.6 * SEPARATE)
        assert 0 <= min(record["entropy"]) <= max(record["entropy"]) <= 1 + 1e-9
        assert len(record["entropy"]) == 2
    assert seen[0]["expected_cost"] == pytest.approx(state.penalty.initial_cost)
    assert seen[0]["changed_choices"] == 0
    assert seen[-1]["penalty"] == state.penalty.to_dict()


def test_the_best_epoch_has_the_lowest_loss_on_the_logits_split(tmp_path):
    state = run(new_search(GradientSettings(**{**QUICK, "epochs": 8})), tmp_path)
    losses = [record["architecture"]["total"] if record["architecture"] else float("inf") for record in state.history]
    assert state.best_loss == min(losses)
    assert state.best_epoch == 1 + losses.index(min(losses))
    assert CheckpointFolder(tmp_path).epochs() == sorted({8, 7, state.best_epoch}, reverse=True)


def failing_after(num_calls, value):
    """A task whose loss is not finite after so many batches."""
    calls = []

    def loss(outputs, labels):
        calls.append(1)
        return (outputs - labels).square().mean() if len(calls) <= num_calls else (outputs * value).sum()

    return (TASKS[0], Task(name="t1", num_outputs=2, loss=loss, metrics=("rmse",)), TASKS[2])


@pytest.mark.parametrize("weight_step", ["per_task", "joint"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("num_calls", "epoch", "saved"),
    # Three batches a pass: the warm-up's weights, then logits and weights of the second epoch.
    [(0, 1, []), (2, 1, []), (3, 2, [1]), (5, 2, [1]), (6, 2, [1]), (8, 2, [1]), (9, 3, [2, 1])],
)
def test_a_loss_that_is_not_finite_fails_with_task_and_epoch(tmp_path, weight_step, value, num_calls, epoch, saved):
    searching = new_search(GradientSettings(**QUICK, weight_step=weight_step), failing_after(num_calls, value))
    with pytest.raises(WorkFailed, match=rf"^epoch {epoch}: the loss of t1 is -?(nan|inf); lower the learning rate"):
        run(searching, tmp_path)
    assert CheckpointFolder(tmp_path).epochs() == saved


def test_a_split_without_labels_fails(tmp_path):
    data = ToyData(TASKS)
    for rows in data.split("architecture").present.values():
        rows[:] = False
    with pytest.raises(WorkFailed, match="epoch 2: no batch had a label of t0, t1, t2"):
        run(new_search(GradientSettings(**QUICK), data=data), tmp_path)


def test_batches_without_labels_are_skipped(tmp_path):
    data = ToyData(TASKS)
    for split in ("train", "architecture"):
        for rows in data.split(split).present.values():
            rows[2:] = False  # two labelled samples, so at least one of three batches has none
    state = run(new_search(GradientSettings(**QUICK), data=data), tmp_path)
    assert state.num_epochs == 4


def searched(tmp_path, penalty, seed):
    settings = GradientSettings(
        epochs=20,
        batch_size=16,
        candidates="plain",
        penalty=penalty,
        weights=OptimizerSettings(lr=1e-2),
        logits=OptimizerSettings(lr=0.1),
        reset_optimizers=False,
    )
    searching = new_search(settings, data=ToyData(TASKS), seed=seed, budgets=(0.55,))
    return run(searching, tmp_path / f"{penalty.kind}-{seed}", seed=seed, backbone=VectorBackbone(2))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_dual_penalty_keeps_the_budget_which_nothing_else_does(tmp_path, seed):
    dual, control = (searched(tmp_path, penalty, seed) for penalty in (DualPenalty(), FixedPenalty(weight=0.0)))
    # Uniform logits cost .742 of separate networks; the fully shared one .493.
    assert dual.history[0]["expected_cost"] == pytest.approx(0.742 * SEPARATE, rel=1e-2)
    assert dual.history[-1]["expected_cost"] <= 0.55 * SEPARATE
    # Without a penalty the tasks' losses decide; on these two seeds they ended at .69 and .85.
    assert control.history[-1]["expected_cost"] > 0.6 * SEPARATE
    assert control.history[-1]["penalty"]["dual"] == 0.0


def test_a_strong_fixed_penalty_shares_everything(tmp_path):
    state = searched(tmp_path, FixedPenalty(weight=1.0, per=100.0), 0)
    # Probabilities of 0.99 and more; the rest of the way takes for ever.
    assert state.history[-1]["expected_cost"] == pytest.approx(0.493 * SEPARATE, rel=0.02)


def test_the_penalty_aims_at_the_largest_budget():
    searching = new_search(GradientSettings(), budgets=(0.5, 0.9, 0.6))
    assert searching.budgets == pytest.approx((0.5 * SEPARATE, 0.9 * SEPARATE, 0.6 * SEPARATE))
    assert searching.target == pytest.approx(0.9 * SEPARATE)
    assert new_search(GradientSettings()).target is None


def test_a_budget_below_the_shared_network_is_refused():
    with pytest.raises(InputError, match=r"budget 0\.3 .* smallest feasible budget"):
        new_search(GradientSettings(), budgets=(0.3,))


def test_the_published_setting_runs(tmp_path):
    state = run(new_search(GradientSettings(**{**published(), "epochs": 3})), tmp_path)
    assert [record["phase"] for record in state.history] == ["warm-up", "search", "search"]
    assert not [name for name, _ in state.supernet.named_parameters() if name.startswith("blocks.0.0.1.")]


def test_steps_can_be_tried():
    searching = new_search(GradientSettings(**QUICK))
    losses, seconds = searching.try_steps(new_state(searching))
    assert set(losses) == set(names(TASKS))
    assert all(isinstance(loss, float) for loss in losses.values())
    # 21 steps of a network of a few hundred weights, on a machine that may be busy.
    assert 0 < seconds < 60
