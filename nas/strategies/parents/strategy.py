"""The strategy of parent choice: one joint search, and a tree for each budget from its logits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nas.cost import resolve_budget
from nas.data import derive_seed
from nas.discretize import argmax_parents_tree, cheapest_tree, discretize, dissimilarity_from_parents
from nas.engine.loop import resume, seeded
from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet
from nas.strategies.diagnosis import judge_logits, late_drift
from nas.strategies.from_logits import check_argmax_goal, found_argmax, found_within
from nas.strategies.goal import Goal
from nas.strategies.parents.inherit import inherit_nodes
from nas.strategies.parents.record import write_parents
from nas.strategies.parents.search import JointSearch
from nas.strategies.parents.settings import ParentSettings, published
from nas.strategies.parents.state import ParentState
from nas.strategies.protocol import FirstSteps, Found, Problem, Training, state_bytes
from nas.strategies.similarity.own_copies import check_tasks
from nas.strategies.store import Store
from nas.tasks import Task


class ParentChoice(ParentSettings):
    """Trains the weights of a supernet's nodes and the logits of their parents, then turns the logits into trees."""

    @property
    def num_epochs(self) -> int:
        return self.epochs

    @property
    def shared_trainings(self) -> Mapping[str, Training]:
        return {"strategy": self}

    def check_goal(self, goal: Goal) -> None:
        """ValueError if discretize is "argmax" and the goal has budgets or constraints."""
        if self.discretize == "argmax":
            check_argmax_goal(goal)

    def check_problem(self, problem: Problem) -> None:
        """InputError if the nodes are of another number of blocks, or allow no tree within constraints and budgets."""
        table, goal = problem.table, problem.goal
        nodes = self._nodes(problem)
        cheapest = cheapest_tree(problem.task_names, table, goal.resource, goal.constraints, nodes)
        for budget in goal.budgets:
            resolve_budget(budget, table, goal.resource, cheapest=cheapest)

    def search(self, problem: Problem) -> Found:
        """Train, find the trees, and estimate the quality of each with inherited weights."""
        self.check_problem(problem)
        search, state = self.start(problem)
        resume(state, problem.store.checkpoints, problem.ranks)
        search.run(state, problem.store.checkpoints, lambda _: problem.on_epoch(state.history))
        if not problem.ranks.is_first:
            return Found(())
        write_parents(problem.store, problem.task_names, self._last_logits(state))
        return replace(self._found(state, problem), history=state.history)

    def cut(self, problem: Problem) -> Found:
        """The trees of another goal, from the logits of a finished search.

        The logits were trained towards the largest budget of their search. So a search with another largest budget may
        find other trees.
        """
        self.check_problem(problem)
        _, state = self.start(problem)
        checkpoints = problem.store.checkpoints
        if not resume(state, checkpoints) or state.num_epochs < self.epochs:
            raise InputError(f"{checkpoints.folder}: lacks the last checkpoint of the search, which has its logits")
        return self._found(state, problem)

    def _found(self, state: ParentState, problem: Problem) -> Found:
        """The trees of the problem's goal with their estimates; no history."""
        names, table, goal = problem.task_names, problem.table, problem.goal
        logits = self._last_logits(state)
        num_choices = sum(map(len, logits))
        verdicts = judge_logits(state.history, num_choices, table.block_names, goal.resource)

        def inherit(network: BranchedNetwork) -> None:
            inherit_nodes(network, state.supernet, logits)

        if self.discretize == "argmax":
            return found_argmax(argmax_parents_tree(names, logits), verdicts, inherit, problem, self.batch_size)
        unlike_LTT, nodes = dissimilarity_from_parents(logits), self._nodes(problem)
        curve = discretize(*(names, unlike_LTT, table, goal.resource), constraints=goal.constraints, most_groups=nodes)
        return found_within(curve, late_drift(state.history), verdicts, inherit, problem, self.batch_size)

    def start(self, problem: Problem) -> tuple[JointSearch, ParentState]:
        """The search, and its state before the first epoch: a supernet by the problem's seed, undecided logits."""
        search = JointSearch.of(problem, self)
        with seeded(derive_seed(problem.seed, "supernet")):
            supernet = ParentSupernet(problem.backbone, problem.tasks, self._nodes(problem))
        return search, search.start(supernet)

    def _last_logits(self, state: ParentState) -> list[Tensor]:
        """Logits whose softmax is the probability of each parent after the last epoch."""
        return state.log_probabilities(self.sampler, state.history[-1]["temperature"] or 1.0)

    def _nodes(self, problem: Problem) -> tuple[int, ...]:
        return self.nodes_of(problem.backbone.num_blocks, len(problem.tasks))

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step, and the predicted time of the search."""
        search, state = self.start(problem)
        # The first call includes allocations and the choice of algorithms, so only the second is timed.
        search.try_step(state)
        return FirstSteps(*search.try_step(state), state_bytes(state.supernet))

    def inherit(self, network: BranchedNetwork, tasks: Sequence[Task], backbone: Backbone, store: Store) -> None:
        """Give a network the weights of the nodes that its groups descend from (`inherit_nodes`)."""
        saved = store.checkpoints.latest()
        assert saved is not None
        supernet = ParentSupernet(backbone, tasks, self.nodes_of(backbone.num_blocks, len(tasks)))
        # The rows of the logits are in this order.
        check_tasks(saved["tasks"], [task.name for task in tasks], store)
        state = ParentState.start(supernet, self, torch.device("cpu"))
        state.load(saved, str(store.checkpoints.folder))
        inherit_nodes(network, supernet, self._last_logits(state))


def ltb(**changes: Any) -> ParentChoice:
    """The published setting of Learning to Branch (`nas.strategies.parents.published`), with named changes."""
    return ParentChoice(**{**published(), **changes})
