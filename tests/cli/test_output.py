"""What commands print: results on standard output, progress on standard error, all of it readable on 80 columns."""

import errno
import io
import json
import os
import re

import pytest
from rich.console import Console
from small_digits import RECIPE, changes

from nas.cli import tables
from nas.cli.main import run
from nas.cli.progress import Display
from nas.run import Point, Quality, make_front
from nas.run.comparison import Comparison, Row


def written(width: int, *renderables: object) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=None).print(*renderables)
    return file.getvalue().splitlines()


def a_comparison(num_tasks: int) -> Comparison:
    names = [f"task_{i}" for i in range(num_tasks)]
    metrics = {name: {"loss": 0.5, "accuracy": 0.1 + 0.01 * i} for i, name in enumerate(names)}
    cost = {"macs": 1.23e9, "params": 45.6e6}
    rows = [
        Row("single tasks", "single", cost, 1.0, 0.0, None, 3, metrics, [0.0] * 3),
        Row("shared", "shared", cost, 0.25, -123.45, 67.89, 3, metrics, [-191.34, -123.45, -55.56]),
        Row("ab12cd34", "found", cost, 0.25, -12.34, 1.0, 3, metrics, [-13.34, -12.34, -11.34]),
        Row("random beside ab12cd34", "random", cost, 0.25, 4.32, 10.98, 9, metrics, [3.32, 4.32, 5.32]),
    ]
    return Comparison("macs", [0, 1, 2], rows)


@pytest.mark.parametrize("num_tasks", [1, 6, 40])
def test_a_comparison_fits_80_columns_whole(num_tasks):
    comparison = a_comparison(num_tasks)
    lines = written(80, tables.cost_table(comparison), *tables.metric_tables(comparison, 80))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    # The 95 % interval of three values with the deviation s: 4.303 s / sqrt(3).
    for figure in ("1.23 GMACs", "45.6 M params", "found ab12cd34", "-123.45 ± 168.65", "+4.32 ± 2.48"):
        assert text.count(figure) >= 1, text
    # The single tasks are the reference, not a result.
    assert "+0.00 ±" not in text
    for i in range(num_tasks):
        assert sum(f"task_{i}" in line.split() for line in lines) == 1
        assert f"{0.1 + 0.01 * i:.4f}" in text


ESTIMATE = "minus dissimilarity within groups (r2 of features)"


def a_point(tree: str, trial: int = 0, **fields: object) -> Point:
    usual = {
        "tree": f"trials/{trial}/trees/{tree}.json",
        "trial": trial,
        "seed": 0,
        "budget": 0.588317,
        "cost": {"macs": 123.4e9, "params": 123.4e6},
        "quality": Quality(value=-12.3456, measure=ESTIMATE, kind="estimated"),
    }
    return Point(**{**usual, **fields})


def cells(lines: list[str], *trees: str) -> list[list[str]]:
    """The rows of some trees, split at the gaps between columns."""
    return [re.split(r" {2,}", line.strip()) for line in lines if line.split()[:1] in [[tree] for tree in trees]]


def test_a_front_says_which_trees_are_on_it():
    quality = Quality(value=-20.0, measure=ESTIMATE, kind="estimated")
    points = [a_point("bb", quality=quality, cost={"macs": 200e9, "params": 1e6}, budget=None), a_point("aa")]
    lines = written(80, tables.front_table(make_front(points, "macs")))
    assert max(map(len, lines)) <= 80
    assert cells(lines, "aa", "bb") == [
        ["aa", "0.5883", "123 G", "123 M", "-12.3456"],
        ["bb", "none", "200 G", "1 M", "-20.0000"],
    ]
    assert f"estimate: {ESTIMATE}; higher is better" in [line.strip() for line in lines]
    assert lines[-1] == "below the gap: beaten in cost and quality"
    assert not any(word in line for line in lines for word in ("trial", "grade", "measured"))


def test_a_front_of_several_trials_says_which_found_what():
    points = [a_point("ab12cd34", trial) for trial in (3, 120)]
    lines = written(80, tables.front_table(make_front(points, "macs")))
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert [row[1] for row in cells(lines, "ab12cd34")] == ["3", "120"]


def test_estimates_and_measured_qualities_never_share_a_column():
    estimate = Quality(value=-1.2345, measure=ESTIMATE, kind="estimated", std=0.0212)
    measured = Quality(value=-12.3456, measure="minus validation loss, retrained", kind="measured")
    pooled = {"pooled": (0, 1, 2), "confidence": 0.76}
    points = [
        a_point("ab12cd34", quality=measured, estimate=estimate, **pooled),
        a_point("ab12cd35", trial=1, cost={"macs": 99e9, "params": 1e6}, confidence=0.5),
        a_point("ab12cd36", quality=estimate, budget=None, **pooled),
        a_point("ab12cd37", quality=estimate, **pooled),
    ]
    lines = written(80, tables.front_table(make_front(points, "macs")))
    assert max(map(len, lines)) <= 80
    head = next(line for line in lines if line.split()[:1] == ["tree"])
    assert head.split() == ["tree", "trial", "budget", "MACs", "params", "estimate", "measured", "grade"]
    rows = cells(lines, "ab12cd34", "ab12cd35", "ab12cd36")
    # One seed's estimate for the budget of a pooled tree is below the gap.
    assert rows == [
        ["ab12cd36", "pooled", "none", "123 G", "123 M", "-1.23 ± 0.02", "likely"],
        ["ab12cd34", "pooled", "0.5883", "123 G", "123 M", "-1.23 ± 0.02", "-12.3456", "likely"],
        ["ab12cd35", "1", "0.5883", "99 G", "1 M", "-12.3456", "toss-up"],
    ]
    assert [line.strip() for line in lines[-4:]] == [
        f"estimate: {ESTIMATE}; higher is better",
        "measured: minus validation loss, retrained; higher is better",
        "grade: chance to beat the second-best tree; certain from 95 %, likely from 75 %",
        "below the gap: beaten in cost and quality, or of one seed of those pooled above",
    ]


def test_the_live_display_keeps_bar_and_figures_apart():
    shown = Display(Console(file=io.StringIO(), width=80, force_terminal=True))
    assert not written(80, shown.render())
    shown.begin("[17/105] random ab12cd34, seed 12", 30, done=10)
    figures = "loss 10.664, entropy 1.00, cost 4.85 MMACs (of 4.72 MMACs), 32 choices changed"
    shown.advance(figures)
    bar, under = written(80, shown.render())
    assert len(bar) <= 80
    assert bar.startswith("[17/105] random ab12cd34, seed 12 ")
    assert "11/30" in bar
    assert under.rstrip() == figures
    shown.begin("[18/105] shared, seed 12", 30)
    assert len(written(80, shown.render())) == 2


def test_json_alone_is_on_standard_output(own_run, tmp_path, capsys):
    tree = next((own_run / "trials/0/trees").iterdir())
    for arguments in (
        ["check", RECIPE, *changes()],
        ["profile", RECIPE, "--tree", tree],
        ["search", RECIPE, "--out", own_run, "--resume"],
        ["search", RECIPE, "--out", tmp_path / "new", *changes(strategy__epochs=1)],
        ["show", own_run],
        ["retrain", own_run],
        ["evaluate", own_run],
        ["data", RECIPE, "--out", tmp_path / "sheet.png", "--samples", 1, "--set", "data.num_train=8"],
        ["compare", own_run],
        # Several trainings lie in the run now; which one is meant is the one that retrain does.
        ["evaluate", own_run],
    ):
        capsys.readouterr()
        assert run([*map(str, arguments), "--json"]) == 0, arguments
        json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_a_full_disk_is_exit_status_1_in_one_line(own_run, monkeypatch, capsys):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    assert run(["retrain", str(own_run)]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: No space left on device")
    monkeypatch.undo()
    assert not list(own_run.rglob("*.tmp"))
    assert run(["retrain", str(own_run)]) == 0


def test_a_bug_of_our_own_keeps_its_traceback(monkeypatch, capsys):
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("promised")

    monkeypatch.setattr("nas.commands.profile.profile", broken)
    assert run(["profile", RECIPE]) == 1
    errors = capsys.readouterr().err
    assert "Traceback" in errors
    assert errors.splitlines()[-1] == "error: AssertionError: promised"


def test_a_tree_is_printed_in_an_encoding_without_its_lines(own_run, monkeypatch):
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, encoding="ascii", write_through=True))
    assert run(["show", str(own_run)]) == 0
    assert rb"\u2514" in output.getvalue()


def test_output_that_nobody_reads_to_the_end_is_no_bug(own_run, monkeypatch, capsys):
    class Closed(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _: object) -> int:
            raise BrokenPipeError

    stream = io.TextIOWrapper(io.BufferedWriter(Closed()))
    monkeypatch.setattr("sys.stdout", stream)
    assert run(["show", str(own_run)]) == 1
    monkeypatch.undo()
    assert capsys.readouterr().err == ""
    with pytest.raises(BrokenPipeError):
        stream.close()
