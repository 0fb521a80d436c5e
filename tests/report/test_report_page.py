"""The report of a run as HTML: what it says, that it escapes names, that it loads nothing, and how large it gets."""

import base64
import hashlib
import json
import logging
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from measured_runs import BLOCKS, SEPARATE, SHARED, TABLE, TASKS, TREE, a_measured_run, measured
from setuptools import Distribution
from small_digits import refused

import nas
from nas.cli.main import run
from nas.report.html import page, report_page, try_report
from nas.run import Point, Quality, RunFolder, make_front
from nas.run.comparison import Comparison, Row
from nas.strategies.diagnosis import Diagnosis, MarginRecord, Verdict
from nas.tree import BranchTree, CostTable

HOSTILE = ("</script><script>alert(1)</script>", "\"'><img src=x onerror=alert(2)>", "evil {{ 7 * 7 }}")


class Page(HTMLParser):
    """Text and tags of a page, and the text of each table row."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.rows, self.in_row = [], "", [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append("")
            self.in_row = True

    def handle_endtag(self, tag):
        self.in_row = self.in_row and tag != "tr"

    def handle_data(self, data):
        self.text += data
        if self.in_row:
            self.rows[-1] += f" {data.strip()}"

    def with_tag(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


def a_comparison(seeds=(0, 1, 2)):
    """Edge gains in the found tree, depth loses, normals cannot be told from noise."""
    few = len(seeds)
    relative = {
        "depth": [-4.0, -4.1, -3.9][:few],
        "normals": [1.0, -1.0, 0.3][:few],
        "edge": [2.0, 2.1, 1.9][:few],
    }
    metrics = {task: {"loss": 0.5, "accuracy": 0.8} for task in TASKS}

    def row(name, kind, tree, delta):
        values = [delta + 0.1 * seed for seed in range(few)]
        cost = TABLE.tree_cost(tree) if tree else TABLE.separate_cost()
        mean, nothing = float(np.mean(values)), dict.fromkeys(TASKS, [0.0] * few)
        share = cost["macs"] / TABLE.separate_cost()["macs"]
        gains = relative if kind == "found" else nothing
        return Row(name, kind, cost, share, mean, 0.1, few, metrics, values, gains)

    rows = [
        row("single tasks", "single", None, 0.0),
        row("shared", "shared", SHARED, -1.0),
        row(TREE.id, "found", TREE, 1.0),
        row(f"random beside {TREE.id}", "random", SHARED, -0.5),
    ]
    return Comparison("macs", list(seeds), rows, [f"{TREE.id} against shared: +2 points"], TASKS)


@pytest.fixture(scope="module")
def record():
    return measured()[1]


@pytest.fixture
def folder(tmp_path, record):
    return a_measured_run(tmp_path / "run", record, (TREE, SHARED))


def a_front(path, trees, table):
    """A finished search of some trees, each as good as it is expensive."""
    found = RunFolder(path)
    trial = found.trial(0)
    trial.make()
    trial.write_costs(table)
    points = []
    for i, tree in enumerate(trees):
        costed = tree.with_cost(table)
        file = str(trial.write_tree(costed).relative_to(path))
        quality = Quality(value=costed.cost["macs"] + i, measure="\u202eevil", kind="estimated", std=1.0)
        points.append(Point(tree=file, trial=0, seed=0, budget=None, cost=costed.cost, quality=quality))
    make_front(points, "macs").write(path / "front.json")
    text = json.dumps({"schema_version": 1, "recipe": None, "overrides": {}, "experiment": {"goal": {}}})
    (path / "experiment.json").write_text(text)
    return path


def test_the_answer_has_the_tree_its_saving_its_gains_and_how_sure_it_is(folder):
    text = Page(report_page(RunFolder.open(folder))).text
    answer = text[text.index("The answer") : text.index("All trees")]
    # 10 + 40 + 2 x 20 + 2 x 30 + 3 x 10 of 330 MACs.
    assert "Take tree B: 180 MACs, 45 % less than three separate networks" in answer
    assert "edge parts from depth and normals at middle" in answer
    assert "estimated by the search from short trainings" in answer
    assert "the search ran with one seed" in answer
    assert "no tree has been trained and compared with single-task networks yet" in answer


def test_measured_gains_take_the_place_of_estimated_ones_and_a_loss_is_a_concern(folder):
    a_comparison().write(folder / "compare")
    shown = Page(report_page(RunFolder.open(folder)))
    answer = shown.text[shown.text.index("The answer") : shown.text.index("All trees")]
    assert "measured by nas compare" in answer
    # The standard error is 0.1 / sqrt(3), and t has 4.30 for two degrees of freedom.
    assert any(row.split() == ["depth", "−4.0", "±", "0.2", "%", "worse"] for row in shown.rows)
    assert any(row.split() == ["edge", "+2.0", "±", "0.2", "%", "better"] for row in shown.rows)
    assert any(row.split() == ["normals", "+0.1", "±", "2.5", "%", "unclear"] for row in shown.rows)
    assert "worse than with networks of their own (measured): depth" in answer
    assert "tree B against shared: +2 points" in answer
    marks = [attributes.get("class") for attributes in shown.with_tag("g") if "mark" in attributes.get("class", "")]
    assert marks[:4] == ["mark separate", "mark shared", "mark", "mark random"]


def test_one_seed_shows_no_interval_and_announces_nothing(folder):
    a_comparison(seeds=(0,)).write(folder / "compare")
    shown = Page(report_page(RunFolder.open(folder)))
    assert any(row.split() == ["depth", "−4.0", "%", "unclear"] for row in shown.rows)
    assert "worse than with networks of their own" not in shown.text


def test_concerns_and_second_best_trees_are_those_of_the_search(folder):
    verdicts = (
        Verdict(about="stability", concern=True, text="not settled: search longer"),
        Verdict(about="learning", concern=False, text="every task has learned"),
    )
    margin = MarginRecord(
        budget=None, tree=TREE.id, runner_up=SHARED.partitions, gap=0.2, noise=0.4, block=1, decision="edge parts"
    )
    Diagnosis(verdicts=verdicts, margins=(margin,)).write(RunFolder(folder).trial(0).path)
    text = Page(report_page(RunFolder.open(folder))).text
    before, _, after = text.partition("Before you trust it")
    assert "is 0.2 behind, with a noise of 0.4 (toss-up): depth and normals part from edge at middle" in before
    assert after.startswith("\nnot settled: search longerworse than with networks of their own (estimated): edge")
    assert "every task has learned" in after


def test_costs_that_lack_operators_are_a_concern(folder):
    RunFolder(folder).trial(0).write_costs(TABLE, uncounted=("fft in block 2",))
    text = Page(report_page(RunFolder.open(folder))).text
    assert "MACs are incomplete, because these operators cannot be counted: fft in block 2" in text


def test_a_run_that_recommends_no_tree_says_why(folder):
    front = RunFolder(folder).front
    points = [point.model_copy(update={"withheld": "task depth has learned nothing"}) for point in front.points]
    make_front(points, "macs").write(folder / "front.json")
    text = Page(report_page(RunFolder.open(folder))).text
    assert "recommends no tree, since task depth has learned nothing" in text
    assert "Take tree" not in text


def test_the_strip_says_what_changes_from_tree_to_tree(folder):
    shown = Page(report_page(RunFolder.open(folder)))
    strip = shown.text[shown.text.index("From cheap to dear") : shown.text.index("Why tasks share")]
    assert "depth and normals share every block with edge in tree A, part at middle in tree B" in " ".join(
        strip.split()
    )
    # Middle and late have other groups, in the strip's second picture only.
    assert len([one for one in shown.with_tag("rect") if one.get("class") == "band"]) == 2


def test_the_heat_maps_and_the_trainings_are_those_of_the_record(folder, record):
    shown = Page(report_page(RunFolder.open(folder)))
    cells = [one["title"] for one in shown.with_tag("td") if "title" in one]
    # Depth gains 4 / 2 from normals in each block, and loses 6 / 2 by edge.
    gain, loss = (next(cell for cell in cells if cell.startswith(f"depth, sharing early with {s}")) for s in TASKS[1:])
    assert "normals: +2.0" in gain or "normals: +1.9" in gain
    assert "edge: -3.0" in loss or "edge: -2.9" in loss
    assert len(cells) == (len(BLOCKS) + 1) * len(TASKS) * (len(TASKS) - 1)
    rows = [row.split() for row in shown.rows]
    separate = next(row for row in rows if row[:3] == [SEPARATE.id, "separate", "networks"])
    assert separate[3:] == ["4", "+0.0", "+0.0", "+0.0", "+0.0"]
    assert sum(row.tree.id in {row[0] for row in rows if row} for row in record.trainings) == len(record.trainings)


@pytest.fixture
def hostile(tmp_path):
    table = CostTable(
        stem={"macs": 1},
        blocks=({"macs": 2}, {"macs": 3}),
        heads={task: {"macs": 1} for task in HOSTILE},
        block_names=("<b>early", "late</style>"),
    )
    trees = (BranchTree.from_choices(HOSTILE, choices) for choices in ([[0, 0, 0], [0, 0, 1]], [[0, 0, 0]] * 2))
    return a_front(tmp_path / "my run; rm -rf $HOME", trees, table)


def test_names_in_a_run_are_text_and_nothing_else(hostile):
    text = report_page(RunFolder.open(hostile))
    shown = Page(text)
    assert len(shown.with_tag("script")) == 1
    assert not shown.with_tag("img", "iframe", "object", "link", "base", "form", "b ")
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)
    assert HOSTILE[0] in shown.text
    assert "{{ 7 * 7 }}" in shown.text
    # A character that reorders the text behind it is replaced.
    assert "\u202e" not in text
    assert "\ufffdevil" in shown.text


def test_the_page_loads_nothing_and_only_its_own_script_may_run(hostile):
    text = report_page(RunFolder.open(hostile))
    shown = Page(text)
    (policy,) = (one["content"] for one in shown.with_tag("meta") if one.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"(https?:)?//[a-z]", text)
    assert {one["href"] for one in shown.with_tag("a")} == {"#trees"}
    assert not any("src" in attributes for _, attributes in shown.tags)
    ids = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_commands_are_quoted_for_a_shell(hostile):
    text = Page(report_page(RunFolder.open(hostile))).text
    (line,) = re.findall(r"nas retrain .*?(?=Copy)", text)
    words = shlex.split(line)
    assert words[:3] == ["nas", "retrain", str(hostile)]
    # The run was started from Python, so it has no recipe that would be found again.
    assert words[-2:] == ["--recipe", "RECIPE"]


@pytest.mark.slow
def test_two_hundred_trees_stay_below_three_megabytes(tmp_path):
    tasks, rng = [f"a long name of task {i}" for i in range(8)], np.random.default_rng(0)
    table = CostTable(
        stem={"macs": 10},
        blocks=tuple({"macs": 10 + l} for l in range(18)),
        heads={task: {"macs": 5} for task in tasks},
        block_names=tuple(f"block{l}" for l in range(18)),
    )
    trees = {}
    while len(trees) < 200:
        # Each task leaves the others at some block, or never.
        leaves = rng.integers(0, 22, len(tasks))
        choices = [[1 + t if l >= leave else 0 for t, leave in enumerate(leaves)] for l in range(18)]
        tree = BranchTree.from_choices(tasks, choices, table.block_names)
        trees[tree.id] = tree
    text = report_page(RunFolder.open(a_front(tmp_path / "run", trees.values(), table)))
    assert len(text.encode()) < 3_000_000
    shown = Page(text)
    assert len([one for one in shown.with_tag("g") if "data-tree" in one]) == 200
    assert len([one for one in shown.with_tag("article") if "data-card" in one]) == 200


def test_without_jinja_a_search_is_not_harmed_and_the_command_says_what_to_install(folder, monkeypatch, caplog, capsys):
    def missing():
        raise page.MissingJinja("reports need jinja2; install it with: pip install 'branched-nas[plot]'")

    monkeypatch.setattr(page, "_environment", missing)
    with caplog.at_level(logging.WARNING):
        try_report(RunFolder.open(folder))
    message = "reports need jinja2; install it with: pip install 'branched-nas[plot]'"
    assert caplog.messages == [f"no report written: {message}"]
    assert refused(capsys, "report", folder) == f"error: {message}"
    assert not (folder / "report.html").exists()


def test_the_command_writes_the_file_that_it_names(folder, tmp_path, capsys):
    assert run(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    first = (folder / "report.html").read_bytes()
    assert nas.write_report(folder, tmp_path / "other.html").read_bytes() == first


def test_what_cannot_be_reported_is_refused_in_one_line(folder, tmp_path, capsys):
    assert "no such run folder" in refused(capsys, "report", tmp_path / "none")
    assert "cannot write" in refused(capsys, "report", folder, "--out", tmp_path / "none" / "page.html")
    (folder / "trials" / "0" / "metrics.jsonl").write_text('{"entropy": [[0.1]], "epoch": 0, "expected_cost": 1.0}\n')
    assert "not the epochs of a search" in refused(capsys, "report", folder)
    (folder / "trials" / "0" / "metrics.jsonl").write_text("{\n")
    assert "not one JSON object a line" in refused(capsys, "report", folder)
    (folder / "front.json").unlink()
    assert "finish its search" in refused(capsys, "report", folder)


def test_a_wheel_has_the_templates(monkeypatch):
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    distribution = Distribution()
    distribution.parse_config_files([str(root / "setup.cfg")])
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    packed = {name for package, *_, names in command.data_files if package == "nas.report.html" for name in names}
    folder = root / "nas" / "report" / "html" / "templates"
    assert {Path(name).name for name in packed} == {path.name for path in folder.iterdir()}
    assert "page.html" in {path.name for path in folder.iterdir()}
