"""A finished measured search with planted results, without training: a record and a run folder."""

import json

import numpy as np

from nas.run import Point, Quality, RunFolder, make_front
from nas.strategies.transfer import TransferModel, TransferRecord
from nas.strategies.transfer.fitting import fit_model, learned
from nas.strategies.transfer.record import TrainedTree
from nas.tree import BranchTree, CostTable, enumerate_trees

TASKS = ("depth", "normals", "edge")
BLOCKS = ("early", "middle", "late")
TABLE = CostTable(
    stem={"macs": 10},
    blocks=({"macs": 40}, {"macs": 20}, {"macs": 30}),
    heads={task: {"macs": 10} for task in TASKS},
    block_names=BLOCKS,
)
SHARED, SEPARATE = BranchTree.shared(TASKS, 3), BranchTree.separate(TASKS, 3)
TREE = BranchTree.from_choices(TASKS, [[0, 0, 0], [0, 0, 1], [0, 0, 1]], BLOCKS)
"""Depth and normals share all blocks, edge only the first with them."""
HELP = {("depth", "normals"): 4.0, ("normals", "depth"): 2.0, ("depth", "edge"): -6.0, ("edge", "depth"): 0.0}
"""What a task gains from another one in each block, in the units of `TransferModel`; -3 for all other pairs."""


def planted_gain(tree, task):
    gain = 0.0
    for partition in tree.partitions:
        (group,) = (group for group in partition if task in group)
        gain += sum(HELP.get((task, other), -3.0) for other in group if other != task) / len(group)
    return gain


def trainings(noise=0.05, full_epochs=4):
    """All trees of three tasks and three blocks, trained in full, with these gains and a little noise."""
    rng = np.random.default_rng(0)
    return tuple(
        TrainedTree(
            partitions=tree.partitions,
            num_epochs=full_epochs,
            results={task: planted_gain(tree, task) + noise * rng.standard_normal() for task in TASKS},
        )
        for tree in enumerate_trees(TASKS, 3)
    )


def measured(rows=None, blocks=BLOCKS):
    """The model of these trainings, and their record."""
    rows = trainings() if rows is None else rows
    record = TransferRecord(tasks=TASKS, blocks=blocks, trainings=rows, full_epochs=4, cost=3.0)
    model: TransferModel = fit_model([record], None)
    return model, learned(record, model, [TREE, SHARED, SEPARATE])


def a_measured_run(path, record, trees=(TREE,)):
    """The folder of a finished search that found these trees."""
    run = RunFolder(path)
    trial = run.trial(0)
    trial.make()
    trial.write_costs(TABLE)
    trial.store.write("transfer", record.model_dump())
    points = [
        Point(
            tree=str(trial.write_tree(tree.with_cost(TABLE)).relative_to(path)),
            trial=0,
            seed=0,
            budget=None,
            cost=TABLE.tree_cost(tree),
            quality=Quality(value=1.0 - i, measure="gain", kind="estimated"),
        )
        for i, tree in enumerate(trees)
    ]
    make_front(points, "macs").write(path / "front.json")
    text = json.dumps({"schema_version": 1, "recipe": None, "overrides": {}, "experiment": {"goal": {}}})
    (path / "experiment.json").write_text(text)
    return path
