"""ETH-80: category, elevation, azimuth and silhouette of 80 objects, each seen from 41 sides (Leibe and Schiele, 2003).

The folder must hold ``labels.csv`` with the columns file, mask, category, object_id, object_in_category, elevation and
azimuth (degrees), and the files that it names in ``images`` and ``masks`` (0 and 1). Views of one object are alike, so
the splits are made of objects: of each category 0 to 4 train, 5 is for logits, 6 for validation, 7 to 9 test. The
azimuth of objects that look alike from all sides (apple, pear, tomato, cup) means nothing and is left out.

Set these paths by environment variables or by ``--set``:

- ``ETH80`` (``data.folder``): the folder; "data/eth80" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names.
"""

import os

import images_csv

from nas import Experiment, lazy

TARGETS = {"category": "classes", "elevation": "number", "azimuth": "angle", "mask": "mask"}
ROUND = ("apple", "pear", "tomato", "cup")


def edited(row: dict[str, str | None]) -> dict[str, str | None]:
    """The row with its split, and without the azimuth of round objects."""
    number = int(row["object_in_category"] or 0)
    split = "train" if number < 5 else {5: "architecture", 6: "validation"}.get(number, "test")
    return {**row, "split": split, "azimuth": None if row["category"] in ROUND else row["azimuth"]}


def experiment() -> Experiment:
    return images_csv.experiment().with_fields(
        {
            "data": lazy(
                images_csv.pictures,
                folder=os.environ.get("ETH80", "data/eth80"),
                targets=TARGETS,
                size=(64, 64),
                split="split",
                group="object_id",
                edit=edited,
                # A mirrored object is seen from another azimuth.
                flip=False,
            ),
        }
    )
