"""What the trials of a run conclude about their results, in words."""

from nas.run import RunFolder
from nas.strategies.diagnosis import Diagnosis, Verdict, judge_seeds
from nas.tree import BranchTree, read_tree


def verdicts(run: RunFolder, tree: BranchTree | None = None) -> list[Verdict]:
    """The verdicts of the trial that found a tree and, in a finished run, those on all trials together.

    Args:
        tree: by default, the tree that the front recommends, or else its first tree. For a tree that no trial found,
            only the verdicts on all trials are returned.
    """
    points = run.front.points if run.finished else ()
    found = read_tree(run.path / (run.front.best or points[0]).tree) if tree is None else tree
    trial = run.trial_of(found)
    diagnosis = None if trial is None else Diagnosis.read(trial.path)
    seeds = judge_seeds([(point.seed, point.budget, read_tree(run.path / point.tree)) for point in points])
    return [*(diagnosis.verdicts if diagnosis else ()), *seeds]


def verdict_lines(found: list[Verdict]) -> list[str]:
    """One line for each verdict; a verdict that is a concern begins with an exclamation mark."""
    return [f"{'!' if verdict.concern else ' '} {verdict.text}" for verdict in found]
