"""The strategies of the league, and the settings with which a search of each costs what is asked for.

A strategy is a line of `STRATEGIES`: a function from the problem, its experiment, the parts of the search and the
cost to the experiment with this strategy, or None if it cannot be had for the cost.

- Strategies that may spend trainings get the cost as their limit. A start from similarity takes at most a third of it,
  and a short training at most a tenth of the rest, so that at least some trees are measured. The best trees are trained
  in full if half of what is left pays it. A population of evolution and the random start of TPE have eight trees, about
  as many as one or three trainings measure in all.
- The others train for as many epochs as cost nearest to it (`search_cost.predicted_cost`), within `TOLERANCE`.

Batch size, optimiser, schedule and precision are the recipe's where it has settings for the strategy, and else those
of its own copies. All other settings are the defaults.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from evidence_problems import Problem
from search_cost import predicted_cost

from nas.errors import InputError
from nas.recipe import Experiment
from nas.strategies import Gradient, ParentChoice
from nas.strategies import Problem as SearchProblem
from nas.strategies.parents import published as published_parents

TOLERANCE = 0.1
"""How far a predicted cost may be from the one asked for, as a share of it."""

Entry = Callable[[Problem, Experiment, SearchProblem, float], Experiment | None]
"""The experiment with a strategy that costs so many trainings; None if there is none."""

Changes = Callable[[Problem, Experiment, int], dict[str, Any]]
"""Changes to the experiment with which a strategy trains for a number of epochs."""


def spending(name: str) -> Entry:
    """A strategy that spends what it may."""

    def entry(problem: Problem, experiment: Experiment, search: SearchProblem, cost: float) -> Experiment | None:
        own, left = experiment.with_fields({"strategy": name}), cost
        changes: dict[str, Any] = {"strategy.trainings": cost}
        start = getattr(own.strategy, "start", None)
        if start is not None:
            per_epoch = predicted_cost(start, search) / start.epochs
            epochs = max(1, min(start.epochs, int(cost / 3 / per_epoch)))
            left = cost - epochs * per_epoch
            # It stops only if nothing is left to choose, since the others spend all that they may, too.
            changes |= {"strategy.start.epochs": epochs, "strategy.margin": 1e-6, "strategy.chance": 0.0}
        changes["strategy.length"] = min(own.strategy.length, left / 10)
        asked = own.with_fields(changes)
        try:
            asked.strategy.check_problem(search)
        except InputError:
            return None
        return asked

    return entry


def for_epochs(changes: Changes) -> Entry:
    """A strategy whose number of epochs follows from the cost."""

    def entry(problem: Problem, experiment: Experiment, search: SearchProblem, cost: float) -> Experiment | None:
        def at(epochs: int) -> Experiment | None:
            try:
                return experiment.with_fields(changes(problem, experiment, epochs))
            except InputError:
                return None

        def cost_of(epochs: int) -> float:
            found = at(epochs)
            return float("inf") if found is None else predicted_cost(found.strategy, search)

        low, high = 0, 1
        while cost_of(high) <= cost:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cost_of(middle) <= cost else (low, middle)
        best = min((n for n in (low, high) if n), key=lambda n: abs(cost_of(n) - cost))
        return at(best) if abs(cost_of(best) / cost - 1.0) <= TOLERANCE else None

    return entry


def own_copies(**fields: Any) -> Changes:
    """The recipe's own copies, with other fields."""
    changes = {f"strategy.{name}": value for name, value in fields.items()}
    return lambda problem, experiment, epochs: {"strategy": "similarity", **changes, "strategy.epochs": epochs}


def pairs(name: str) -> Changes:
    """A strategy that trains networks of two tasks for some epochs each."""
    return lambda problem, experiment, epochs: {
        "strategy": name,
        "strategy.length": epochs / experiment.retrain.epochs,
    }


def gradient(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
    """The recipe's gradient search, or the default one."""
    copies = experiment.strategies["similarity"]
    default = Gradient(batch_size=copies.batch_size, weights=copies.weights, compute=copies.compute)
    return {"strategy": experiment.strategies.get("gradient", default), "strategy.epochs": epochs}


def one_path(problem: Problem, experiment: Experiment, search: SearchProblem, cost: float) -> Experiment | None:
    """One-path steps on candidates and logits that start from the recipe's own copies, which take three fifths of the
    cost at most."""
    copies = experiment.strategies["similarity"]
    per_epoch = predicted_cost(copies, search) / copies.epochs
    start = copies.model_copy(update={"epochs": max(1, min(copies.epochs, int(0.6 * cost / per_epoch)))})

    def changes(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
        own = dict(gradient(problem, experiment, epochs)["strategy"])
        fields = {"init": start, "warmup": None, "routing": "one_path", "epochs": epochs}
        return {"strategy": Gradient(**(own | fields))}

    return for_epochs(changes)(problem, experiment, search, cost)


def sampled(name: str) -> Changes:
    """The recipe's gradient search with another sampler of the branching points."""

    def changes(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
        own = gradient(problem, experiment, epochs)["strategy"]
        fields = dict(own) | {"sampler": name, "temperature": None, "epochs": epochs}
        return {"strategy": Gradient(**fields)}

    return changes


def published(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
    """BMTAS as `evidence_problems.published` has it, but discretised exactly, since it cannot keep a budget."""
    method = next(method for method in problem.methods if method.name == "published")
    return {"strategy": Gradient(**{**dict(method.changes["strategy"]), "discretize": "exact", "epochs": epochs})}


def ltb(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
    """Learning to Branch with its schedules, but the default nodes, and discretised exactly, since it cannot keep a
    budget. The logits have their default rate: by the published one, 1e-7, they would not leave the uniform ones."""
    copies = experiment.strategies["similarity"]
    default = ParentChoice()
    own = {"nodes": default.nodes, "logits": default.logits, "discretize": "exact", "epochs": epochs}
    shared = {"batch_size": copies.batch_size, "weights": copies.weights, "compute": copies.compute}
    return {"strategy": ParentChoice(**(published_parents() | shared | own))}


def like_copies(name: str, **fields: Any) -> Changes:
    """A strategy that trains a network by itself, with the optimiser of the recipe's own copies."""

    def changes(problem: Problem, experiment: Experiment, epochs: int) -> dict[str, Any]:
        copies = experiment.strategies["similarity"]
        shared = {"batch_size": copies.batch_size, "weights": copies.weights, "schedule": copies.schedule}
        own = {field: value(epochs) for field, value in fields.items()}
        return {
            "strategy": name,
            **{f"strategy.{field}": value for field, value in (shared | own).items()},
            "strategy.epochs": epochs,
        }

    return changes


STRATEGIES: dict[str, Entry] = {
    "random": spending("random"),
    "evolution": spending("evolution"),
    "tpe": spending("tpe"),
    "transfer": spending("transfer"),
    "two_task": for_epochs(pairs("two_task")),
    "grouping": for_epochs(pairs("grouping")),
    "similarity": for_epochs(own_copies()),
    "what_to_share": for_epochs(own_copies(measure="rdm", copies=1)),
    "gradient": for_epochs(gradient),
    "dselect_k": for_epochs(sampled("dselect_k")),
    "entmax": for_epochs(sampled("entmax")),
    "one_path": one_path,
    "bmtas": for_epochs(published),
    "ltb": for_epochs(ltb),
    "gradient_affinity": for_epochs(like_copies("gradient_affinity")),
    "lookahead": for_epochs(like_copies("lookahead")),
    "bottom_up": for_epochs(like_copies("bottom_up", warmup=lambda epochs: epochs // 4)),
    **({"policy_rl": spending("policy_rl")} if find_spec("tianshou") and find_spec("gym") else {}),
}
"""By name. A new strategy is one more line here."""
