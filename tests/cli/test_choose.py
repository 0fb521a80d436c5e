"""The best measured tree under two conditions, from a run folder's files alone."""

import json
import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_digits import refused

import nas
from nas.cli.main import run
from nas.cost import LatencyTable, Timing
from nas.errors import InputError
from nas.run import Point, Quality, RunFolder, make_front
from nas.run.comparison import Comparison, Row
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.tree import BranchTree, CostTable

TASKS = ("depth", "edge", "parts")
TABLE = CostTable(
    stem={"macs": 10, "params": 1},
    blocks=({"macs": 40, "params": 1}, {"macs": 30, "params": 8}),
    heads={task: {"macs": 10, "params": 1} for task in TASKS},
    block_names=("early", "late"),
)
EARLY, LATE = (BranchTree.from_choices(TASKS, choices) for choices in ([[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 1]]))
SHARED = BranchTree.shared(TASKS, 2)  # 110 macs of 270, LATE 140, EARLY 180


def row(name, kind, tree, relative):
    means = {task: statistics.fmean(values) for task, values in relative.items()}
    by_seed = [statistics.fmean(values) for values in zip(*relative.values(), strict=True)]
    cost = TABLE.tree_cost(tree)
    metrics = {task: {"loss": 1.0, "rmse": 1.0} for task in TASKS}
    return Row(name, kind, cost, 0.5, statistics.fmean(means.values()), 1.5, 2, metrics, by_seed, relative)


def measured_run(path, rows, constraints=None):
    run = RunFolder(path)
    run.trial(0).make()
    run.trial(0).write_costs(TABLE)
    points = [
        Point(
            tree=str(run.trial(0).write_tree(tree).relative_to(path)),
            trial=0,
            seed=0,
            budget=0.9,
            cost=TABLE.tree_cost(tree),
            quality=Quality(value=-1.0, measure="m", kind="estimated"),
        )
        for tree in (EARLY, LATE)
    ]
    make_front(points, "macs").write(path / "front.json")
    experiment = {"goal": {"constraints": constraints or {}}}
    record = {"schema_version": 1, "recipe": None, "overrides": {}, "experiment": experiment}
    (path / "experiment.json").write_text(json.dumps(record))
    if rows is not None:
        Comparison("macs", [0, 1], rows).write(path / "compare")
    return path


def relative(depth, edge, parts):
    """Two seeds, one point to either side."""
    return {"depth": [depth - 1, depth + 1], "edge": [edge + 1, edge - 1], "parts": [parts, parts]}


ROWS = [
    row("single tasks", "single", BranchTree.separate(TASKS, 2), relative(0, 0, 0)),
    row("shared", "shared", SHARED, relative(30, -20, 5)),
    row(LATE.id, "found", LATE, relative(9, -6, 6)),
    row(f"random beside {LATE.id}", "random", LATE, relative(90, 90, 90)),
    row(EARLY.id, "found", EARLY, relative(2, -1, 2)),
]


@pytest.fixture
def folder(tmp_path):
    return measured_run(tmp_path / "run", ROWS)


@pytest.mark.parametrize(
    ("conditions", "name"),
    [
        ({}, "shared"),  # the highest delta_m of all
        ({"worst": 20}, "shared"),
        ({"worst": 19.9}, LATE.id),
        ({"worst": 6, "within": 140}, LATE.id),
        ({"worst": 5}, EARLY.id),
        ({"worst": 6, "within": 0.99}, LATE.id),
        ({"within": 0.41}, "shared"),
        ({"worst": 6, "within": 21, "resource": "params"}, LATE.id),
    ],
)
def test_the_best_tree_that_keeps_both_conditions(folder, conditions, name):
    choice = nas.choose(folder, **conditions)
    assert choice.name == name
    assert choice.tree == {"shared": SHARED, LATE.id: LATE, EARLY.id: EARLY}[name]
    assert choice.tree.cost == TABLE.tree_cost(choice.tree)
    assert choice.delta_m == pytest.approx(statistics.fmean(choice.relative.values()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=3, max_size=3),
    st.sampled_from([110, 140, 180, 270]),
    st.integers(0, 9),
)
def test_it_is_the_definition(tmp_path, values, within, worst):
    trees = dict(zip(("shared", LATE.id, EARLY.id), (SHARED, LATE, EARLY), strict=True))
    kinds = ("shared", "found", "found")
    rows = [
        row(name, kind, trees[name], {task: [value, value] for task, value in zip(TASKS, chosen, strict=True)})
        for name, kind, chosen in zip(trees, kinds, values, strict=True)
    ]
    folder = measured_run(tmp_path / "run", rows)
    fitting = [r for r in rows if r.cost["macs"] <= within and all(v[0] >= -worst for v in r.relative.values())]
    if fitting:
        choice = nas.choose(folder, within=within, worst=worst)
        best = max(r.delta_m for r in fitting)
        assert choice.delta_m == best
        assert choice.cost == min(r.cost["macs"] for r in fitting if r.delta_m == best)
    else:
        with pytest.raises(InputError, match="the closest is"):
            nas.choose(folder, within=within, worst=worst)


def test_what_comes_closest_is_named(folder):
    with pytest.raises(InputError) as error:
        nas.choose(folder, within=140, worst=2)
    text = str(error.value)
    assert "no measured tree within the budget has every task at -2 % or better" in text
    assert (
        f"the closest is tree {LATE.id}: 140 MACs, measured delta_m +3.00 ± 0.00 % over 2 trainings, "
        "worst task edge -6.00 %"
    ) in text
    assert f"beyond the budget there is tree {EARLY.id}: 180 MACs" in text


def test_constraints_that_forbid_the_shared_tree_take_it_out(tmp_path):
    folder = measured_run(tmp_path / "run", ROWS, {"apart": [{"tasks": ["depth", "parts"], "from_block": 1}]})
    assert nas.choose(folder).name == LATE.id
    with pytest.raises(InputError, match=f"costs at most 120 MACs; the cheapest is tree {LATE.id}"):
        nas.choose(folder, within=120)


def test_show_prints_the_choice_and_draws_it(folder, tmp_path, capsys):
    drawing = tmp_path / "tree.dot"
    assert run(["show", str(folder), "--within", "140", "--worst", "6", "--out", str(drawing)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"tree {LATE.id}: 140 MACs, measured delta_m +3.00")
    assert lines[2].startswith("stem")
    assert drawing.is_file()
    assert run(["show", str(folder), "--within", "140", "--worst", "6", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["name"], BranchTree.from_dict(printed["tree"])) == (LATE.id, LATE)
    assert printed["relative"]["edge"] == -6.0


def test_what_cannot_be_answered_is_refused_in_one_line(folder, tmp_path, capsys):
    assert "smallest feasible budget" in refused(capsys, "show", folder, "--within", "0.2")
    assert "--worst is how many percent" in refused(capsys, "show", folder, "--worst=-3")
    assert "leave one of them out" in refused(capsys, "show", folder, "--worst", "3", "--tree", LATE.id)
    assert "--resource is what --within counts" in refused(capsys, "show", folder, "--resource", "params")
    assert "'joules'" in refused(capsys, "show", folder, "--within", "0.9", "--resource", "joules")
    fresh = measured_run(tmp_path / "fresh", None)
    assert f"run: nas compare {fresh}" in refused(capsys, "show", fresh, "--within", "0.9")
    record = json.loads((folder / "compare" / "results.json").read_text())
    for line in record["rows"]:
        del line["relative"]
    (folder / "compare" / "results.json").write_text(json.dumps(record))
    assert "run nas compare again, which repeats no training" in refused(capsys, "show", folder, "--worst", "3")
    (folder / "compare" / "results.json").write_text('{"schema_version": 1, "rows": 3}')
    assert "not the result of a comparison" in refused(capsys, "show", folder, "--worst", "3")


def latencies(blocks, input_shape=(3, 8, 8)):
    def part(ms):
        return Timing(median=ms, low=ms, high=ms)

    return LatencyTable(
        device="cpu",
        num_threads=1,
        batch_size=1,
        input_shape=input_shape,
        stem=part(1.0),
        blocks=tuple(part(ms) for ms in blocks),
        heads={task: part(0.5) for task in (*TASKS, "another")},
    )


def test_a_run_searched_by_macs_answers_in_milliseconds_of_a_latency_table(folder, tmp_path, capsys):
    """LATE takes 1 + 2 + 2 x 9 + 1.5 ms, EARLY 24.5 ms, the shared tree 13.5 ms."""
    path = tmp_path / "latency.json"
    latencies((2.0, 9.0)).write(path)
    choice = nas.choose(folder, within=23, worst=6, latency=path)
    assert (choice.name, choice.resource, choice.cost) == (LATE.id, "ms", 22.5)
    assert choice.tree.cost == {**TABLE.tree_cost(LATE), "ms": 22.5}
    assert nas.choose(folder, within=140, worst=6, resource="macs", latency=path).resource == "macs"
    assert run(["show", str(folder), "--within", "24", "--worst", "5", "--latency", str(path)]) == 2
    assert "beyond the budget there is" in capsys.readouterr().err
    assert run(["show", str(folder), "--tree", LATE.id, "--latency", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost"]["ms"] == 22.5
    assert run(["show", str(folder), "--within", "23", "--latency", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == ["milliseconds of eager on cpu, 1 thread, batches of 1", ""]
    assert nas.show(folder, tree=LATE.id, latency=path).text.startswith("milliseconds of eager on cpu, 1 thread")
    line = refused(capsys, "show", folder, "--within", "23", "--resource", "ms")
    assert "measure a latency table with nas profile RECIPE --latency FILE, and name it with --latency FILE" in line
    latencies((2.0, 9.0, 1.0)).write(path)
    line = refused(capsys, "show", folder, "--within", "23", "--latency", path)
    assert f"latency {path}: is for 3 blocks" in line
    tree_file = next(folder.glob("trials/0/trees/*.json"))
    assert "is not a run folder" in refused(capsys, "show", tree_file, "--latency", path)


def test_show_tells_the_concerns_and_the_quality_of_a_tree(folder, capsys):
    text = "not settled: 3 of 6 choices changed in the last epoch; search longer (strategy.epochs)"
    margin = Verdict(about="margin", concern=True, text="the second-best tree is 0.1 behind, noise 0.1; and so on")
    long, old = Verdict(about="stability", concern=True, text=text, line="not settled"), "no gain, it seems"
    Diagnosis(
        verdicts=(
            *(long, margin, Verdict(about="cost", concern=False, text="within the target")),
            # A run of an earlier version has no line.
            Verdict(about="sharing", concern=True, text=old),
        )
    ).write(folder / "trials" / "0")
    front = RunFolder(folder).front
    points = [
        point.model_copy(
            update={
                "quality": Quality(value=-2.5, measure="minus loss", kind="measured"),
                "estimate": Quality(value=-0.1234, measure="minus distance", kind="estimated", std=0.0211),
                "confidence": 0.8,
            }
        )
        for point in front.points
    ]
    make_front(points, "macs").write(folder / "front.json")
    assert run(["show", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "estimate -0.12 ± 0.02: minus distance; higher is better",
        "measured -2.5000: minus loss; higher is better",
        "grade likely: better than the second-best tree with probability 0.80, by the estimate",
        "! not settled",
        f"! {old}",
        f"nas explain {folder} says more",
    ]
    # The shared tree is no trial's.
    assert run(["show", str(folder), "--within", "0.41"]) == 0
    assert "not settled" not in capsys.readouterr().out
