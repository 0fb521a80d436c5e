"""Toxicity of molecules, 12 assays of Tox21 on fingerprints; a table instead of pictures.

The folder must hold ``tox21.npz`` (`nas.datasets.molecules` says what is in it; the measurements are those of
MoleculeNet, from deepchem's repository, MIT licence). ``MOLECULES`` (``data.folder``) names it, "data/molecules" if it
is not set. ``--set data.name=sider`` takes another file; ``data.most_tasks`` takes the first tasks only.

With more than eight tasks the trees are found by a beam search.
"""

import os

from nas import CompareSettings, Experiment, Goal, Similarity, TrainingSettings, Transfer, lazy
from nas.datasets.molecules import Molecules
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import MLP

ADAM = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)


def experiment() -> Experiment:
    own_copies = Similarity(epochs=4, batch_size=128, weights=ADAM)
    return Experiment(
        backbone=lazy(MLP, num_features=1024, width=128, depth=4, dropout=0.2),
        data=lazy(Molecules, folder=os.environ.get("MOLECULES", "data/molecules")),
        # The stem reads the fingerprint and is always shared: it has two thirds of a network's cost.
        goal=Goal(budgets=(0.3, 0.6)),
        strategies={"similarity": own_copies, "transfer": Transfer(trainings=6, start=own_copies)},
        strategy="similarity",
        retrain=TrainingSettings(
            epochs=10, batch_size=128, optimizer=ADAM, schedule=ScheduleSettings(kind="cosine", warmup=0.1)
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        num_threads=1,
    )
