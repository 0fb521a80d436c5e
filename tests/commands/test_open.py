"""`nas.open`: the results of a run show themselves, without the recipe, and give DataFrames."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from measured_runs import SHARED, TABLE, TASKS, TREE, a_measured_run, measured

import nas
from nas.display import Displayed, html_table
from nas.errors import InputError
from nas.files import write_json_atomically
from nas.run.comparison import Comparison, Row
from nas.strategies.similarity.dissimilarity import Dissimilarity
from nas.tree import BranchTree

ROOT = Path(__file__).parents[2]
_, RECORD = measured()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A measured run with a comparison and the dissimilarities of own copies, as if its strategy had had both."""
    folder = a_measured_run(tmp_path_factory.mktemp("opened") / "run", RECORD, (TREE, SHARED))
    apart_LTT = np.where(np.eye(3, dtype=bool), 0.0, 0.5)[None].repeat(3, axis=0)
    measured_apart = Dissimilarity(TASKS, "r2 of features", apart_LTT, apart_LTT / 5)
    write_json_atomically(folder / "trials/0/similarity.json", measured_apart.to_dict())
    relative = {task: [1.0, 3.0] for task in TASKS}
    row = Row(TREE.id, "found", {"macs": 200}, 0.5, 2.0, 0.1, 2, {task: {"loss": 1.0} for task in TASKS}, [1.0, 3.0])
    rows = [Row(**{**row.__dict__, "relative": relative})]
    Comparison("macs", [0, 1], rows, (), TASKS).write(folder / "compare")
    return nas.open(folder)


def texts(svg):
    return {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}


def test_a_run_is_a_few_words_and_draws_its_front(run):
    assert TREE.id in repr(run)
    assert repr(run) == str(run)
    assert len(repr(run)) < 300
    assert {TREE.id, SHARED.id} <= texts(run._repr_svg_())
    assert run._repr_html_().startswith("<svg")
    assert list(run.trees.values()) == [run.find_tree(point.tree_id) for point in run.front.points]
    frame = run.to_frame()
    assert list(frame["tree"]) == [point.tree_id for point in run.front.points]
    assert list(frame["macs"]) == [point.cost["macs"] for point in run.front.points]


def test_results_have_one_line_in_a_shell_and_all_lines_in_a_frame(run):
    results = {
        "front": (run.front, 2, True),
        "cost table": (run.cost_table, 1 + 3 + 3, False),
        "dissimilarity": (run.dissimilarity, 3, False),
        # Three blocks and all of them together, for each ordered pair of tasks.
        "transfer map": (run.transfer_map, 4 * 6, True),
        "comparison": (run.comparison, 1, False),
        "tree": (run.find_tree(TREE.id), sum(TREE.num_groups), True),
        "explanation": (nas.explain(run.path), 3 + 3, True),
        "shown": (nas.show(run.path), sum(run.find_tree().num_groups), True),
    }
    for name, (result, num_lines, has_picture) in results.items():
        assert isinstance(result, Displayed), name
        assert repr(result).count("\n") == 0, name
        assert len(repr(result)) < 300, name
        assert len(result.to_frame()) == num_lines, name
        assert (result._repr_svg_() is not None) == has_picture, name
        assert "<svg" in result._repr_html_() or "<table" in result._repr_html_(), name
    assert run.curve is None
    assert run.trained == []


def test_values_of_frames_are_those_of_the_results(run):
    gain = run.transfer_map.panels[0].gains_TT[0][1]
    first = run.transfer_map.to_frame().iloc[0]
    assert (first["task"], first["with"], first["mean"]) == (TASKS[0], TASKS[1], gain.mean)
    assert run.cost_table.to_frame().set_index("part").loc["early", "macs"] == 40
    assert list(run.comparison.to_frame()[TASKS[0]]) == [2.0]
    assert run.dissimilarity.to_frame()["block 0"].tolist() == pytest.approx([0.4] * 3)
    assert run.cost_table == TABLE


def test_a_tree_is_drawn_without_torch_and_without_a_run():
    code = """
import sys
sys.modules["torch"] = None
from nas.tree import BranchTree
tree = BranchTree.from_choices(["a", "b", "c"], [[0, 0, 0], [0, 0, 1]])
print(tree)
print(tree._repr_html_()[:4], len(tree.to_frame()))
sys.modules["matplotlib"] = None
for name in [name for name in sys.modules if name.startswith("nas.report")]:
    del sys.modules[name]
print(tree._repr_svg_(), tree._repr_html_()[:6])
sys.modules["pandas"] = None
try:
    tree.to_frame()
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    shown, drawn, plain, error = done.stdout.splitlines()
    assert shown.startswith("BranchTree(")
    assert "3 tasks, 1-2 groups" in shown
    assert drawn == "<svg 3"
    assert plain == "None <table"
    assert error == "to_frame needs pandas; install it with: pip install 'branched-nas[notebook]'"


def test_names_in_tables_and_pictures_are_text():
    tree = BranchTree.shared(["<script>alert(1)</script>", "b"], 1)
    assert "<script" not in tree._repr_svg_()
    assert "<script" not in html_table(tree.records())
    assert "&lt;script&gt;" in html_table(tree.records())


def test_a_table_shows_what_differs_and_says_the_rest_below():
    lines = [{"tree": f"t{i}", "kind": "estimated", "std": None, "ok": False, "macs": 10_000 * i} for i in range(25)]
    table = html_table(lines)
    assert table.count("<tr>") == 1 + 20
    assert "<th>kind" not in table
    assert table.endswith("<p>kind: estimated</p><p>5 more lines: .to_frame()</p>")
    assert "<td>190,000</td>" in table
    assert "std" not in table


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such run folder"):
        nas.open(tmp_path / "none")
    with pytest.raises(InputError, match="it has no experiment"):
        nas.open(tmp_path)


def test_reports_are_typed_and_their_plain_data_keep_names_and_order():
    recipe = ROOT / "runs" / "digits.py"
    report = nas.profile(recipe, changes={"num_threads": 1})
    plain = report.to_dict()
    fields = ["input_shape", "stem", "blocks", "heads", "single", "shared", "separate", "unsupported", "uncounted"]
    assert list(plain) == fields
    assert plain["blocks"][0]["name"] == "block0"
    assert list(plain["stem"]) == ["macs", "params", "macs_by_operator", "activation_bytes"]
    assert report.separate.amounts["macs"] == plain["separate"]["macs"] > report.shared.amounts["macs"]
    small = {"data.num_train": 64, "data.num_architecture": 32, "data.num_validation": 32, "data.num_test": 32}
    checked = nas.check(recipe, changes={**small, "num_threads": 1, "strategy.candidates": "plain"})
    fields = [
        "tasks",
        "samples",
        "labels",
        "uncounted",
        "losses",
        "warnings",
        "seconds",
        "memory_bytes",
        "disk_bytes",
        "budgets",
        "latency",
    ]
    assert list(checked.to_dict()) == fields
    described = checked.to_dict()["labels"]["train"]["left"]
    assert list(described) == ["coverage", "known", "min", "max", "balance", "chance"]
    assert list(checked.to_dict()["tasks"]["left"]) == ["num_outputs", "loss", "metrics", "labels", "dense"]
    assert len(checked.to_frame()) == 4 * 6
