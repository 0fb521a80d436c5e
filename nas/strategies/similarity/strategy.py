"""The similarity strategy: compares own copies of every task, and finds the best tree within each budget."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nas.discretize import value_of
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.strategies.curve import diagnose_curve
from nas.strategies.diagnosis import judge_learning
from nas.strategies.goal import Goal
from nas.strategies.inherit import inherit_copies
from nas.strategies.protocol import FirstSteps, Found, FoundTree, Problem, Training
from nas.strategies.similarity.copies import make_copies
from nas.strategies.similarity.dissimilarity import Dissimilarity, Floats, read_dissimilarity
from nas.strategies.similarity.learned import learned_shares
from nas.strategies.similarity.own_copies import (
    check_tasks,
    curve_of,
    first_copy_steps,
    limits_of,
    make_copy_training,
    train_copies,
)
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.similarity.settled import judge_settled
from nas.strategies.store import Store
from nas.tasks import Task
from nas.training import FEWEST_SEEDS, standard_error
from nas.tree import BranchTree, CostTable


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
        training = make_copy_training(problem, self)
        state, measured = train_copies(training, problem)
        if not problem.ranks.is_first:
            return Found(())
        found = self._found([measured], problem.table, problem.goal)
        learning = judge_learning(learned_shares(training, state.copies))
        stability = [] if self.patience is None else [judge_settled(state.history, self.patience, self.epochs)]
        assert found.diagnosis is not None
        # Trees of copies that have learned nothing need no further comment.
        verdicts = (learning, *stability, *(() if learning.concern else found.diagnosis.verdicts))
        return replace(
            found,
            history=state.history,
            diagnosis=found.diagnosis.model_copy(update={"verdicts": verdicts}),
            withheld=learning.text if learning.concern else None,
        )

    def cut(self, problem: Problem) -> Found:
        """The trees of another goal, from the dissimilarities of a finished search."""
        measured = read_dissimilarity(problem.store.folder)
        check_tasks(measured.tasks, problem.task_names, problem.store)
        return self._found([measured], problem.table, problem.goal)

    def pool(self, stores: Sequence[Store], table: CostTable, goal: Goal) -> Found:
        """The trees of the mean dissimilarities of several searches, with the spread over the searches."""
        return self._found([read_dissimilarity(store.folder) for store in stores], table, goal)

    def _found(self, seeds: Sequence[Dissimilarity], table: CostTable, goal: Goal) -> Found:
        """The trees of the mean over the seeds."""
        measured = Dissimilarity.mean(seeds)
        curve = curve_of(measured, table, goal)
        limits, enough = limits_of(measured, table, goal, self, curve)
        each = [one.above_floor() for one in seeds]
        diagnosis = diagnose_curve(curve, limits, measured.error_LTT, enough, seeds=each)
        # A name of its own, since the value is not a loss: it compares only trees of this search.
        measure = f"minus dissimilarity within groups ({measured.measure})"
        found = [(budget, curve.within(limit)) for budget, limit in limits]
        return Found(
            tuple(
                FoundTree(
                    *(point.tree, budget, -point.value, measure),
                    std=_deviation(point.tree, each),
                    confidence=diagnosis.confidence_within(budget),
                )
                for budget, point in found
            ),
            diagnosis=diagnosis,
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
        measured = read_dissimilarity(store.folder)
        check_tasks(measured.tasks, [task.name for task in tasks], store)
        inherit_copies(network, copies, measured)


def _deviation(tree: BranchTree, seeds: Sequence[Floats]) -> float | None:
    """The standard error of a tree's value over the seeds; None for fewer than three, whose spread says nothing."""
    return standard_error([value_of(tree, d_LTT) for d_LTT in seeds]) if len(seeds) >= FEWEST_SEEDS else None
