"""Wrong files of a sample are refused in one line that names the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import fixtures_pascal as fixture
from datasets.fixtures_pascal import FULL_SIZE, assert_same
from PIL import Image
from scipy.io import savemat

from nas.data import collate
from nas.datasets.pascal import PascalMT
from nas.errors import InputError

FILES = {
    "JPEGImages": ".jpg",
    "semseg/VOC12": ".png",
    "human_parts": ".mat",
    "sal_distill": ".png",
    "normals_distill": ".png",
    "pascal-context/trainval": ".mat",
}


@pytest.mark.parametrize("folder", FILES)
def test_a_missing_a_truncated_and_an_overwritten_file_are_named(root: Path, folder: str) -> None:
    name = fixture.WITH_PERSON
    source = PascalMT(root)
    path = root / folder / f"{name}{FILES[folder]}"
    intact = path.read_bytes()
    expected = collate([source.sample(name)])
    # All pixels of a picture may lie before its last bytes, but not before its middle.
    for length in (0, 1, 10, 60, len(intact) // 4, len(intact) // 2):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError) as raised:
            source.sample(name)
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    path.write_bytes(b"not what it should be" * 50)
    with pytest.raises(InputError, match="damaged, or no"):
        source.sample(name)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        source.sample(name)
    path.write_bytes(intact)
    assert_same(collate([source.sample(name)]), expected)


@pytest.mark.parametrize(
    ("folder", "picture", "message"),
    [
        ("semseg/VOC12", Image.new("RGB", FULL_SIZE[::-1]), "is a picture of mode RGB; its pixels have to be P or L"),
        ("semseg/VOC12", Image.new("L", FULL_SIZE[::-1], 21), "holds the class 21; classes are 0 to 20, and 255"),
        ("semseg/VOC12", Image.new("L", FULL_SIZE), "is 26 x 21 pixels, its picture 21 x 26"),
        ("sal_distill", Image.new("RGB", FULL_SIZE[::-1]), "is a picture of mode RGB; its pixels have to be L"),
        ("normals_distill", Image.new("L", FULL_SIZE[::-1]), "is a picture of mode L; its pixels have to be RGB"),
        ("normals_distill", Image.new("RGB", (5, 5)), "is 5 x 5 pixels, its picture 21 x 26"),
    ],
)
def test_pictures_of_another_form_are_refused(root: Path, folder: str, picture: Image.Image, message: str) -> None:
    path = root / folder / f"{fixture.WITH_PERSON}.png"
    picture.save(path)
    with pytest.raises(InputError, match=message) as raised:
        PascalMT(root).sample(fixture.WITH_PERSON)
    assert str(raised.value).startswith(str(path))


def _objects(mask: np.ndarray, part: str = "head") -> Any:
    return fixture._array([("person", 15, mask, [(part, mask)])])


@pytest.mark.parametrize(
    ("folder", "variables", "message"),
    [
        ("pascal-context/trainval", {"labels": np.zeros(FULL_SIZE, np.uint16)}, "has no variable 'LabelMap'; it holds"),
        ("pascal-context/trainval", {"LabelMap": np.zeros(FULL_SIZE)}, "LabelMap holds float64 of shape"),
        ("pascal-context/trainval", {"LabelMap": np.zeros((*FULL_SIZE, 2), np.uint16)}, "one integer per pixel"),
        ("pascal-context/trainval", {"LabelMap": np.zeros((3, 4), np.uint16)}, "is 3 x 4 pixels, its picture 21 x 26"),
        ("human_parts", {"other": 1}, "has no variable 'anno'; it holds other"),
        ("human_parts", {"anno": np.zeros((2, 2))}, "'anno' is not of PASCAL-Parts' form"),
        ("human_parts", {"anno": {"imname": "x"}}, "'anno' is not of PASCAL-Parts' form"),
        (
            "human_parts",
            {"anno": {"i": "x", "o": _objects(np.ones((2, 3)))}},
            "mask of 'head' is 2 x 3 pixels, its pic",
        ),
        ("human_parts", {"anno": {"i": "x", "o": _objects(np.ones(FULL_SIZE), "tail")}}, "part 'tail'; known are hair"),
    ],
)
def test_annotations_of_another_form_are_refused(
    root: Path, folder: str, variables: dict[str, Any], message: str
) -> None:
    path = root / folder / f"{fixture.WITH_PERSON}.mat"
    savemat(path, variables)
    with pytest.raises(InputError, match=message) as raised:
        PascalMT(root).sample(fixture.WITH_PERSON)
    assert str(raised.value).startswith(str(path))
