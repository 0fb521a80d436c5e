"""Parts of people, from the annotations of PASCAL-Parts (Chen et al., CVPR 2014)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.data.batch import Sample
from nas.data.reading import read_mat, require_size
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
"""The index in `PART_CLASSES` of each of the 24 annotated parts."""


def read_human_parts(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The classes [H, W] of the parts of all people, 0 elsewhere; where parts overlap, the class of the last one.

    Raises:
        InputError: the file is missing, damaged or malformed, a part is not in `PARTS`, or a mask does not have the
            size of the picture.
    """
    annotation = read_mat(path, "anno")
    classes_HW = np.zeros(shape, dtype=np.uint8)
    for name, mask_HW in _parts_of_people(annotation, path):
        if name not in PARTS:
            raise InputError(f"{path}: a person has the part {name!r}; known are {', '.join(sorted(PARTS))}")
        require_size(f"{path}: the mask of {name!r}", mask_HW.shape, shape)
        classes_HW[mask_HW.astype(bool)] = PARTS[name]
    return classes_HW


def drop_absent_people(sample: Sample, kinds: object = None, rng: object = None) -> Sample:
    """The sample, without the label "human_parts" if all its pixels are background.

    Use it as a step of an augmentation after a crop, which may have cut off all people. BMTAS does not learn from
    labels without people either.
    """
    image, labels = sample
    parts = labels.get("human_parts")
    if parts is None or ((parts > 0) & (parts < len(PART_CLASSES))).any():
        return sample
    return image, {task: label for task, label in labels.items() if task != "human_parts"}


def _parts_of_people(annotation: Any, path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Names and masks, object by object. Fields are read by position, as in other code for these files."""
    try:
        objects = annotation[0][0][1]
        for thing in objects[0] if objects.size else ():
            if int(thing[1].item()) == PERSON:
                parts = thing[3]
                for part in parts[0] if parts.size else ():
                    yield str(part[0].item()), np.asarray(part[1])
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: 'anno' is not of PASCAL-Parts' form ({error})") from error
