"""The picture of a transfer map: what is in it, which colours say what, and that its texts keep apart."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch

from nas.report import draw_transfer_map, save_figure
from nas.report.palette import TEXT_CONTRAST, contrast
from nas.strategies.transfer.gains import LEVELS, Gain, PairEffects
from nas.strategies.transfer.transfer_map import Panel, TransferMap, transfer_map

NAMES = ("semseg", "human_parts", "depth", "normals", "edge", "saliency", "keypoints", "attributes")
SVG = "{http://www.w3.org/2000/svg}"


def a_map(num_tasks, num_blocks, names=None):
    rng = np.random.default_rng(num_tasks)
    mean_LTT = rng.normal(size=(num_blocks, num_tasks, num_tasks)) * 3
    covariance_TTLL = np.broadcast_to(np.eye(num_blocks), (num_tasks, num_tasks, num_blocks, num_blocks))
    names = names or [NAMES[t] if t < len(NAMES) else f"task{t}" for t in range(num_tasks)]
    blocks = tuple(f"block{l}" for l in range(num_blocks))
    return transfer_map(PairEffects(tuple(names), blocks, mean_LTT, covariance_TTLL))


def of_two(gain, other=None):
    """A map of one block, in which the first task gains this from the second."""
    gains_TT = ((None, gain), (other or Gain(0.0, 1.0), None))
    return TransferMap(("semseg", "depth"), (Panel("block0", ("block0",), gains_TT),), LEVELS)


def texts(figure):
    return figure.axes[0].texts


def boxes(figure):
    """Colours of the boxes in the order in which they were drawn: cells row by row, then the legend."""
    return [patch.get_facecolor()[:3] for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


def cell(gain, other=None):
    """Colour and number of the first task's cell."""
    figure = draw_transfer_map(of_two(gain, other))
    # Row names are drawn after the cells, column names before each row of cells.
    numbers = [
        text for text in texts(figure) if text.get_horizontalalignment() == "center" and text.get_text()[0] in "+−0"
    ]
    return boxes(figure)[1], numbers[0]


def saturation(colour):
    return max(colour) - min(colour)


def test_it_has_all_tasks_blocks_and_numbers():
    shown = a_map(3, 4)
    found = Counter(text.get_text() for text in texts(draw_transfer_map(shown)))
    assert all(found[panel.name] == 1 for panel in shown.panels)
    # Once per panel above its columns, and once beside the rows, which are all in one line of panels.
    assert all(found[name] == len(shown.panels) + 1 for name in shown.tasks)
    cells = [gain for panel in shown.panels for row in panel.gains_TT for gain in row if gain]
    numbers = [text for text in found.elements() if text[0] in "+−0"]
    # The legend has six more.
    assert len(numbers) == len(cells) + 6
    assert set(LEVELS) <= {text.split(" (bold)")[0].split(":")[0] for text in found}


@pytest.mark.parametrize(
    ("mean", "number"), [(1.94, "+1.9"), (-0.34, "−0.3"), (0.04, "0"), (-0.04, "0"), (9.96, "+10"), (-37.2, "−37")]
)
def test_a_number_has_two_digits(mean, number):
    assert cell(Gain(mean, 0.5))[1].get_text() == number


def test_gains_are_blue_and_losses_red():
    (red, _, blue), _ = cell(Gain(4.0, 0.1))
    assert blue > red
    (red, _, blue), _ = cell(Gain(-4.0, 0.1))
    assert red > blue


def test_the_less_certain_a_gain_is_the_paler_is_its_cell():
    other = Gain(4.0, 0.1)
    found = {std: cell(Gain(3.0, std), other) for std in (0.5, 3.0, 20.0)}
    strength = [saturation(colour) for colour, _ in found.values()]
    assert strength[0] > 1.5 * strength[1] > 2 * strength[2]
    assert [Gain(3.0, std).certainty for std in found] == list(LEVELS)
    assert [number.get_fontweight() for _, number in found.values()] == ["bold", "normal", "normal"]


def test_the_larger_a_gain_is_the_stronger_is_its_cell():
    other = Gain(8.0, 0.01)
    strength = [saturation(cell(Gain(mean, 0.01), other)[0]) for mean in (0.25, 1.0, 4.0, 8.0)]
    assert strength == sorted(strength)
    assert strength[0] < 0.5 * strength[-1]


@pytest.mark.parametrize("mean", [-8.0, -4.0, -0.1, 0.1, 4.0, 8.0])
@pytest.mark.parametrize("std", [0.01, 5.0, 50.0])
def test_numbers_can_be_read(mean, std):
    """White text on a dark cell, dark text on a pale one: at least the contrast that text on white needs."""
    colour, number = cell(Gain(mean, std), Gain(8.0, 0.1))
    back, text = ("#" + "".join(f"{round(255 * c):02X}" for c in rgb) for rgb in (colour, to_rgb(number.get_color())))
    assert contrast(back, text) >= TEXT_CONTRAST


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(2, 1), (3, 4), (6, 6), (8, 18), (12, 18)])
def test_texts_keep_apart_and_on_the_page(num_tasks, num_blocks):
    figure = draw_transfer_map(a_map(num_tasks, num_blocks))
    figure.draw_without_rendering()
    level = [text.get_window_extent() for text in texts(figure) if text.get_rotation() == 0]
    width, height = figure.get_size_inches() * figure.dpi
    assert all(0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height for box in level)
    # The height of a box includes room for letters that these texts do not have.
    small = [box.expanded(1.0, 0.6) for box in level]
    assert not any(a.overlaps(b) for a, b in combinations(small, 2))


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(3, 4), (6, 6), (8, 18), (20, 18)])
def test_it_fits_a_wide_page(num_tasks, num_blocks):
    width, height = draw_transfer_map(a_map(num_tasks, num_blocks)).get_size_inches()
    assert width <= 13
    assert height <= 20


def test_maps_of_many_tasks_have_no_numbers():
    numbers = [text.get_text() for text in texts(draw_transfer_map(a_map(15, 2))) if text.get_text()[0] in "+−0"]
    assert len(numbers) == 6
    assert not any("bold" in text.get_text() for text in texts(draw_transfer_map(a_map(15, 2))))


def test_a_map_without_any_effect_can_be_drawn():
    assert cell(Gain(0.0, 0.0))[1].get_text() == "0"


def test_a_file_holds_odd_names_as_text_and_is_the_same_bytes_every_time(tmp_path):
    names = ("a_{b}$x^2$", "<b>&amp;</b>", "Größe", "line\nbreak")
    for name in ("first.svg", "second.svg"):
        save_figure(draw_transfer_map(a_map(4, 2, names), title="On my data"), tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
    found = {element.text for element in ElementTree.parse(tmp_path / "first.svg").iter(f"{SVG}text")}
    assert {*names[:3], "On my data"} <= found


def test_it_is_drawn_without_torch():
    code = """
import sys
sys.modules["torch"] = None
from types import SimpleNamespace
from nas.report import draw_transfer_map
gain = SimpleNamespace(mean=1.0, std=0.5, certainty="likely")
panel = SimpleNamespace(name="block0", blocks=("block0",), gains_TT=((None, gain), (gain, None)))
shown = SimpleNamespace(tasks=("a", "b"), panels=(panel,), levels={"certain": 0.95, "likely": 0.75, "noise": 0.5})
print(draw_transfer_map(shown).get_size_inches()[0] > 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert done.stdout.strip() == "True", done.stderr
