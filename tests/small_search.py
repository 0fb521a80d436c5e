"""A search of toy tasks that takes a second, for tests of the commands that read a finished run."""

from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

import nas
from nas import Experiment, Goal, Gradient, Similarity, lazy
from nas.run import RunFolder

TASKS = toy_tasks(4)

RECIPE = "from small_search import experiment\n"


def experiment() -> Experiment:
    """Similarity or, by its name, a gradient search; their budgets differ from those that tests ask for."""
    quick = {"epochs": 2, "batch_size": 16, "candidates": "plain"}
    return Experiment(
        tasks=TASKS,
        backbone=lazy(VectorBackbone, num_blocks=3),
        data=lazy(ToyData, tasks=TASKS),
        input_shape=(IN_FEATURES,),
        goal=Goal(budgets=(0.6, 0.95)),
        strategies={
            "similarity": Similarity(num_rows=64, **quick),
            "gradient": Gradient(routing="soft", warmup=0.0, **quick),
        },
        strategy="similarity",
        retrain=nas.TrainingSettings(epochs=1, batch_size=16),
        device="cpu",
        num_threads=1,
    )


def searched(folder, recipe, **changes) -> RunFolder:
    """A finished search of a recipe file in a new folder; "__" stands for a dot."""
    return nas.search(recipe, out=folder, changes={name.replace("__", "."): value for name, value in changes.items()})
