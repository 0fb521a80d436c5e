"""A recipe of a measured search that takes seconds, for tests of the commands."""

import os
from pathlib import Path

from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

import nas
from nas import Experiment, Goal, Transfer, lazy
from nas.strategies.similarity import SimilaritySettings

# Workers of Ray do not have pytest's path.
RECIPE = f"""import sys
sys.path.append({str(Path(__file__).parent)!r})
from measured_toy import experiment
"""

TASKS = toy_tasks(3)


class Data(ToyData):
    """Toy data.

    Args:
        fault: a split that gets an infinite label.
        processes: a folder that gets a file for every process that reads.
    """

    def __init__(self, fault="", processes=""):
        super().__init__(TASKS)
        if processes:
            Path(processes, str(os.getpid())).touch()
        if fault:
            self.splits[fault].labels["t1"][0] = float("inf")


def experiment():
    return Experiment(
        tasks=TASKS,
        backbone=lazy(VectorBackbone, num_blocks=2),
        data=lazy(Data),
        input_shape=(IN_FEATURES,),
        goal=Goal(budgets=(0.7, 0.95)),
        strategy=Transfer(
            trainings=4.0,
            length=0.4,
            start=SimilaritySettings(epochs=1, batch_size=16, num_rows=64, candidates="plain"),
        ),
        retrain=nas.TrainingSettings(epochs=5, batch_size=16),
        device="cpu",
        num_threads=1,
    )
