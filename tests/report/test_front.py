"""What a front's picture says beside its points: legend, intervals, budgets, and a single tree."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text

from nas.errors import InputError
from nas.report import draw_front, save_figure
from nas.report.palette import TEXT_CONTRAST, contrast
from nas.report.theme import THEMES
from nas.tree import CostTable

TABLE = CostTable(
    {"macs": 1e6}, ({"macs": 4e6}, {"macs": 2e6}), {task: {"macs": 5e5} for task in ("depth", "edge")}, ("a", "b")
)  # shared 8e6, separate 15e6


def point(tree_id, macs, value, **changes):
    fields = {"trial": 0, "seed": 0, "budget": 0.6, "cost": {"macs": macs}, "dominated": False}
    quality = {"value": value, "measure": "mean $m_t$ & co", "kind": "estimated"}
    return {"tree": f"trials/0/trees/{tree_id}.json", "quality": quality, **fields, **changes}


def with_std(tree_id, macs, value, std, **changes):
    quality = {"value": value, "measure": "m", "kind": "estimated", "std": std}
    return point(tree_id, macs, value, quality=quality, **changes)


def legend(figure):
    (one,) = figure.legends
    return {text.get_text() for text in one.get_texts()}, one.get_title().get_text()


def test_every_mark_is_explained_and_nothing_else():
    points = [
        point("aaaa", 9e6, 0.1),
        point("bbbb", 12e6, 0.4, recommended=True),
        point("cccc", 13e6, 0.2, dominated=True),
    ]
    names, note = legend(draw_front(points, TABLE))
    assert names == {
        "tree of the front, estimated",
        "beaten in cost and quality, estimated",
        "recommended",
        "the best quality up to each cost",
        "budget, or cost of a baseline",
    }
    assert "--tree ID" in note
    names, _ = legend(draw_front(points[:1]))
    assert names == {"tree of the front, estimated"}


def test_bars_are_one_standard_deviation_where_it_is_known():
    figure = draw_front([with_std("aaaa", 9e6, 0.1, 0.05), with_std("bbbb", 12e6, 0.4, None)])
    (bars,) = (one for one in figure.axes[0].containers if isinstance(one, ErrorbarContainer))
    (segment,) = bars[2][0].get_segments()
    assert segment.tolist() == [pytest.approx([9e6, 0.05]), pytest.approx([9e6, 0.15])]
    assert "± one standard deviation" in legend(figure)[0]


@pytest.mark.parametrize("budgets", [(0.6, 0.62, 0.7, 0.9), tuple(0.6 + 0.01 * i for i in range(12))])
def test_texts_of_budgets_keep_clear_of_lines_points_and_each_other(budgets):
    points = [point(f"{i:04x}", budget * 15e6 - 1, budget, budget=budget) for i, budget in enumerate(budgets)]
    figure = draw_front(points, TABLE, curves=[[(8e6, 0.2), (9e6, 0.6), (14e6, 0.9)]])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    known = {f"{100 * budget:.3g} %" for budget in budgets} | {"all shared", "separate"}
    texts = [text for text in axes.texts if text.get_text() in known and text.get_ha() == "center"]
    boxes = [Text.get_window_extent(text) for text in texts]
    assert len(boxes) >= 4
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    top = max(axes.transData.transform(end)[1] for segment in lines.get_segments() for end in segment)
    # Pixels; a text's box begins a little below its letters.
    assert all(box.y0 >= top - 1 for box in boxes)


def test_a_single_tree_stands_between_sharing_everything_and_nothing():
    figure = draw_front([point("aaaa", 10e6, -1.25, budget=None)], TABLE)
    (axes,) = figure.axes
    assert {"all shared", "separate", "no budget", "aaaa"} <= {text.get_text() for text in axes.texts}
    low, high = axes.get_xlim()
    assert low < 8e6 < 15e6 < high
    assert axes.get_yticks().tolist() == [-1.25]


def test_labels_name_all_budgets_of_a_tree():
    twice = [point("aaaa", 9e6, 0.1, budget=0.7), point("aaaa", 9e6, 0.1, budget=0.65, recommended=True)]
    assert "recommended, 65 %, 70 %" in {text.get_text() for text in draw_front(twice, TABLE).axes[0].texts}


def test_a_front_names_trees_measure_and_budgets(tmp_path):
    points = [point("aaaa", 9e6, 0.1), point("bbbb", 14e6, 0.4, budget=15e6), point("cccc", 16e6, 0.2, dominated=True)]
    figure = draw_front(points, TABLE, title="A_front")
    save_figure(figure, tmp_path / "front.svg")
    texts = {
        element.text for element in ElementTree.parse(tmp_path / "front.svg").iter() if element.tag.endswith("text")
    }
    labels = {"aaaa", "bbbb", "cccc", "60 %", "15 MMACs", "A_front"}
    measure = "\N{UPWARDS ARROW} mean $m_t$ & co; estimated, higher is better"
    axes = {measure, "MACs per sample", "of the cost of separate networks"}
    assert labels | axes <= texts
    save_figure(draw_front(points, TABLE, title="A_front"), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "front.svg").read_bytes()


def test_a_curve_is_drawn_as_steps_behind_the_points():
    curve = [(9e6, 0.1), (12e6, 0.3), (20e6, 0.5)]
    points = [point("aaaa", 9e6, 0.1), point("bbbb", 12e6, 0.3)]
    (plain,), (axes,) = draw_front(points, TABLE).axes, draw_front(points, TABLE, curves=[curve]).axes
    (line,) = (line for line in axes.lines if len(line.get_xdata()) == len(curve))
    assert list(zip(*line.get_data(), strict=True)) == curve
    assert line.get_drawstyle() == "steps-post"
    marks = [marks for marks in axes.collections if isinstance(marks, PathCollection)]
    assert marks
    assert all(line.get_zorder() < one.get_zorder() for one in marks)
    assert len(axes.lines) == len(plain.lines) + 1
    # The whole curve is in view.
    assert axes.get_xlim()[0] < 9e6
    assert axes.get_xlim()[1] > 20e6


def test_labels_of_a_crowded_front_do_not_overlap():
    points = [
        point(f"{i:08x}", 1e6 * (10 + i % 5 + i), 0.01 * i + 0.05 * (i % 3), dominated=i % 4 == 1) for i in range(40)
    ]
    figure = draw_front(points)
    (axes,) = figure.axes
    figure.draw_without_rendering()
    # The text alone: an annotation's own extent includes its line.
    boxes = [Text.get_window_extent(text) for text in axes.texts if not text.get_rotation()]
    assert len(boxes) > 20
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_a_tree_of_several_budgets_is_one_point_and_the_recommended_one_has_a_ring():
    twice = [point("aaaa", 9e6, 0.1, budget=None, recommended=True), point("aaaa", 9e6, 0.1), point("bbbb", 8e6, 0.0)]
    figure = draw_front(twice)
    (axes,) = figure.axes
    # The first tree was found for a budget, too; without a table, the line of a share cannot be drawn.
    assert sorted(filter(None, (text.get_text() for text in axes.texts))) == [
        "60 %",
        "aaaa",
        "bbbb",
        "recommended, 60 %",
    ]
    ring = axes.collections[-1]
    assert ring.get_facecolor().size == 0
    assert ring.get_offsets().tolist() == [[9e6, 0.1]]
    drawn = [place for marks in axes.collections if marks is not ring for place in marks.get_offsets().tolist()]
    assert sorted(drawn) == [[8e6, 0.0], [9e6, 0.1]]


def test_the_recommended_tree_of_a_crowded_front_has_its_label():
    crowd = [point(f"{i:08x}", 1e6 * (100 + 0.01 * i), 0.001 * i) for i in range(60)]
    for best in (0, 17, 40):
        points = [{**p, "recommended": i == best} for i, p in enumerate(crowd)]
        (axes,) = draw_front(points).axes
        texts = [text.get_text() for text in axes.texts]
        assert sum(len(text) == 8 for text in texts) < len(points)
        assert f"{best:08x}" in texts


def test_a_front_that_cannot_be_drawn():
    with pytest.raises(InputError, match="no points"):
        draw_front([])
    with pytest.raises(InputError, match=r"bbbb\.json has no cost in 'macs'; it has params"):
        draw_front([point("aaaa", 1, 1), point("bbbb", 1, 1, cost={"params": 3})])
    with pytest.raises(InputError, match="no resource 'ms'"):
        draw_front([point("aaaa", 1, 1, cost={"ms": 1})], TABLE, resource="ms")
    other = {"value": 1.0, "measure": "other", "kind": "measured"}
    with pytest.raises(InputError, match="several measures"):
        draw_front([point("aaaa", 1, 1), point("bbbb", 1, 1, quality=other)])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read_on_the_ground(theme):
    ground = THEMES[theme].ground
    figure = draw_front([point("aaaa", 9e6, 0.1)], TABLE, theme=theme, title="A front")
    assert to_hex(figure.get_facecolor()) == to_hex(figure.axes[0].get_facecolor()) == ground.lower()
    figure.draw_without_rendering()
    inks = [to_hex(text.get_color()) for text in figure.findobj(Text) if text.get_text()]
    assert len(inks) > 10
    assert all(contrast(ink, ground) >= TEXT_CONTRAST for ink in inks)
