"""Several seeds as one result: trees that they find together, and how many of them agree with each split.

The best estimate of several seeds belongs to the luckiest seed. So the trees of searches that differ only in their
seeds are pooled by their strategy (``pool`` in `nas.strategies.protocol`), and the front recommends a pooled tree.
"""

import json
from collections.abc import Sequence

from nas.files import write_json_atomically
from nas.recipe.experiment import Experiment
from nas.run.costs import read_table
from nas.run.front import Point
from nas.run.pooled_record import PooledRecord, PooledTree, PooledTrials, pooled_file
from nas.run.run_folder import RunFolder
from nas.run.search_trial import check_found, make_point
from nas.run.trial_folder import TrialFolder
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.strategies.protocol import pool_of
from nas.tree import read_tree, split_agreement


def pool_trials(run: RunFolder, experiment: Experiment, points: Sequence[Point]) -> list[Point]:
    """Pool the trials that differ only in their seeds; returns the points of the trees that they found together.

    Writes the trees into ``trees/`` and their agreement into ``pooled.json``. Without several seeds, or if the strategy
    cannot pool them, nothing is written.

    Args:
        points: the points of all finished trials.

    Raises:
        InputError: the record of a trial is malformed.
    """
    pooled = [
        result for trials in _groups(run, points) if (result := _pool(run, experiment, trials, points)) is not None
    ]
    if pooled:
        write_json_atomically(pooled_file(run), PooledRecord(groups=tuple(group for group, _ in pooled)).model_dump())
    return [point for _, found in pooled for point in found]


def _groups(run: RunFolder, points: Sequence[Point]) -> list[list[TrialFolder]]:
    """Finished trials with the same budget and proposed values, one for each seed; groups of at least two."""
    groups: dict[str, dict[int, TrialFolder]] = {}
    for number in sorted({point.trial for point in points}):
        trial = run.trial(number)
        setting = trial.setting
        alike = json.dumps([setting.budget, setting.values], sort_keys=True)
        groups.setdefault(alike, {}).setdefault(setting.seed, trial)
    return [list(by_seed.values()) for by_seed in groups.values() if len(by_seed) > 1]


def _pool(
    run: RunFolder, experiment: Experiment, trials: Sequence[TrialFolder], points: Sequence[Point]
) -> tuple[PooledTrials, list[Point]] | None:
    """What some trials found together; None if their strategy cannot pool them."""
    first, numbers = trials[0], tuple(trial.number for trial in trials)
    own = first.setting.experiment(experiment)
    if (pool := pool_of(own.strategy)) is None:
        return None
    table = read_table(first.costs)
    found = pool([trial.store for trial in trials], table, own.goal)
    trees, verdicts, pooled = [], [], []
    for one in found.trees:
        check_found(one, own, table)
        tree = one.tree.with_cost(table)
        file = run.keep_tree(tree, table).relative_to(run.path)
        alike = [point for point in points if point.trial in numbers and point.budget == one.budget]
        # One seed that has learned nothing spoils the mean.
        withheld = next((point.withheld for point in alike if point.withheld is not None), None)
        pooled.append(make_point(one, tree, file, first.number, own.seed, numbers, withheld))
        splits = tuple(split_agreement(tree, [read_tree(run.path / point.tree) for point in alike]))
        trees.append(PooledTree(tree=tree.id, budget=one.budget, splits=splits))
        verdicts += _judge_splits(trees[-1])
    diagnosis = found.diagnosis or Diagnosis()
    diagnosis = diagnosis.model_copy(update={"verdicts": (*diagnosis.verdicts, *verdicts)})
    return PooledTrials(trials=numbers, trees=tuple(trees), diagnosis=diagnosis), pooled


def _judge_splits(tree: PooledTree) -> list[Verdict]:
    """In how many seeds the tasks part as in a pooled tree; a concern if a split is doubtful."""
    if not tree.splits:
        return []
    which = f"tree {tree.tree}" + ("" if tree.budget is None else f" (budget {tree.budget:g})")
    text = f"{which}: {'; '.join(split.in_words('seeds') for split in tree.splits)}"
    return [Verdict(about="seeds", concern=any(split.doubtful for split in tree.splits), text=text)]
