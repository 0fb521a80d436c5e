"""Parts of people, from the annotations of PASCAL-Parts (Chen et al., CVPR 2014)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.data.batch import Sample
from nas.data.reading import read_mat
from nas.errors import InputError

PERSON = 15
"""The category of people among VOC's 20."""

PART_CLASSES = ("background", "head", "torso", "upper arms", "lower arms", "upper legs", "lower legs")

PARTS = {
    **dict.fromkeys(("hair", "head", "lear", "rear", "lebrow", "rebrow", "leye", "reye", "mouth", "nose"), 1),
    **dict.fromkeys(("neck", "torso"), 2),
    **dict.fromkeys(("luarm", "ruarm"), 3),
    **dict.fromkeys(("llarm", "rlarm", "lhand", "rhand"), 4),
    **dict.fromkeys(("luleg", "ruleg"), 5),
    **dict.fromkeys(("llleg", "rlleg", "lfoot", "rfoot"), 6),
}
"""The class, out of `PART_CLASSES`, of each of the 24 parts that are annotated."""


def read_human_parts(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The classes [H, W] of the parts of an annotation's people, 0 elsewhere; where parts overlap, of the last one.

    Raises:
        InputError: no such file, a damaged one, one of another form, a part that is not in `PARTS`, or a mask of
            another size than the picture.
    """
    annotation = read_mat(path, "anno")
    classes_HW = np.zeros(shape, dtype=np.uint8)
    for name, mask_HW in _parts_of_people(annotation, path):
        if name not in PARTS:
            raise InputError(f"{path}: a person has the part {name!r}; known are {', '.join(sorted(PARTS))}")
        if mask_HW.shape != shape:
            raise InputError(
                f"{path}: the mask of {name!r} is {_size(mask_HW.shape)} pixels, its picture {_size(shape)}"
            )
        classes_HW[mask_HW.astype(bool)] = PARTS[name]
    return classes_HW


def drop_absent_people(sample: Sample, kinds: object = None, rng: object = None) -> Sample:
    """The sample without "human_parts" if no pixel of that label is a part.

    A step of an augmentation, after a crop that may have lost the people: BMTAS does not learn from a label that is all
    background.
    """
    image, labels = sample
    parts = labels.get("human_parts")
    if parts is None or ((parts > 0) & (parts < len(PART_CLASSES))).any():
        return sample
    return image, {task: label for task, label in labels.items() if task != "human_parts"}


def _parts_of_people(annotation: Any, path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Names and masks, object by object. Fields are read by their places, as those who use these files do."""
    try:
        objects = annotation[0][0][1]
        for thing in objects[0] if objects.size else ():
            if int(thing[1].item()) == PERSON:
                parts = thing[3]
                for part in parts[0] if parts.size else ():
                    yield str(part[0].item()), np.asarray(part[1])
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: 'anno' is not of PASCAL-Parts' form ({error})") from error


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
