"""Six dense tasks on rendered scenes with exact labels, small enough for two cores; `runs/scenes_full.py` is for a GPU.

The scenes are rendered once and kept in a cache outside the repository.
"""

from pathlib import Path

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.cost import DualPenalty
from nas.datasets.dense_tasks import scene_tasks
from nas.datasets.scenes import Scenes
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import DigitsBackbone

CACHE = Path.home() / ".cache" / "branched-nas" / "scenes"


def experiment() -> Experiment:
    """A wider version of the digits' backbone at 64 x 64 pixels: six blocks, four budgets."""
    tasks = scene_tasks()
    return Experiment(
        tasks=tasks,
        # Light heads: at this size, DeepLabV3+ heads would cost three times as much as all shareable blocks.
        backbone=lazy(
            DigitsBackbone,
            widths=(16, 24, 32, 48, 64, 64),
            strided=(2, 4),
            dense_tasks=tuple(task.name for task in tasks),
            in_channels=3,
        ),
        data=lazy(
            Scenes,
            sizes={"train": 384, "architecture": 128, "validation": 64, "test": 256},
            image_size=(64, 64),
            cache=CACHE,
        ),
        input_shape=(3, 64, 64),
        goal=Goal(budgets=(0.45, 0.5, 0.6, 0.75)),
        strategies={
            "similarity": Similarity(
                epochs=6, batch_size=16, weights=OptimizerSettings(kind="adam", lr=2e-3, weight_decay=1e-4)
            ),
            "gradient": Gradient(
                epochs=6,
                warmup=0.2,
                batch_size=16,
                weights=OptimizerSettings(kind="adam", lr=2e-3, weight_decay=1e-4),
                logits=OptimizerSettings(kind="adam", lr=0.1),
                penalty=DualPenalty(rate=30.0, damping=1.0),
            ),
        },
        strategy="similarity",
        retrain=TrainingSettings(
            epochs=30,
            batch_size=16,
            optimizer=OptimizerSettings(kind="adam", lr=2e-3, weight_decay=1e-4),
            schedule=ScheduleSettings(kind="cosine", warmup=0.1),
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=2),
        # A second thread makes such small steps hardly faster, and much slower if other processes use the cores.
        num_threads=1,
    )
