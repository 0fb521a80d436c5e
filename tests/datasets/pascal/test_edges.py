"""Thinned class edges are those of scikit-image and OpenCV, whose results on hand-made cases are written out here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from nas.datasets.pascal.edges import class_edges, thin

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
EIGHT = np.ones((3, 3))


def _mask(text: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


def _text(mask: np.ndarray) -> str:
    return "\n".join("".join("#" if pixel else "." for pixel in row) for row in mask)


@pytest.mark.parametrize(
    ("mask", "thinned"),
    [
        # skimage.morphology.thin, version 0.26, on a solid and on a ring of two pixels' width.
        (
            "......... .#######. .#######. .#######. .#######. .#######. .........",
            "......... ......... ......... ...###... ......... ......... .........",
        ),
        (
            "######### ######### ##.....## ##.....## ##.....## ######### #########",
            "......... .######.. #......#. #......#. #......#. .#.....#. ..#####..",
        ),
    ],
)
def test_thinning_equals_scikit_image(mask: str, thinned: str) -> None:
    assert _text(thin(_mask(mask))) == _text(_mask(thinned))


def test_edges_of_a_hand_made_map_equal_opencv_and_scikit_image() -> None:
    classes = np.zeros((12, 16), dtype=np.uint16)
    classes[2:8, 2:10] = 300
    classes[6:12, 8:16] = 44
    classes[0:4, 12:] = 459
    # thin(abs(cv2.Laplacian(classes, cv2.CV_64F)) > 0), OpenCV 5.0 and scikit-image 0.26. 300 % 256 is 44.
    expected = """
    ................
    ...........#....
    ..#########.....
    .#.........#....
    .#........#.#...
    .#.......#####..
    .#......#.......
    ..#....#........
    ...####.........
    .......#........
    .......#........
    .......#........
    """
    assert _text(class_edges(classes)) == _text(_mask(expected))


def test_classes_that_differ_by_256_have_an_edge_between_them() -> None:
    classes = np.zeros((6, 8), dtype=np.uint16)
    classes[:, 4:] = 256
    edges = class_edges(classes)
    # Thinning takes a pixel off the end of a line.
    assert edges[1:-1, 3:5].any(axis=1).all()
    assert not edges[:, :3].any()
    assert not edges[:, 5:].any()


def test_the_border_of_a_picture_is_no_edge() -> None:
    assert not class_edges(np.full((5, 7), 300, dtype=np.uint16)).any()


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 256, 459])))
def test_edges_are_where_the_laplacian_is_not_zero(classes: np.ndarray) -> None:
    # The border is mirrored about its pixels: OpenCV's default, "mirror" in scipy.
    laplacian = ndimage.laplace(classes.astype(np.int64), mode="mirror")
    assert np.array_equal(class_edges(classes), thin(laplacian != 0))


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_thinning_deletes_pixels_and_keeps_components_and_holes(mask: np.ndarray) -> None:
    thinned = thin(mask)
    assert not (thinned & ~mask).any()
    assert np.array_equal(thin(thinned), thinned)
    assert ndimage.label(thinned, EIGHT)[1] == ndimage.label(mask, EIGHT)[1]
    # Holes are 4-connected where what surrounds them is 8-connected.
    assert ndimage.label(~np.pad(thinned, 1))[1] == ndimage.label(~np.pad(mask, 1))[1]
