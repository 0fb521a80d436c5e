"""Maps of classes and of normals: every number goes where the tables of the data sets say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nas.data import reading
from nas.datasets.class_maps import classes_from_one, classes_from_zero
from nas.datasets.normals import normals_of_colours, unit_normals
from nas.errors import InputError

PATH = Path("a.png")


@given(arrays(np.uint8, (2, 3), elements=st.sampled_from([0, 1, 2, 38, 39, 40, 41, 254, 255])))
def test_stored_classes_are_kept_moved_or_refused(numbers: np.ndarray) -> None:
    for read, stored, none in ((classes_from_zero, range(40), 255), (classes_from_one, range(1, 41), 0)):
        if set(numbers.flatten().tolist()) <= {*stored, none}:
            expected = [[255 if n == none else n - stored.start for n in row] for row in numbers.tolist()]
            assert read(PATH, numbers, 40).tolist() == expected
            assert read(PATH, numbers, 40).dtype == torch.int64
        else:
            wrong = next(n for n in numbers.flatten().tolist() if n not in (*stored, none))
            with pytest.raises(InputError, match=f"a.png: holds {wrong}; classes are stored as {stored.start} to "):
                read(PATH, numbers, 40)


@pytest.mark.parametrize("wrong", [0.5, np.nan, -1, -255, 41, 300])
def test_numbers_that_are_no_class_are_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=rf"a\.png: holds {wrong:g}; classes are stored as 1 to 40, and 0 is ignored"):
        classes_from_one(PATH, np.array([[1, wrong]]), 40)


def test_whole_floats_are_classes() -> None:
    assert classes_from_one(PATH, np.array([[0.0, 1.0, 40.0]]), 40).tolist() == [[255, 0, 39]]


@given(arrays(np.uint8, (3, 2, 5)))
def test_colours_become_unit_vectors_and_white_none(colours: np.ndarray) -> None:
    found = normals_of_colours(torch.from_numpy(colours)).numpy()
    exact = 2 * colours.astype(np.float64) / 255 - 1
    exact = np.where((colours == 255).all(0), 0, exact / np.linalg.norm(exact, axis=0))
    # Float32 against float64; the differences of the shortest vectors, of 1/255, have four digits fewer.
    assert np.abs(found - exact).max() < 1e-4


@given(st.floats(0, 3), st.integers(0, 7))
def test_vectors_of_about_unit_length_are_normals_and_others_none(length: float, direction: int) -> None:
    signs = torch.tensor([1 - 2 * (direction >> i & 1) for i in range(3)]) / 3**0.5
    found = unit_normals((signs * length)[:, None, None])[:, 0, 0]
    if abs(length - 0.5) < 1e-3 or abs(length - 1.5) < 1e-3:
        return
    assert torch.allclose(found, signs if 0.5 < length < 1.5 else torch.zeros(3), atol=1e-6)


def test_nan_is_no_normal() -> None:
    assert unit_normals(torch.tensor([torch.nan, 0, 1])[:, None, None]).flatten().tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["I", "I;16"])
def test_sixteen_bits_are_read_whatever_pillow_calls_them(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    numbers = np.array([[0, 32_767, 32_768, 65_535]])
    picture = Image.fromarray(numbers.astype(np.int32 if mode == "I" else np.uint16))
    assert picture.mode == mode
    monkeypatch.setattr(reading, "read_picture", lambda path: picture)
    found = reading.read_numbers_of_16_bits(PATH, (1, 4))
    assert (found.dtype, found.tolist()) == (np.int32, numbers.tolist())
