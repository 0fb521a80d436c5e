"""A sheet shows every label that is there, and shows of every other that it is missing."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from nas.data.tensors import MaskedTensors
from nas.errors import InputError
from nas.report import sample_sheet
from nas.report.canvas import TextStyle, rendered, text_width
from nas.report.label_view import CHECKS, class_pixels, image_pixels, map_pixels, words
from nas.report.overlay import STRENGTH, overlay
from nas.report.palette import CLASSES
from nas.tasks import Task

KIND = Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("f1",), labels=("cat", "dog", "emu"))
AGE = Task(name="age", num_outputs=1, loss="mse", metrics=("mae",))
PARTS = Task(name="parts", num_outputs=3, loss="cross_entropy", metrics=("f1",), labels=("sky", "leg", "ear"))
DEPTH = Task(name="depth", num_outputs=1, loss="l1", metrics=("mae",))
COAT = Task(
    name="coat", num_outputs=3, loss="binary_cross_entropy", metrics=("binary_f1",), labels=("red", "old", "wet")
)
ALIVE = Task(name="alive", num_outputs=1, loss="binary_cross_entropy", metrics=("binary_f1",))
ANGLE = Task(name="angle", num_outputs=2, loss="mse", metrics=("rmse",), labels=("cosine", "sine"))
TASKS = (KIND, AGE, PARTS, DEPTH)
N = 10


def _data(**present: list[bool]) -> MaskedTensors:
    labels = {
        "kind": torch.arange(N) % 3,
        "age": torch.arange(N)[:, None] / 2,
        "parts": (torch.arange(N * 12).reshape(N, 3, 4) % 2) * 2,
        "depth": torch.arange(N * 12.0).reshape(N, 1, 3, 4),
    }
    images = torch.arange(N * 12.0).reshape(N, 1, 3, 4)
    return MaskedTensors(images, labels, {task: torch.tensor(rows) for task, rows in present.items()})


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("task", "label", "expected"),
    [
        (KIND, torch.tensor(1), "dog"),
        (KIND, torch.tensor(255), "no value"),
        (KIND, torch.tensor(-1), "no value"),
        (KIND.model_copy(update={"labels": None}), torch.tensor(2), "2"),
        (AGE, torch.tensor([-0.12345]), "−0.123"),
        (AGE, torch.tensor(3.0), "3"),
        (AGE, torch.tensor([math.nan]), "no value"),
        (COAT, torch.tensor([1, 0, 1]), "red, wet"),
        (COAT, torch.tensor([0.0, 1.0, 255.0]), "old"),
        (COAT, torch.tensor([0, 0, 0]), "none"),
        (COAT, torch.tensor([-1, -1, -1]), "no value"),
        (ALIVE, torch.tensor([1]), "yes"),
        (ALIVE, torch.tensor([False]), "no"),
        (ALIVE, torch.tensor([1.0]), "yes"),
        (ALIVE, torch.tensor([0.25]), "0.25"),
        (ANGLE, torch.tensor([1.0, 0.0]), "1  0"),
        (ANGLE, torch.tensor([-1.0, 0.0]), "−1  0"),
    ],
)
def test_labels_in_words(task: Task, label: Tensor, expected: str) -> None:
    assert words(task, label) == expected


def _hex(pixel: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(channel)):02X}" for channel in pixel)


def test_a_map_of_classes_has_the_palette_s_colours_and_chequers_where_there_is_no_class() -> None:
    pixels = class_pixels(PARTS, torch.tensor([[0, 2], [255, -1]]))
    assert [_hex(pixels[0, 0]), _hex(pixels[0, 1])] == [CLASSES[0], CLASSES[2]]
    assert [_hex(pixels[1, 0]), _hex(pixels[1, 1])] == [CHECKS[1], CHECKS[0]]


def test_maps_share_one_range_and_numbers_that_are_missing_are_chequers() -> None:
    dark, light = map_pixels([torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[math.nan, 4.0]]])])
    # As logarithms: log(1 + 1) of log(1 + 4).
    assert dark[0, :, 0].tolist() == [0, pytest.approx(math.log(2) / math.log(5))]
    assert light[0, 1].tolist() == [1, 1, 1]
    assert _hex(light[0, 0]) == CHECKS[0]


def test_marks_of_no_value_are_known_in_binary_maps_and_only_there() -> None:
    (binary,) = map_pixels([torch.tensor([[[0.0, 1.0, 255.0]]])])
    (numbers,) = map_pixels([torch.tensor([[[0.0, 51.0, 255.0]]])])
    (image,) = image_pixels([torch.tensor([[[0, 1, 255]]])])
    assert [_hex(pixel) for pixel in binary[0]] == ["#000000", "#FFFFFF", CHECKS[0]]
    assert [_hex(pixel) for pixel in numbers[0]] == ["#000000", "#B6B6B6", "#FFFFFF"]
    assert [_hex(pixel) for pixel in image[0]] == ["#000000", "#010101", "#FFFFFF"]


def test_three_channels_are_colours_and_zero_is_the_middle_of_directions() -> None:
    (pixels,) = map_pixels([torch.tensor([[[0.0]], [[-1.0]], [[0.5]]])])
    assert pixels[0, 0].tolist() == [0.5, 0, 0.75]


def test_every_label_is_on_the_sheet() -> None:
    figure = sample_sheet(_data(), TASKS, N, title="ten samples")
    texts = _texts(figure)
    assert len(figure.axes[0].images) == 3 * N
    for name in ("input", "kind", "age", "depth"):
        assert texts.count(name) == N
    # Once more in the legend, which names the classes that occur, and no others.
    assert texts.count("parts") == N + 1
    assert (texts.count("sky"), texts.count("leg"), texts.count("ear")) == (1, 0, 1)
    assert (texts.count("cat"), texts.count("dog"), texts.count("emu")) == (4, 3, 3)
    assert {f"{i / 2:.3g}" for i in range(N)} <= set(texts)
    assert "ten samples" in texts
    assert not {"no label", "–"} & set(texts)


def test_missing_labels_are_shown_as_missing() -> None:
    figure = sample_sheet(_data(kind=[True] * 7 + [False] * 3, depth=[True] * 4 + [False] * 6), TASKS, N)
    texts = _texts(figure)
    assert texts.count("–") == 3
    assert texts.count("no label") == 6
    assert len(figure.axes[0].images) == 2 * N + 4
    # The first sample's picture of depth is darker than the second's, wherever the others went.
    means = [image.get_array().mean() for image in figure.axes[0].images]
    assert means[2] < means[5]


def test_samples_come_from_all_over_the_data_set_and_are_no_more_than_there_are() -> None:
    texts = _texts(sample_sheet(_data(), (AGE,), 2))
    assert [text for text in texts if text not in ("input", "age")] == ["0", "2.5"]
    assert _texts(sample_sheet(_data(), (AGE,), 99)).count("age") == N


def test_pictures_lie_inside_their_frames_and_the_page_holds_all() -> None:
    figure = sample_sheet(_data(), TASKS, 3)
    axes = figure.axes[0]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    frames = [tuple(patch.get_path().get_extents().extents) for patch in axes.patches]
    for image in axes.images:
        x0, x1, y1, y0 = image.get_extent()
        assert left < x0 < x1 < right
        assert top < y0 < y1 < bottom
        assert (x0, y0, x1, y1) in frames
        # Width to height as in the 3 x 4 images.
        assert (x1 - x0) / (y1 - y0) == pytest.approx(4 / 3)


def test_words_of_many_tasks_do_not_overlap() -> None:
    tasks = [ALIVE.model_copy(update={"name": f"attribute_{'x' * (i % 7)}{i}"}) for i in range(40)]
    data = MaskedTensors(torch.rand(4, 3, 8, 8), {task.name: torch.ones(4, 1, dtype=torch.int64) for task in tasks})
    texts = sample_sheet(data, tasks, 4).axes[0].texts
    assert len(texts) == 4 * (1 + 2 * 40)
    for y in {text.get_position()[1] for text in texts}:
        spans = sorted(
            (text.get_position()[0], text_width(text.get_text(), TextStyle(text.get_fontsize(), "#000000")))
            for text in texts
            if text.get_position()[1] == y
        )
        assert all(x + width < following for (x, width), (following, _) in pairwise(spans))


def test_the_same_samples_give_the_same_file() -> None:
    first, second = (rendered(sample_sheet(_data(), TASKS, 2), "svg") for _ in range(2))
    assert first == second
    assert b"cat" in first
    assert b"emu" in first
    assert b"dog" not in first


@pytest.mark.parametrize(
    ("dataset", "num_samples", "message"),
    [
        (_data(), 0, "needs a sample; found num_samples 0"),
        (MaskedTensors(torch.zeros(0, 1, 2, 2), {}), 4, "a data set of 0"),
        (MaskedTensors(torch.zeros(5, 8), {}), 4, r"images, \[channels, H, W\]; found an input of shape \[8\]"),
    ],
)
def test_what_cannot_be_drawn_is_refused(dataset: MaskedTensors, num_samples: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sample_sheet(dataset, TASKS, num_samples)


def test_the_background_is_grey_and_the_other_classes_keep_their_colours() -> None:
    labels = ("background", "leg", "ear")
    task = PARTS.model_copy(update={"labels": labels})
    label = torch.tensor([[0, 1, 2]])
    grey, *others = class_pixels(task, label)[0]
    assert grey[0] == grey[1] == grey[2]
    np.testing.assert_array_equal(others, class_pixels(PARTS, label)[0, 1:])


def test_labels_of_any_unsigned_type_are_drawn_as_others() -> None:
    task = Task(name="semseg", num_outputs=3, loss="cross_entropy", metrics=("mean_iou",))
    maps = torch.arange(16).view(1, 4, 4).repeat(2, 1, 1) % 3
    sheets = []
    for dtype in (torch.int64, torch.uint16, torch.uint32):
        data = MaskedTensors(torch.zeros(2, 3, 4, 4), {"semseg": maps.to(dtype)})
        figure = sample_sheet(data, [task], 2)
        sheets.append([picture.get_array() for axes in figure.axes for picture in axes.get_images()])
    for other in sheets[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(sheets[0], other, strict=True))


FAR = Task(name="far", num_outputs=1, loss="depth_l1", metrics=("depth_rmse",))


def test_predictions_are_below_the_labels_and_over_the_input() -> None:
    tasks = (PARTS, KIND)
    guess = {"parts": torch.ones(1, 3, 4, dtype=torch.int64), "kind": torch.tensor([[0.1, 0.2, 0.7]])}
    figure = sample_sheet(_data(), tasks, 1, predict=lambda inputs: guess)
    texts = _texts(figure)
    # Over the input and by itself; the image of one channel has three classes of pixels.
    assert texts.count("parts, predicted") == 2
    assert {"cat", "predicted emu", "leg"} <= set(texts)
    image, label, over, predicted = (one.get_array() for one in figure.axes[0].images)
    assert (predicted == class_pixels(PARTS, guess["parts"][0])).all()
    assert not np.array_equal(over, image)
    assert not np.array_equal(label, predicted)


def test_depth_is_near_bright_and_says_so_and_has_no_colour_where_it_is_unknown() -> None:
    depth = torch.full((2, 1, 2, 2), 1.0)
    depth[:, :, 0] = 50.0
    depth[:, :, 1, 1] = 0.0
    figure = sample_sheet(MaskedTensors(torch.zeros(2, 3, 2, 2), {"far": depth}), [FAR], 1)
    picture = figure.axes[0].images[1].get_array()
    assert picture[1, 0].sum() > picture[0, 0].sum()
    assert _hex(picture[1, 1]) in CHECKS
    assert {"near 1", "50 far, as logarithms"} <= set(_texts(figure))


def test_an_overlay_leaves_the_background_and_shows_a_mask_as_strong_as_it_is_probable() -> None:
    image = np.full((1, 2, 3), 0.5, np.float32)
    task = PARTS.model_copy(update={"labels": ("background", "leg", "ear")})
    laid = overlay(image, "classes", task, torch.tensor([[0, 1]]), "#000000")
    assert laid[0, 0].tolist() == [0.5, 0.5, 0.5]
    assert laid[0, 1].tolist() != [0.5, 0.5, 0.5]
    mask = overlay(image, "binary", ALIVE, torch.tensor([[[0.0, 1.0]]]), "#FF0000")
    assert mask[0, 0].tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(mask[0, 1], [0.5 + STRENGTH / 2, 0.5 - STRENGTH / 2, 0.5 - STRENGTH / 2], rtol=1e-6)
