"""The gradient strategy: one bilevel search, and a tree for each budget from its logits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from nas.data import SplitName, derive_seed
from nas.discretize import argmax_tree, discretize, dissimilarity_from_logits
from nas.engine.loop import resume, seeded
from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet
from nas.strategies.diagnosis import judge_logits, late_drift
from nas.strategies.from_logits import check_argmax_goal, found_argmax, found_within
from nas.strategies.goal import Goal
from nas.strategies.gradient.logits_record import write_logits
from nas.strategies.gradient.search import BilevelSearch
from nas.strategies.gradient.settings import GradientSettings, published
from nas.strategies.gradient.state import SearchState
from nas.strategies.inherit import inherit_weights
from nas.strategies.protocol import FirstSteps, Found, Problem, Training, state_bytes
from nas.strategies.similarity.own_copies import (
    check_tasks,
    curve_of,
    first_copy_steps,
    make_copy_training,
    sufficient_cost,
    train_copies,
)
from nas.strategies.similarity.start import candidate_sources, start_candidates, starting_logits
from nas.strategies.store import Store
from nas.tasks import Task


class Gradient(GradientSettings):
    """Trains the logits and weights of a supernet in turn, then turns the logits into trees."""

    @property
    def num_epochs(self) -> int:
        """Epochs of the search, plus those of the own copies that it starts from."""
        return self.epochs + (0 if self.init is None else self.init.epochs)

    @property
    def num_compared_epochs(self) -> int:
        return self.epochs - self.warmup_epochs

    @property
    def shared_trainings(self) -> Mapping[str, Training]:
        return {"strategy": self} if self.init is None else {"strategy": self, "strategy.init": self.init}

    @property
    def labelled_splits(self) -> tuple[SplitName, ...]:
        """The logits are trained on a split of their own."""
        return ("architecture",)

    def check_goal(self, goal: Goal) -> None:
        """ValueError if discretize is "argmax" and the goal has budgets or constraints."""
        if self.discretize == "argmax":
            check_argmax_goal(goal)

    def search(self, problem: Problem) -> Found:
        """Train, find the trees, and estimate the quality of each with inherited weights."""
        search, state = self.start(problem)
        if not resume(state, problem.store.checkpoints, problem.ranks) and self.init is not None:
            state = self._start_from_copies(search, state.supernet, problem)
        before = problem.store.preparation.latest()
        earlier = [] if before is None else before["history"]

        def on_epoch(_: Mapping[str, Any]) -> None:
            problem.on_epoch([*earlier, *state.history])

        search.run(state, problem.store.checkpoints, on_epoch)
        if not problem.ranks.is_first:
            return Found(())
        write_logits(problem.store, problem.task_names, self._logits_LTC(state.logits_LTP, state.supernet))
        return replace(self._found(state, problem), history=[*earlier, *state.history])

    def cut(self, problem: Problem) -> Found:
        """The trees of another goal, from the logits of a finished search.

        The logits were trained towards the largest budget of their search. So a search with another largest budget may
        find other trees.
        """
        _, state = self.start(problem)
        checkpoints = problem.store.checkpoints
        if not resume(state, checkpoints) or state.num_epochs < self.epochs:
            raise InputError(f"{checkpoints.folder}: lacks the last checkpoint of the search, which has its logits")
        return self._found(state, problem)

    def _found(self, state: SearchState, problem: Problem) -> Found:
        """The trees of the problem's goal with their estimates; no history."""
        names, table, goal = problem.task_names, problem.table, problem.goal
        logits_LTC = self._logits_LTC(state.logits_LTP, state.supernet)
        num_choices = logits_LTC.shape[0] * logits_LTC.shape[1]
        verdicts = judge_logits(state.history, num_choices, table.block_names, goal.resource)

        def inherit(network: BranchedNetwork) -> None:
            inherit_weights(network, state.supernet, logits_LTC)

        if self.discretize == "argmax":
            return found_argmax(argmax_tree(names, logits_LTC), verdicts, inherit, problem, self.batch_size)
        unlike_LTT = dissimilarity_from_logits(logits_LTC)
        curve = discretize(names, unlike_LTT, table, goal.resource, constraints=goal.constraints)
        return found_within(curve, late_drift(state.history), verdicts, inherit, problem, self.batch_size)

    def start(self, problem: Problem) -> tuple[BilevelSearch, SearchState]:
        """The search, and its state before the first epoch: a supernet by the problem's seed, undecided logits."""
        search = BilevelSearch.of(problem, self)
        with seeded(derive_seed(problem.seed, "supernet")):
            supernet = Supernet(
                problem.backbone,
                problem.tasks,
                self.num_candidates,
                equal_start=self.equal_start,
                affine_last_norm=self.affine_last_norm,
            )
        return search, search.start(supernet)

    def _start_from_copies(self, search: BilevelSearch, supernet: Supernet, problem: Problem) -> SearchState:
        """Start from the weights of own copies, and from logits that favour the trees of their similarity."""
        assert self.init is not None
        warmup = make_copy_training(problem, self.init, affine_last_norm=self.affine_last_norm)
        trained, measured = train_copies(warmup, problem, first=True)
        sources = candidate_sources(measured, supernet.num_candidates)
        start_candidates(supernet, trained.copies, sources)
        table, goal = problem.table, problem.goal
        limits = search.budgets or (sufficient_cost(measured, table, goal, self.init.tolerance),)
        return search.start(supernet, starting_logits(measured, curve_of(measured, table, goal), sources, limits))

    def _logits_LTC(self, logits_LTP: Tensor, supernet: Supernet) -> Tensor:
        """Logits whose softmax is the probability of each candidate at the end of the search, detached."""
        last = self.temperature_at(self.epochs - 1)
        return self.sampler.log_probabilities(logits_LTP.detach(), supernet.num_candidates, last)

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step of each kind, and the predicted time of the search."""
        search, state = self.start(problem)
        # The first call includes allocations and the choice of algorithms, so only the second is timed.
        search.try_steps(state)
        losses, seconds = search.try_steps(state)
        if self.init is not None:
            seconds += first_copy_steps(problem, self.init).seconds
        return FirstSteps(losses, seconds, state_bytes(state.supernet))

    def inherit(self, network: BranchedNetwork, tasks: Sequence[Task], backbone: Backbone, store: Store) -> None:
        """Give a network the weights of the candidates that its groups prefer (`inherit_weights`)."""
        saved = store.checkpoints.latest()
        assert saved is not None
        supernet = Supernet(backbone, tasks, self.num_candidates, affine_last_norm=self.affine_last_norm)
        # The rows of the logits are in this order.
        check_tasks(saved["tasks"], [task.name for task in tasks], store)
        supernet.load_state_dict(saved["supernet"])
        inherit_weights(network, supernet, self._logits_LTC(saved["logits_LTC"], supernet))


def bmtas(**changes: Any) -> Gradient:
    """The published setting of BMTAS (`nas.strategies.gradient.published`), with named changes."""
    return Gradient(**{**published(), **changes})
