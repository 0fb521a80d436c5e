"""The similarity strategy: own copies of every task, and the trees of least dissimilarity within each budget."""

from collections.abc import Mapping, Sequence

from nas.discretize import Curve
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.strategies.curve import Limits, budget_limits, diagnose_curve
from nas.strategies.inherit import inherit_copies
from nas.strategies.protocol import FirstSteps, Found, FoundTree, Problem, Training
from nas.strategies.similarity.copies import make_copies
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
    """Compares own copies of every task, and takes the best trees within each budget by the exact programme.

    There is one curve, of the dissimilarities above the noise floor, and each budget's tree is the best one within it.
    Such a tree spends its budget, for hardly any two tasks are quite alike. So the search also says what it would take
    itself, a point without a budget: the best tree for `sufficient_cost`, or for the largest budget if that is less.
    Tasks that differ by less than `tolerance` times the floor are better together at any cost, and no more is spent
    than keeping the others apart takes. With one copy a task there is no floor, and without budgets the tree is the
    curve's elbow.
    """

    @property
    def num_epochs(self) -> int:
        return self.epochs

    @property
    def trainings(self) -> Mapping[str, Training]:
        return {"strategy": self}

    def search(self, problem: Problem) -> Found:
        """Train the copies, compare them, and discretise."""
        state, measured = train_copies(make_copy_training(problem, self), problem)
        if not problem.ranks.is_first:
            return Found(())
        curve = curve_of(problem, measured)
        # Without a floor nothing tells which gains are chance.
        enough = sufficient_cost(problem, self, measured) if self.copies > 1 else None
        limits = _limits(curve, problem.goal.budgets, enough)
        # The name says that the value is no loss: it compares trees of this search alone.
        measure = f"minus dissimilarity ({measured.measure})"
        found = [(budget, curve.within(limit)) for budget, limit in limits]
        return Found(
            tuple(FoundTree(point.tree, budget, -point.value, measure) for budget, point in found),
            state.history,
            diagnose_curve(curve, limits, measured.error_LTT, enough),
            curve,
        )

    def first_steps(self, problem: Problem) -> FirstSteps:
        """One step of the warm-up, and how long all would take."""
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
