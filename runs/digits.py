"""Six tasks on pairs of handwritten digits: the example that runs anywhere in minutes, without a download."""

from nas import Experiment, SearchSettings, TrainingSettings, lazy
from nas.data import DigitPairs
from nas.optimizer import OptimizerSettings
from nas.tasks import digit_tasks
from search_spaces import DigitsBackbone


def experiment() -> Experiment:
    return Experiment(
        tasks=digit_tasks(),
        backbone=lazy(DigitsBackbone),
        data=lazy(DigitPairs),
        input_shape=(1, 12, 20),
        search=SearchSettings(
            budgets=(0.35, 0.5, 0.65, 0.8),
            epochs=16,
            warmup=0.2,
            batch_size=128,
            weights=OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4),
            logits=OptimizerSettings(kind="adam", lr=5e-2),
        ),
        retrain=TrainingSettings(
            epochs=30,
            batch_size=64,
            optimizer=OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4),
        ),
    )
