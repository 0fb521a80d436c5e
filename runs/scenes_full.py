"""The rendered scenes for a GPU: MobileNetV2 at 192 x 192 pixels, eight thousand scenes."""

from scenes import CACHE
from scenes import experiment as small

from nas import Experiment, Gradient, Similarity, lazy
from nas.datasets.scenes import Scenes
from nas.engine.optimizer import OptimizerSettings
from search_spaces import MobileNetV2

WEIGHTS = OptimizerSettings(kind="adam", lr=2e-3, weight_decay=1e-4)


def experiment() -> Experiment:
    """A variant of `runs/scenes.py` with the same tasks, the 18 blocks of BMTAS's network, and more samples."""
    return small().with_fields(
        {
            "backbone": lazy(MobileNetV2),
            "data": lazy(
                Scenes,
                sizes={"train": 6400, "architecture": 1600, "validation": 400, "test": 1000},
                image_size=(192, 192),
                supersample=2,
                cache=CACHE,
            ),
            "input_shape": (3, 192, 192),
            "goal.budgets": (0.55, 0.65, 0.75, 0.85),
            "strategies": {
                "similarity": Similarity(epochs=16, batch_size=16, weights=WEIGHTS),
                "gradient": Gradient(
                    epochs=40,
                    warmup=0.1,
                    batch_size=16,
                    weights=WEIGHTS,
                    logits=OptimizerSettings(kind="adam", lr=0.02),
                ),
            },
            "strategy": "similarity",
            "retrain.epochs": 60,
            "num_threads": None,
            "num_workers": 4,
        }
    )
