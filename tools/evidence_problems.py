"""The problems and the methods that `tools/evidence.py` compares."""

import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.cost import FixedPenalty
from nas.datasets.planted import PlantedProblem, conv_problem, random_problem, tree_a, tree_c
from nas.engine.optimizer import OptimizerSettings
from nas.recipe import Experiment, complete
from nas.run import measure_parts
from nas.strategies import Gradient, bmtas
from nas.tree import BranchTree

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import camvid
import digits
import eth80
import leaves
import molecules
import planted
import scenes

OWN_CHOICE = "own choice"
"""The label of the tree that the similarity search chooses without a budget."""


@dataclass(frozen=True)
class Method:
    """A way to search.

    Args:
        changes: changes to the problem's experiment, by dotted name.
        label: label of its tree if it has no budget.
        also_exact: whether exact discretisation within the problem's budgets is applied to its logits, too.
        variants: by label, changes with which the result of the same training is discretised again.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    also_exact: bool = False
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def vary(self, experiment: Experiment) -> Experiment:
        return experiment.with_fields(self.changes)


@dataclass(frozen=True)
class Problem:
    """A problem for all methods.

    Args:
        make: makes the experiment of a seed; all methods use its budgets.
        seeds: seeds of data (if they are random), search and training.
        planted: the planted tree, by seed; without it networks are compared by delta_m.
        num_random: number of random trees for each budget.
        only_valid: whether to leave out seeds whose planted tree is not better than random trees. For the other seeds
            only the controls are trained, since only the found trees matter.
        pretrained: whether all networks start from the blocks of the fully shared network, trained on the same data.
    """

    make: Callable[[int], Experiment]
    seeds: tuple[int, ...]
    methods: tuple[Method, ...]
    planted: Callable[[int], BranchTree] | None = None
    num_random: int = 2
    only_valid: bool = False
    pretrained: bool = False


def similarity() -> Method:
    """Within the budgets, what it would spend itself if they allow, and if there were none."""
    return Method("similarity", {}, label=OWN_CHOICE, variants={"no budget": {"goal.budgets": ()}})


def measured(**changes: Any) -> Method:
    """The measured search with ten trainings, which starts from the recipe's own similarity search."""
    return Method("measured", {"strategy": "transfer", "strategy.trainings": 10.0, **changes}, label=OWN_CHOICE)


def gradient() -> Method:
    """The recipe's own gradient search."""
    return Method("gradient", {"strategy": "gradient"})


def published(per: float, **changes: Any) -> Method:
    """BMTAS, with the changes that a problem needs: epochs, batch size and learning rates.

    The published penalty, 0.05 per GFLOP and task, does not fit other networks. Here the penalty of separate networks
    is 1 / T. Among 0, 0.03 and 1 / T this weight recovers planted tree A best; 1 collapses to the shared tree.

    Args:
        per: the cost of separate networks times T.
    """
    strategy = bmtas(penalty=FixedPenalty(weight=1.0, per=per), **changes)
    return Method("published", {"goal.budgets": (), "strategy": strategy}, label="argmax", also_exact=True)


def hybrid(first: Experiment, **changes: Any) -> Method:
    """Logits that start from the similarity, then a soft search without a penalty, discretised exactly."""
    fields = {**dict(first.strategies["gradient"]), "warmup": None, "init": first.strategy}
    strategy = Gradient(**{**fields, "penalty": FixedPenalty(weight=0.0), **changes})
    return Method("hybrid", {"strategy": strategy})


def planted_problem(
    make: Callable[[int], PlantedProblem],
    num_seeds: int,
    *,
    only_valid: bool = False,
    pretrained: bool = False,
    **fields: Any,
) -> Problem:
    """A planted problem; the published search takes 1,500 weight steps."""
    first = planted.planted_experiment(make(0), **fields)
    rates = {
        "epochs": round(1500 / (make(0).num_train // 64)),
        "batch_size": 64,
        "weights": OptimizerSettings(kind="adam", lr=1e-2),
        "logits": OptimizerSettings(kind="adam", lr=1e-2),
    }
    return Problem(
        make=lambda seed: planted.planted_experiment(make(seed), seed, **fields),
        seeds=tuple(range(num_seeds)),
        methods=(similarity(), published(penalty_unit(first), **rates), hybrid(first, **rates), measured()),
        planted=lambda seed: make(seed).tree,
        only_valid=only_valid,
        pretrained=pretrained,
    )


def real_problem(recipe: Callable[[], Experiment], num_seeds: int, **changes: Any) -> Problem:
    """A recipe, with changes by dotted name whose dots are double underscores."""
    first = recipe().with_fields({name.replace("__", "."): value for name, value in changes.items()})
    own = first.strategies["gradient"]
    rates = {"epochs": own.epochs, "batch_size": own.batch_size, "weights": own.weights, "logits": own.logits}
    return Problem(
        make=lambda seed: first.with_fields({"seed": seed}),
        seeds=tuple(range(num_seeds)),
        methods=(similarity(), published(penalty_unit(first), **rates), gradient(), hybrid(first, **rates), measured()),
    )


def penalty_unit(experiment: Experiment) -> float:
    return len(experiment.tasks) * measure_parts(experiment).table.separate_cost()["macs"]


def data_problem(
    recipe: Callable[[], Experiment], num_seeds: int, *, trainings: float, published_epochs: int, **changes: Any
) -> Problem:
    """A recipe on data in a folder. Splits, where they are random, and initial weights differ between the seeds.

    Args:
        trainings: what the measured search may spend, in full trainings.
        published_epochs: so many epochs of the published search cost about as much.
    """
    fields = {"goal.budgets": (0.5, 0.7), **{name.replace("__", "."): value for name, value in changes.items()}}
    first = complete(recipe(), fields)
    weights = first.retrain.optimizer
    supernet = {"epochs": published_epochs, "batch_size": first.retrain.batch_size, "weights": weights}
    return Problem(
        make=lambda seed: first.with_fields({"seed": seed, "data.seed": seed}),
        seeds=tuple(range(num_seeds)),
        methods=(
            similarity(),
            Method(
                "measured",
                {"strategy": "transfer", "strategy.trainings": trainings, "strategy.finals": 1},
                label=OWN_CHOICE,
            ),
            published(penalty_unit(first), warmup=1 / published_epochs, compute=first.retrain.compute, **supernet),
        ),
    )


def half_of_the_views(row: dict[str, str | None]) -> dict[str, str | None] | None:
    """ETH-80's row, or None for every second view of an object that is trained on."""
    edited = eth80.edited(row)
    trained_on = edited["split"] in ("train", "architecture")
    return None if trained_on and zlib.crc32(str(row["file"]).encode()) % 2 else edited


def half_of_the_leaves(row: dict[str, str | None]) -> dict[str, str | None] | None:
    return None if zlib.crc32(str(row["file"]).encode()) % 2 else row


def data_problems() -> dict[str, Problem]:
    """The problems on real data; each exists if the environment variable of its recipe names the folder."""
    small: dict[str, Any] = {"trainings": 3.0, "published_epochs": 3, "data__size": (64, 64)}
    known: dict[str, Callable[[], Problem]] = {
        "CAMVID": lambda: data_problem(
            camvid.experiment,
            3,
            trainings=3.0,
            published_epochs=7,
            data__size=(64, 80),
            input_shape=(3, 64, 80),
            goal__budgets=(0.65, 0.8),
            retrain__epochs=8,
        ),
        "ETH80": lambda: data_problem(eth80.experiment, 3, data__edit=half_of_the_views, retrain__epochs=6, **small),
        "LEAVES": lambda: data_problem(leaves.experiment, 3, data__edit=half_of_the_leaves, retrain__epochs=8, **small),
    }
    known["MOLECULES"] = lambda: data_problem(
        molecules.experiment, 3, trainings=3.0, published_epochs=4, goal__budgets=(0.3, 0.6)
    )
    return {name.lower(): make() for name, make in known.items() if os.environ.get(name)}


METHODS = ("similarity", "published", "gradient", "hybrid", "measured")

FEW = {"missing": (0.0, 0.9, 0.0, 0.9, 0.0, 0.9), "noise": 1.0}
"""Every second task lacks 90 % of its labels, and the labels have twice the noise: similarity is weak there."""

PROBLEMS = {
    "planted-a": planted_problem(lambda seed: tree_a(), 20),
    "planted-c": planted_problem(lambda seed: tree_c(), 20),
    "planted-random": planted_problem(lambda seed: random_problem(6, 4, seed), 40, only_valid=True),
    "planted-a-pretrained": planted_problem(lambda seed: tree_a(), 20, pretrained=True),
    "planted-c-pretrained": planted_problem(lambda seed: tree_c(), 20, pretrained=True),
    "planted-a-few": planted_problem(lambda seed: tree_a(**FEW), 20),
    "planted-c-few": planted_problem(lambda seed: tree_c(**FEW), 20),
    "planted-conv": planted_problem(lambda seed: conv_problem(), 5),
    "digits": real_problem(digits.experiment, 5, goal__budgets=(0.3, 0.4, 0.6)),
    "scenes": real_problem(scenes.experiment, 5, goal__budgets=(0.5, 0.7), retrain__epochs=10),
    **data_problems(),
}
"""The problems by name. Random problems are searched only if they are valid."""
