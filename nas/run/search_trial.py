"""Runs one trial in its folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from nas.cost import format_quantity, resolve_budget
from nas.engine import SINGLE_PROCESS, Ranks
from nas.errors import WorkFailed
from nas.recipe.experiment import Experiment
from nas.run.beginning import write_beginning
from nas.run.evaluator import RunEvaluator
from nas.run.front import Point, Quality
from nas.run.outcome import TrialResult, write_outcome
from nas.run.part_shapes import part_shapes
from nas.run.parts import TrialParts
from nas.run.run_folder import RunFolder
from nas.run.trial_folder import TrialFolder
from nas.run.trial_plan import Trial
from nas.strategies import Found, FoundTree, History, Strategy
from nas.strategies.evaluator import Evaluator
from nas.training import EpochLogs
from nas.tree import BranchTree, CostTable

OnEpoch = Callable[[dict[str, Any]], None]


def run_trial(
    experiment: Experiment,
    trial: Trial,
    run: RunFolder,
    device: torch.device,
    on_epoch: OnEpoch = lambda _: None,
    parts: TrialParts | None = None,
    ranks: Ranks = SINGLE_PROCESS,
    evaluate_with: Callable[[RunEvaluator], Evaluator] = lambda own: own,
) -> TrialResult:
    """Run one trial from its last checkpoint to its result; a finished trial is only read.

    Args:
        experiment: the trial's own experiment (`Trial.experiment`).
        parts: the trial's parts if they are built already.
        ranks: processes that share each batch. Only rank 0 uses the run folder; the folders of others are temporary.
        evaluate_with: makes the evaluator that the strategy gets from the one that trains in this process.

    Raises:
        InputError, WorkFailed: the search fails, or another process writes into the trial's folder.
    """
    folder = run.trial(trial.number)
    with folder.locked():
        if (done := ranks.call_on_first(lambda: _result(folder))) is not None:
            return TrialResult.model_validate(done)
        # An earlier failure is not the outcome of this attempt.
        (folder.path / "failure.json").unlink(missing_ok=True)
        folder.write_setting(trial)
        write_beginning(folder.path, experiment.num_epochs, folder.epochs_done)
        built = parts or TrialParts.build(experiment)
        ranks.call_on_first(lambda: run.labels.check_all(experiment, built.data))
        own = RunEvaluator(run, experiment, built.data, device, folder.path / "trainings")
        found = search_in(folder, experiment, built, device, on_epoch, ranks, evaluate_with(own))
        points = [keep_tree(run, folder, experiment, tree, built.table, found.withheld) for tree in found.trees]
        result = TrialResult(points=tuple(points))
        write_outcome(folder.path, result)
        return result


def search_in(
    folder: TrialFolder,
    experiment: Experiment,
    parts: TrialParts,
    device: torch.device,
    on_epoch: OnEpoch = lambda _: None,
    ranks: Ranks = SINGLE_PROCESS,
    evaluator: Evaluator | None = None,
) -> Found:
    """Run the experiment's strategy, and write all files of the trial except its trees and its outcome."""
    folder.make()
    folder.write_costs(parts.table, part_shapes(parts.backbone, experiment.tasks), parts.uncounted)
    folder.write_splits(parts.data)
    strategy: Strategy = experiment.strategy
    with EpochLogs(folder.path, experiment.trials.logs if ranks.is_first else ()) as logs:

        def record(history: History) -> None:
            folder.write_metrics(history)
            logs.write(history)
            on_epoch(dict(history[-1]))

        found = strategy.search(parts.problem(experiment, device, folder.store, record, ranks, evaluator))
        if ranks.is_first:
            # `record` was not called for epochs that came from a checkpoint.
            folder.write_metrics(found.history)
            logs.write(found.history)
    if ranks.is_first:
        if found.curve is not None:
            folder.write_curve(found.curve)
        if found.diagnosis is not None:
            found.diagnosis.write(folder.path)
    return found


def keep_tree(
    run: RunFolder,
    folder: TrialFolder,
    experiment: Experiment,
    found: FoundTree,
    table: CostTable,
    withheld: str | None = None,
) -> Point:
    """Write a tree into its trial's folder; returns its point. WorkFailed if it does not fit the experiment."""
    check_found(found, experiment, table)
    tree = found.tree.with_cost(table)
    file = folder.write_tree(tree).relative_to(run.path)
    return make_point(found, tree, file, folder.number, experiment.seed, withheld=withheld)


def make_point(
    found: FoundTree,
    tree: BranchTree,
    file: Path,
    trial: int,
    seed: int,
    pooled: Sequence[int] = (),
    withheld: str | None = None,
) -> Point:
    """The point of a tree that a strategy found; ``tree`` has its cost, the others are as in `Point`."""
    return Point(
        tree=str(file),
        trial=trial,
        seed=seed,
        budget=found.budget,
        cost=dict(tree.cost or {}),
        quality=Quality(value=found.value, measure=found.measure, kind=found.kind, std=found.std),
        confidence=found.confidence,
        pooled=tuple(pooled),
        withheld=withheld,
    )


def check_found(found: FoundTree, experiment: Experiment, table: CostTable) -> None:
    """WorkFailed unless a tree fits the experiment and its budget, since a user's own strategy may be wrong."""
    tree, resource = found.tree, experiment.goal.resource
    name = f"strategy {type(experiment.strategy).__name__} found the tree {tree.id}"
    if set(tree.tasks) != set(experiment.task_names) or len(tree.partitions) != len(table.blocks):
        raise WorkFailed(
            f"{name}, which has {len(tree.partitions)} blocks and the tasks {list(tree.tasks)}; the experiment has "
            f"{len(table.blocks)} and {list(experiment.task_names)}"
        )
    if not (found.std is None or found.std >= 0) or not (found.confidence is None or 0 <= found.confidence <= 1):
        raise WorkFailed(
            f"{name} with std={found.std} and confidence={found.confidence}; a standard deviation is 0 or more, and a "
            "probability from 0 to 1"
        )
    if found.budget is not None:
        cost, limit = table.tree_cost(tree)[resource], resolve_budget(found.budget, table, resource)
        if cost > limit:
            raise WorkFailed(
                f"{name}, which costs {format_quantity(cost, resource)}, more than its budget {found.budget:g} "
                f"({format_quantity(limit, resource)})"
            )


def _result(folder: TrialFolder) -> dict[str, Any] | None:
    """The result in a trial's folder as plain values; None if there is none."""
    outcome = folder.outcome
    return outcome.model_dump() if isinstance(outcome, TrialResult) else None
