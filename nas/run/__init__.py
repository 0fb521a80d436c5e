"""Runs: everything that one command computes, in one folder.

A run folder can be moved, and reading it runs no code. It holds the record of the experiment (``experiment.json``), one
folder for each search (``trials/<n>/``), one for each trained network (``retrained/<id>/``), and the trees that were
found (``front.json``). A command that was killed continues from the last checkpoint to the same result.

- A `Trial` is one search with one budget and one seed; `run_trial` (in `search_trial`) runs it in its `TrialFolder`.
- A `Front` is the list of trees, with the dominated ones marked and one recommended:

>>> def point(id, macs, accuracy):
...     quality = Quality(value=accuracy, measure="accuracy", kind="measured")
...     return Point(
...         tree=f"trials/0/trees/{id}.json", trial=0, seed=0, budget=None, cost={"macs": macs}, quality=quality
...     )
>>> found = make_front([point("a1", 10, 0.7), point("b2", 20, 0.9), point("c3", 30, 0.8)], "macs")
>>> [p.dominated for p in found.points], found.best.tree_id
([False, False, True], 'b2')

- A `TreeTraining` is the training of one tree's network; its folder's name is a digest of all that it depends on.

Start with `run_folder` and `search_trial`. `parts` builds and measures what every search needs, `labels` checks the
labels before the first training, and `begun_here` keeps recipes of other people from being imported. `opened_run` opens
a run together with its recipe, which must be `unchanged`. `comparison` turns trained networks into rows of a table,
`safety` checks the margin of each task, and `verdicts` collects what the trials conclude in words.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use
from nas.run.recommendation import recommendation

if TYPE_CHECKING:
    from nas.run.begun_here import require_begun_here
    from nas.run.environment import describe_environment, installed_version, resolve_device, use_threads
    from nas.run.front import Front, Point, Quality, make_front
    from nas.run.labels import LabelRecord
    from nas.run.named_trees import is_tree_name, named_tree
    from nas.run.outcome import Outcome, TrialFailure, TrialResult, describe_failure, read_outcome, write_outcome
    from nas.run.part_shapes import changed_parts
    from nas.run.parts import (
        TrialParts,
        build_backbone,
        build_data,
        build_network,
        check_budgets,
        check_counted,
        measure_parts,
    )
    from nas.run.retraining import Start, TreeTraining
    from nas.run.run_folder import RunFolder, plain_changes
    from nas.run.trained_network import TrainedNetwork
    from nas.run.trial_folder import TrialFolder, locked_folder
    from nas.run.trial_plan import Trial, TrialEvent, check_ranges, plan_trials, trial_threads
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Front",
    "LabelRecord",
    "Outcome",
    "Point",
    "Quality",
    "RunFolder",
    "Start",
    "TrainedNetwork",
    "TreeTraining",
    "Trial",
    "TrialEvent",
    "TrialFailure",
    "TrialFolder",
    "TrialParts",
    "TrialResult",
    "build_backbone",
    "build_data",
    "build_network",
    "changed_parts",
    "check_budgets",
    "check_counted",
    "check_ranges",
    "describe_environment",
    "describe_failure",
    "installed_version",
    "is_tree_name",
    "locked_folder",
    "make_front",
    "measure_parts",
    "named_tree",
    "plain_changes",
    "plan_trials",
    "read_outcome",
    "recommendation",
    "require_begun_here",
    "resolve_device",
    "trial_threads",
    "use_threads",
    "write_outcome",
]
