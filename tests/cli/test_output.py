"""What commands print: results on standard output, progress on standard error, all of it readable on 80 columns."""

import errno
import io
import json
import os

import pytest
from rich.console import Console
from small_digits import RECIPE, changes

from nas.cli import tables
from nas.cli.main import run
from nas.cli.progress import Display
from nas.commands.comparison import Comparison, Row
from nas.run import Point, Quality, make_front


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


def test_a_front_says_which_trees_are_on_it():
    points = [
        Point(
            tree=f"trials/0/trees/{name}.json",
            trial=0,
            seed=0,
            budget=budget,
            cost={"macs": cost, "params": 1e6},
            quality=Quality(value=quality, measure="minus validation loss, inherited weights", kind="estimated"),
        )
        for name, budget, cost, quality in (("aa", 0.3, 1e9, -1.0), ("bb", None, 2e9, -2.0))
    ]
    lines = written(80, tables.front_table(make_front(points, "macs")))
    assert max(map(len, lines)) <= 80
    assert [line.split()[-1] for line in lines if line.split()[:1] in (["aa"], ["bb"])] == ["yes", "dominated"]
    assert not any("trial" in line for line in lines)


def test_a_front_of_several_trials_says_which_found_what():
    points = [
        Point(
            tree=f"trials/{trial}/trees/ab12cd34.json",
            trial=trial,
            seed=0,
            budget=0.588317,
            cost={"macs": 123.4e9, "params": 123.4e6},
            quality=Quality(value=-12.3456, measure="minus validation loss, inherited weights", kind="estimated"),
        )
        for trial in (3, 120)
    ]
    lines = written(80, tables.front_table(make_front(points, "macs")))
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert [line.split()[1] for line in lines if line.split()[:1] == ["ab12cd34"]] == ["3", "120"]


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

    monkeypatch.setattr("nas.commands.profile", broken)
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
