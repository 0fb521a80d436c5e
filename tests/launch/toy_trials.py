"""A recipe whose trials take a second, and whose data can fail on request."""

import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

from nas import Experiment, Goal, Gradient, lazy
from nas.engine.optimizer import OptimizerSettings


class Data(ToyData):
    """Toy data that tell which process reads them, take their time, and fail.

    Args:
        processes: a folder that gets a file for every process that reads.
        wait: seconds that each epoch's reading takes.
        fault: "nan" labels, "memory" or "bug" raise an error, "once" raises the first time.
    """

    def __init__(self, processes="", wait=0.0, fault=""):
        super().__init__(toy_tasks(3))
        if processes:
            folder = Path(processes)
            first = not any(folder.iterdir())
            (folder / str(os.getpid())).touch()
            if fault == "once" and first:
                raise MemoryError
        if fault == "memory":
            raise MemoryError
        if fault == "bug":
            raise KeyError("depth")
        if fault == "nan":
            for split in self.splits.values():
                split.inputs[0] = float("nan")
        self.wait = wait

    def split(self, name):
        time.sleep(self.wait)
        return super().split(name)


def experiment():
    return Experiment(
        tasks=toy_tasks(3),
        backbone=lazy(VectorBackbone),
        data=lazy(Data),
        input_shape=(IN_FEATURES,),
        goal=Goal(budgets=(0.6, 0.9)),
        strategy=Gradient(epochs=4, batch_size=16, candidates="plain", logits=OptimizerSettings(kind="adam", lr=5e-2)),
        device="cpu",
        num_threads=1,
    )
