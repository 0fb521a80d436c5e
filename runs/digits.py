"""Six tasks on pairs of handwritten digits: an example that runs in minutes on any machine, without a download."""

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.cost import DualPenalty
from nas.datasets.digits import DigitPairs, digit_tasks
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import DigitsBackbone


def experiment() -> Experiment:
    """Five budgets, from a little above the fully shared network (0.225) to 0.6 of six separate ones."""
    return Experiment(
        tasks=digit_tasks(),
        backbone=lazy(DigitsBackbone),
        data=lazy(DigitPairs, num_train=2048, num_architecture=1024),
        input_shape=(1, 12, 20),
        goal=Goal(budgets=(0.3, 0.35, 0.4, 0.5, 0.6)),
        strategies={
            "similarity": Similarity(
                epochs=6, batch_size=64, weights=OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4)
            ),
            "gradient": Gradient(
                epochs=9,
                warmup=0.2,
                batch_size=64,
                weights=OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4),
                logits=OptimizerSettings(kind="adam", lr=5e-2),
                # The logits get only a hundred steps; a faster dual variable overshoots to the shared tree.
                penalty=DualPenalty(rate=30.0, damping=1.0),
            ),
        },
        strategy="similarity",
        retrain=TrainingSettings(
            epochs=20,
            batch_size=64,
            optimizer=OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4),
            schedule=ScheduleSettings(kind="cosine", warmup=0.1),
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        # For networks this small a second thread is slower, and one thread gives the same results on every machine.
        num_threads=1,
    )
