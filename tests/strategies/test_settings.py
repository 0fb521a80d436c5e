"""The contract of settings: each field of a strategy changes what runs. A field without effect fails here."""

from importlib.util import find_spec

import numpy as np
import pytest
from planted_sharing import PlantedEvaluator, some_effects
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, names, toy_tasks

from nas.cost import FixedPenalty, measure_costs
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.networks.supernet import ParentSupernet, Supernet
from nas.strategies import (
    TPE,
    Evolution,
    Goal,
    Gradient,
    ParentChoice,
    PolicyRL,
    Problem,
    RandomTrees,
    Similarity,
    Store,
    Transfer,
)
from nas.strategies.parents import TemperatureSettings
from nas.strategies.similarity import SimilaritySettings
from nas.tree import BranchTree

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
SGD = OptimizerSettings(kind="sgd", lr=0.3)

SIMILARITY = Similarity(epochs=2, batch_size=16, num_rows=64, candidates="plain")
GRADIENT = Gradient(epochs=3, batch_size=16, routing="soft", candidates="plain")
PARENTS = ParentChoice(epochs=3, batch_size=16, nodes=2, penalty=FixedPenalty(weight=0.0))
COPIES = SimilaritySettings(epochs=1, batch_size=16, num_rows=64, candidates="plain")
TRANSFER = Transfer(trainings=6.0, start=COPIES, margin=0.1)
# More would train all trees of so small a problem.
SPENDING = {"trainings": 4.0, "finals": 1}

NUMBERS = {
    ("similarity", "copies"): 3,
    ("similarity", "epochs"): 3,
    ("similarity", "patience"): 2,
    ("similarity", "batch_size"): 8,
    ("similarity", "splits"): ("train",),
    ("similarity", "weights"): SGD,
    ("similarity", "schedule"): ScheduleSettings(kind="constant"),
    ("similarity", "measure"): "cka",
    ("similarity", "num_rows"): 16,
    ("similarity", "tolerance"): 0.0,
    ("gradient", "discretize"): "argmax",
    ("gradient", "epochs"): 4,
    ("gradient", "init"): SimilaritySettings(epochs=1, batch_size=16, num_rows=64),
    ("gradient", "warmup"): 0.6,
    ("gradient", "batch_size"): 8,
    ("gradient", "num_candidates"): 2,
    ("gradient", "routing"): "hard",
    ("gradient", "sampler"): "entmax",
    ("gradient", "temperature"): (2.0, 1.0),
    ("gradient", "weight_step"): "per_task",
    ("gradient", "weights"): SGD,
    ("gradient", "logits"): SGD,
    ("gradient", "reset_optimizers"): False,
    ("gradient", "reset_statistics"): False,
    ("gradient", "affine_last_norm"): True,
    ("gradient", "equal_start"): False,
    ("gradient", "penalty"): FixedPenalty(weight=1.0, per=100.0),
    ("parent_choice", "discretize"): "argmax",
    ("parent_choice", "epochs"): 4,
    ("parent_choice", "warmup"): 0.6,
    ("parent_choice", "batch_size"): 8,
    ("parent_choice", "splits"): ("train",),
    ("parent_choice", "nodes"): (3, 2),
    ("parent_choice", "routing"): "one_path",
    ("parent_choice", "sampler"): "entmax",
    ("parent_choice", "temperature"): TemperatureSettings(kind="root", start=2.0),
    ("parent_choice", "weights"): SGD,
    ("parent_choice", "logits"): SGD,
    ("parent_choice", "penalty"): FixedPenalty(weight=1.0, per=100.0),
    ("transfer", "trainings"): 3.0,
    ("transfer", "hours"): 0.15,
    ("transfer", "length"): 0.5,
    ("transfer", "batch"): 3,
    ("transfer", "finals"): 1,
    ("transfer", "start"): None,
    ("transfer", "margin"): 50.0,
    ("transfer", "chance"): 0.99,
    **{
        (name, field): value
        for name in ("random", "evolution", "tpe", "policy_rl")
        for field, value in {"trainings": 3.0, "hours": 0.05, "length": 0.5, "batch": 3, "finals": 0}.items()
    },
    ("evolution", "population"): 6,
    ("evolution", "tournament"): 2,
    ("evolution", "mutation"): 0.9,
    ("evolution", "crossover"): True,
    ("tpe", "startup"): 6,
    ("tpe", "gamma"): 1.0,
    ("policy_rl", "per_update"): 3,
    ("policy_rl", "lr"): 0.1,
}
"""By strategy and field, a value that gives other numbers than the default."""

EXECUTION = {"candidates": "batched", "checkpoint_activations": True, "compute": {"channels_last": True}}
"""Fields that change how the same numbers are computed, of the strategies that train networks of their own."""

NO_BUDGET = Goal()

STRATEGIES = {
    "similarity": SIMILARITY,
    "gradient": GRADIENT,
    "parent_choice": PARENTS,
    "transfer": TRANSFER,
    "random": RandomTrees(**SPENDING),
    "evolution": Evolution(population=4, tournament=4, **SPENDING),
    "tpe": TPE(startup=3, **SPENDING),
    "policy_rl": PolicyRL(per_update=2, **SPENDING),
}
EXECUTED = {
    **{(name, field): Supernet for name in ("similarity", "gradient") for field in EXECUTION},
    **{("parent_choice", field): ParentSupernet for field in ("checkpoint_activations", "compute")},
}
"""By strategy and field, the network that is told how to compute."""


def ran(strategy, folder, goal=NO_BUDGET):
    """All numbers of a search: what it found, its history with the trees trained at a time, and its last weights."""
    if isinstance(strategy, PolicyRL):
        pytest.importorskip("tianshou")
    store = Store(folder)
    # Only searches that train trees ask it for trainings.
    evaluator = PlantedEvaluator(some_effects(np.random.default_rng(0), 3, 2), noise=1.0, seconds=1.0)
    sizes, train = [], evaluator.train
    evaluator.train = lambda requests: sizes.append(len(requests)) or train(requests)
    problem = Problem(
        *(TASKS, BACKBONE, ToyData(TASKS), TABLE, goal), seed=0, device=DEVICE, store=store, evaluator=evaluator
    )
    found = strategy.search(problem)
    trees = [(tree.tree.partitions, tree.budget, tree.value, tree.measure) for tree in found.trees]
    ended = store.checkpoints.latest() or {"supernet": {}}
    weights = {name: tensor.tolist() for name, tensor in ended["supernet"].items()}
    return trees, [*found.history, sizes], weights


@pytest.fixture(scope="module")
def defaults(tmp_path_factory):
    known = {name: strategy for name, strategy in STRATEGIES.items() if name != "policy_rl" or find_spec("tianshou")}
    return {name: ran(strategy, tmp_path_factory.mktemp(name)) for name, strategy in known.items()}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_field_is_listed_here(name):
    listed = {field for strategy, field in NUMBERS if strategy == name}
    listed |= {field for strategy, field in EXECUTED if strategy == name}
    assert listed == type(STRATEGIES[name]).model_fields.keys()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_repeats_itself(name, defaults, tmp_path):
    again = ran(STRATEGIES[name], tmp_path)
    assert again == defaults[name]


@pytest.mark.parametrize(("name", "field"), NUMBERS)
def test_a_field_changes_what_is_found(name, field, defaults, tmp_path):
    strategy = STRATEGIES[name]
    fields = {**dict(strategy), field: NUMBERS[name, field]}
    changed = ran(type(strategy)(**fields), tmp_path)
    assert changed != defaults[name]


@pytest.mark.parametrize(("name", "field"), EXECUTED)
def test_a_field_changes_how_it_is_computed(name, field, monkeypatch, tmp_path):
    seen = []
    network = EXECUTED[name, field]
    execute = network.set_execution

    def spy(self, **how):
        seen.append(how)
        execute(self, **how)

    monkeypatch.setattr(network, "set_execution", spy)
    prepared = []
    strategy = type(STRATEGIES[name])(**{**dict(STRATEGIES[name]), field: EXECUTION[field]})
    monkeypatch.setattr(type(strategy.compute), "prepare", lambda self, network: prepared.append(self))
    ran(strategy, tmp_path)
    if field == "compute":
        assert [each.channels_last for each in prepared] == [True]
    else:
        assert EXECUTION[field] in [how.get(field) for how in seen]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(
    "goal",
    [
        Goal(budgets=(0.55,)),
        Goal(budgets=(0.8,), resource="params"),
        Goal(constraints={"apart": [["t0", "t1"]]}),
    ],
    ids=["budgets", "resource", "constraints"],
)
def test_every_part_of_a_goal_is_served(name, goal, tmp_path):
    trees, _, _ = ran(STRATEGIES[name], tmp_path, goal)
    for partitions, budget, _, _ in trees:
        if goal.constraints.apart:
            assert not any({"t0", "t1"} <= set(group) for group in partitions[0])
        if budget is not None:
            cost = TABLE.tree_cost(BranchTree(names(TASKS), partitions))[goal.resource]
            assert cost <= budget * TABLE.separate_cost()[goal.resource]
    assert goal.budgets == tuple(budget for _, budget, _, _ in trees if budget is not None)
