"""Coffee leaves: four diseases, severity, and a mask of symptoms (BRACOL; Esgario, Krohling and Ventura, 2020).

The pictures are in the repository esgario/lara2018 (MIT licence). The folder must hold ``labels.csv`` with the columns
file, mask, miner, rust, phoma, cercospora (0 or 1) and severity (0 to 4), and the files that it names in ``images`` and
``masks`` (0 background, 1 leaf, 2 symptom); leaves without a mask have an empty cell.

Set these paths by environment variables or by ``--set``:

- ``LEAVES`` (``data.folder``): the folder; "data/leaves" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names.
"""

import os

import images_csv

from nas import Experiment, lazy

TARGETS = {
    "miner": "yes_no",
    "rust": "yes_no",
    "phoma": "yes_no",
    "cercospora": "yes_no",
    "severity": "classes",
    "mask": ("background", "leaf", "symptom"),
}


def experiment() -> Experiment:
    return images_csv.experiment().with_fields(
        {
            "goal.budgets": (0.5, 0.7),
            "data": lazy(
                images_csv.pictures,
                folder=os.environ.get("LEAVES", "data/leaves"),
                targets=TARGETS,
                size=(64, 128),
            ),
        }
    )
