"""The pictures of a comparison show its numbers, with their intervals."""

import math
import statistics

import pytest
from matplotlib.container import ErrorbarContainer

from nas.report.comparison import draw_comparison, draw_task_gains
from nas.run.comparison import Comparison, Row
from nas.training import half_interval

TASKS = ("depth", "edge")


def row(name, kind, share, relative):
    by_seed = [statistics.fmean(values) for values in zip(*relative.values(), strict=True)]
    metrics = {task: {"rmse": 1.0} for task in TASKS}
    mean = statistics.fmean(by_seed)
    return Row(name, kind, {"macs": share * 100}, share, mean, None, len(by_seed), metrics, by_seed, relative)


def comparison(*rows):
    single = Row("single tasks", "single", {"macs": 100}, 1.0, 0.0, None, 1, {t: {"rmse": 1.0} for t in TASKS}, [0.0])
    return Comparison("macs", range(len(rows[0].by_seed)), [single, *rows])


SHARED = row("shared", "shared", 0.3, {"depth": [1.0, 2.0, 4.0], "edge": [-9.0, -7.0, -8.0]})
FOUND = row("3fa2", "found", 0.5, {"depth": [5.0, 6.0, 7.0], "edge": [-1.0, 1.0, 3.0]})
RANDOM = row("random beside 3fa2", "random", 0.45, {"depth": [0.0, 1.0, 2.0], "edge": [0.0, 1.0, -1.0]})


def bars(axes):
    """Position and half length of every bar: along y without x, else along x."""
    return [container for container in axes.containers if isinstance(container, ErrorbarContainer)]


def ends(container):
    """The ends of the first bar."""
    return container[2][0].get_segments()[0]


def test_points_and_intervals_are_those_of_the_rows():
    figure = draw_comparison(comparison(SHARED, FOUND, RANDOM))
    axes = figure.axes[0]
    drawn = {container.get_label(): container for container in bars(axes)}
    for label, one in (("all shared", SHARED), ("trees found", FOUND)):
        assert drawn[label][0].get_xdata().tolist() == [one.share]
        assert drawn[label][0].get_ydata().tolist() == [one.delta_m]
        (_, low), (_, high) = ends(drawn[label])
        assert high - low == pytest.approx(2 * one.half_interval)
    assert drawn["single-task networks"][0].get_xdata().tolist() == [1.0]
    assert "3fa2" in [text.get_text() for text in axes.texts]
    assert "95 % intervals over 3 seeds" in axes.get_title(loc="left").replace("\n", " ")


def test_every_task_has_its_gain_and_interval_in_the_panel_of_each_tree():
    shared, found = draw_task_gains(comparison(SHARED, FOUND, RANDOM)).axes
    assert shared.get_title(loc="left").startswith("all shared\n30 % of the cost\nmean \N{MINUS SIGN}2.8 %")
    assert found.get_title(loc="left").startswith("3fa2\n50 % of the cost\nmean +3.5 %")
    for axes, one in ((shared, SHARED), (found, FOUND)):
        solid = [c for c in bars(axes) if c[0].get_ydata()[0] == int(c[0].get_ydata()[0])]
        assert [c[0].get_xdata()[0] for c in solid] == [statistics.fmean(one.relative[task]) for task in TASKS]
        (low, _), (high, _) = ends(solid[0])
        assert high - low == pytest.approx(2 * half_interval(one.relative["depth"]))
    # The random trees are beside the found tree, and only there.
    assert (len(bars(shared)), len(bars(found))) == (2, 4)
    assert [label.get_text() for label in shared.get_yticklabels()] == list(TASKS)


def test_one_seed_has_no_intervals_and_an_unknown_gain_no_dot():
    one = row("3fa2", "found", 0.5, {"depth": [5.0], "edge": [math.nan]})
    shared = row("shared", "shared", 0.3, {"depth": [1.0], "edge": [math.nan]})
    figure = draw_task_gains(comparison(shared, one))
    assert "one seed, so no intervals" in figure.get_supxlabel()
    for axes in figure.axes:
        assert len(bars(axes)) == 1
        assert "no value" in [text.get_text() for text in axes.texts]
    draw_comparison(comparison(shared, one))


def test_of_many_trees_the_best_and_the_shared_one_are_shown():
    many = [row(f"{i:04x}", "found", 0.3 + 0.01 * i, {t: [i, i + 1.0, i] for t in TASKS}) for i in range(9)]
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in draw_task_gains(comparison(SHARED, *many)).axes]
    assert titles == ["all shared", "0004", "0005", "0006", "0007", "0008"]
