"""`nas compare`: train the trees found, single-task networks, the shared tree and random trees of equal cost."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.data import derive_seed
from nas.errors import InputError
from nas.files import require_writable
from nas.launch.dispatch import Progress, train_tree
from nas.report.figures import draw_comparison_figures
from nas.report.html import try_report
from nas.run import RunFolder, TrainedNetwork, TreeTraining, build_data
from nas.run.comparison import Comparison, Contender, judge
from nas.run.opened_run import OpenRun, Recipe, open_run
from nas.run.safety import check_margin, require_safe
from nas.training import metric_directions
from nas.tree import BranchTree, CostTable, random_tree, read_tree

_DRAWS = 10
"""At most so many draws for each random tree that is wanted, because duplicates are thrown away."""


def compare(
    run: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    allow_changed: bool = False,
    margin: float | None = None,
    on_training: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Comparison:
    """Train every contender with every seed, with the same settings, and compare them with single-task networks.

    Contenders are a single-task network of each task, the fully shared tree, every distinct non-dominated tree of the
    front (in a run without a search, every tree that was retrained), and for each of these trees several random trees
    that cost at most as much. A finished training is not repeated, so an interrupted comparison continues where it
    stopped.

    Writes ``compare/results.json`` and ``compare/table.csv`` into the run folder, draws the result into
    ``figures/comparison.png`` and ``figures/gains.png``, and, if the run has a front, writes ``report.html``.

    Args:
        run: the folder of a finished search, or of a recipe that was retrained with a tree.
        changes: fields to change, for instance ``{"compare.seeds": [0, 1]}``.
        margin: how many percent worse than its single-task network a task of the recommended tree may be
            (`require_safe`).

    Raises:
        WorkFailed: a task is worse by more than the margin; the comparison is written all the same.
    """
    if margin is not None:
        check_margin(margin)
    opened = open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    table = opened.measure(opened.experiment).table
    # Before hours of training: a metric without a direction raises an InputError here.
    metric_directions(opened.experiment.tasks)
    # As early: a run with several retrained trees recommends none of them, so a margin has no tree to judge.
    judged = None if margin is None else opened.folder.find_tree(None)
    contenders = _contenders(opened, table)
    with opened.folder.locked():
        require_writable(opened.folder.path / "compare")
        results = _train(opened, contenders, on_training, on_epoch)
        comparison = judge(opened.experiment, table, contenders, results)
        comparison.write(opened.folder.path / "compare")
        draw_comparison_figures(opened.folder, comparison)
        if opened.folder.finished:
            try_report(opened.folder)
    if margin is not None and judged is not None:
        require_safe(comparison, judged.id, margin)
    return comparison


def _contenders(opened: OpenRun, table: CostTable) -> list[Contender]:
    names, num_blocks = opened.experiment.task_names, len(table.blocks)
    found = _found(opened.folder, names)
    for tree_id, tree in found.items():
        if changes := opened.folder.changes_of(tree):
            raise InputError(
                f"{opened.folder.path}: tree {tree_id} was found for another backbone than the recipe's ({changes}), "
                "and compare trains all networks with the recipe's; search without ranges of the backbone to compare"
            )
    contenders = [Contender("single", name, BranchTree.shared([name], num_blocks)) for name in names]
    contenders.append(Contender("shared", "shared", BranchTree.shared(names, num_blocks)))
    for tree_id, tree in found.items():
        contenders.append(Contender("found", tree_id, tree))
        contenders += [Contender("random", tree_id, other) for other in _random_trees(opened, table, tree, tree_id)]
    return contenders


def _found(run: RunFolder, names: Sequence[str]) -> dict[str, BranchTree]:
    """The non-dominated trees of the front by id; in a run without a search, the retrained trees of all tasks."""
    if run.only_retrained:
        given = {tree.id: tree for tree in map(read_tree, run.given_trees) if set(tree.tasks) == set(names)}
        if not given:
            raise InputError(f"{run.path}: none of its retrained trees has all tasks ({', '.join(names)}) to compare")
        return given
    found: dict[str, BranchTree] = {}
    for point in run.front.points:
        if not point.dominated:
            found.setdefault(point.tree_id, read_tree(run.path / point.tree))
    return found


def _random_trees(opened: OpenRun, table: CostTable, tree: BranchTree, tree_id: str) -> list[BranchTree]:
    """Distinct random trees that differ from a tree and cost at most as much; fewer if no more are found."""
    experiment, resource = opened.experiment, opened.experiment.goal.resource
    found: list[BranchTree] = []
    for i in range(_DRAWS * experiment.compare.random_trees):
        if len(found) == experiment.compare.random_trees:
            break
        rng = np.random.default_rng(derive_seed(experiment.seed, "random tree", tree_id, i))
        drawn = random_tree(
            experiment.task_names,
            table,
            table.tree_cost(tree)[resource],
            resource=resource,
            tolerance=experiment.compare.tolerance,
            rng=rng,
        )
        if drawn != tree and drawn not in found:
            found.append(drawn)
    return found


def _train(
    opened: OpenRun,
    contenders: list[Contender],
    on_training: Callable[[Progress], None],
    on_epoch: Callable[[dict[str, Any]], None],
) -> dict[tuple[str, int], TrainedNetwork]:
    data = build_data(opened.experiment)
    seeds = opened.experiment.compare.seeds
    results: dict[tuple[str, int], TrainedNetwork] = {}
    # Seed by seed, so that an interrupted comparison is complete for the first seeds.
    turns = [(seed, contender) for seed in seeds for contender in contenders]
    for i, (seed, contender) in enumerate(turns):
        training = TreeTraining(opened.folder, opened.experiment, contender.tree, seed, "fresh")
        on_training(Progress(i, len(turns), f"{contender.kind} {contender.name}", training))
        results[contender.tree.id, seed] = train_tree(opened, training, data, on_epoch)
    return results
