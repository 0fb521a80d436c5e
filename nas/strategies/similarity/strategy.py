"""The similarity strategy: compares own copies of every task, and finds the best tree within each budget."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nas.discretize import Curve
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.strategies.curve import Limits, budget_limits, diagnose_curve
from nas.strategies.inherit import inherit_copies
from nas.strategies.protocol import FirstSteps, Found, FoundTree, Problem, Training
from nas.strategies.similarity.copies import make_copies
from nas.strategies.similarity.dissimilarity import Dissimilarity
from nas.strategies.similarity.own_copies import (
    check_tasks,
    curve_of,
    first_copy_steps,
    make_copy_training,
    read_dissimilarity,
    sufficient_cost,
    train_copies,
)
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.store import Store
from nas.tasks import Task


class Similarity(SimilaritySettings):
    """Compares own copies of every task, and finds the best tree within each budget by exact discretisation.

    The curve holds, for every cost, the tree with the smallest dissimilarity above the noise floor inside its groups.
    The tree of a budget nearly always spends the whole budget, since hardly any two tasks are equal. So the search also
    gives one tree without a budget: the best tree within `sufficient_cost`, or within the largest budget if that is
    less. `sufficient_cost` separates only tasks that differ by more than `tolerance` times the floor. With one copy per
    task there is no floor; then, without budgets, the tree is the elbow of the curve.
    """

    @property
    def num_epochs(self) -> int:
        return self.epochs

    @property
    def shared_trainings(self) -> Mapping[str, Training]:
        return {"strategy": self}

    def search(self, problem: Problem) -> Found:
        """Train the copies, compare them, and discretise."""
        state, measured = train_copies(make_copy_training(problem, self), problem)
        if not problem.ranks.is_first:
            return Found(())
        return replace(self._found(problem, measured), history=state.history)

    def cut(self, problem: Problem) -> Found:
        """The trees of another goal, from the dissimilarities of a finished search."""
        measured = read_dissimilarity(problem.store)
        check_tasks(measured.tasks, problem.task_names, problem.store)
        return self._found(problem, measured)

    def _found(self, problem: Problem, measured: Dissimilarity) -> Found:
        """The trees of the problem's goal; no history."""
        curve = curve_of(problem, measured)
        # Without a floor, a gain cannot be told from chance.
        enough = sufficient_cost(problem, self, measured) if self.copies > 1 else None
        limits = _limits(curve, problem.goal.budgets, enough)
        # A name of its own, since the value is not a loss: it compares only trees of this search.
        measure = f"minus dissimilarity ({measured.measure})"
        found = [(budget, curve.within(limit)) for budget, limit in limits]
        return Found(
            tuple(FoundTree(point.tree, budget, -point.value, measure) for budget, point in found),
            diagnosis=diagnose_curve(curve, limits, measured.error_LTT, enough),
            curve=curve,
        )

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step of the copies' training, and its predicted time."""
        return first_copy_steps(problem, self)

    def inherit(self, network: BranchedNetwork, tasks: Sequence[Task], backbone: Backbone, store: Store) -> None:
        """Give a network the first copies' weights (`nas.strategies.inherit.inherit_copies`)."""
        saved, copies = store.checkpoints.latest(), make_copies(backbone, tasks, self.copies)
        assert saved is not None
        check_tasks(saved["tasks"], copies.task_names, store)
        copies.load_state_dict(saved["supernet"])
        measured = read_dissimilarity(store)
        check_tasks(measured.tasks, [task.name for task in tasks], store)
        inherit_copies(network, copies, measured)


def _limits(curve: Curve, budgets: Sequence[float], enough: float | None) -> Limits:
    limits = budget_limits(curve, budgets)
    if enough is None:
        return limits
    named = [(budget, limit) for budget, limit in limits if budget is not None]
    return [*named, (None, min(enough, max((limit for _, limit in named), default=enough)))]
