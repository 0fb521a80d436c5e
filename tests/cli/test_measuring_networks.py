"""Latencies as a resource, exports that are evaluated, and comparisons that have to be safe."""

import json

import pytest
from small_digits import RECIPE, changes, refused

from nas.cli.main import run

BACKBONE = {"backbone__widths": [8, 16, 24], "backbone__strided": [2]}
"""Of three blocks, so that its networks are exported in half the time."""


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("measured") / "run"
    assert run(["search", RECIPE, "--out", str(path), *changes(goal__budgets=[0.5], **BACKBONE)]) == 0
    return path


@pytest.fixture(scope="module")
def compared(a_run):
    assert run(["compare", str(a_run), "--set", "compare.random_trees=0"]) == 0
    return a_run


def json_of(capsys, *arguments: object):
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_latencies_are_measured_and_a_search_keeps_a_budget_in_them(tmp_path, capsys):
    table = tmp_path / "latency.json"
    small = changes(num_threads=1)
    report = json_of(capsys, "profile", RECIPE, "--latency", table, "--rounds", "3", "--batch", "2", *small)
    networks = report["latency"]["networks"]
    assert networks["separate"]["runtimes"]["eager"]["share"] == 1.0
    assert networks["separate"]["macs_share"] == networks["separate"]["parts_share"] == 1.0
    for network in networks.values():
        timing = network["runtimes"]["eager"]
        assert 0 < timing["low"] <= timing["median"] <= timing["high"]
        assert timing["throughput"] == pytest.approx(2e3 / timing["median"])
    parts = json.loads(table.read_text())
    assert parts["batch_size"] == 2
    # A tree's latency is the sum of its parts', here that of the shared tree.
    total = parts["stem"]["median"] + sum(part["median"] for part in [*parts["blocks"], *parts["heads"].values()])
    assert networks["shared"]["parts_ms"] == pytest.approx(total)

    budget = 0.8 * networks["separate"]["parts_ms"]
    ms = changes(goal__resource="ms", latency=table, goal__budgets=[0.8])
    assert run(["check", RECIPE, *ms]) == 0
    assert "\nmilliseconds of eager on cpu, 1 thread, batches of 2\n" in capsys.readouterr().out
    assert run(["search", RECIPE, "--out", str(tmp_path / "run"), *ms, "--json"]) == 0
    printed = capsys.readouterr()
    assert "milliseconds of eager on cpu, 1 thread, batches of 2\n" in printed.err
    found = json.loads(printed.out)
    assert found["resource"] == "ms"
    assert all(point["cost"]["ms"] <= budget for point in found["points"])


def test_latencies_are_printed_with_throughput(capsys, tmp_path):
    arguments = ["--rounds", "2", "--batch", "4", *changes(num_threads=1)]
    assert run(["profile", RECIPE, "--latency", str(tmp_path / "latency.json"), *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.count("/s, ") == 8, "of six tasks alone, the shared and the separate networks"
    assert "e+" not in printed
    assert "batch of 4, cpu, 1 thread;" in printed
    assert "samples a second" in printed
    assert "sum of parts: eager on cpu, 1 thread, batches of 4, and its error" in " ".join(printed.split())
    assert printed.count(" %)") == 8, "the error of each sum"


def test_a_latency_table_that_is_missing_broken_or_of_other_inputs_is_refused(tmp_path, capsys):
    assert "nas profile RECIPE --latency" in refused(
        capsys, "search", RECIPE, "--out", tmp_path / "a", *changes(goal__resource="ms")
    )
    broken = tmp_path / "broken.json"
    broken.write_text('{"schema_version": 1}')
    said = refused(capsys, "search", RECIPE, "--out", tmp_path / "a", *changes(goal__resource="ms", latency=broken))
    assert "broken.json: not a latency table" in said
    table = tmp_path / "latency.json"
    assert run(["profile", RECIPE, "--latency", str(table), "--rounds", "2", *changes()]) == 0
    record = json.loads(table.read_text())
    record["input_shape"] = [1, 24, 40]
    table.write_text(json.dumps(record))
    said = refused(capsys, "search", RECIPE, "--out", tmp_path / "a", *changes(goal__resource="ms", latency=table))
    assert "[1, 24, 40]" in said
    assert not (tmp_path / "a").exists()
    for option, value in {"--runtime": "onnxruntime", "--batch": 2, "--rounds": 3}.items():
        said = refused(capsys, "profile", RECIPE, option, value, *changes())
        assert f"{option} is for measured latencies; add --latency FILE, or leave it out" in said
    assert "no runtimes ['tensorrt']" in refused(
        capsys, "profile", RECIPE, "--latency", table, "--runtime", "tensorrt", *changes()
    )


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "bundle"])
def test_an_export_measures_as_the_network_it_was_made_of(compared, tmp_path, capsys, name):
    tree = json.loads((compared / "front.json").read_text())["points"][0]["tree"].split("/")[-1].removesuffix(".json")
    form = {"model.onnx": "onnx", "model.pt2": "pt2", "bundle": "bundle"}[name]
    out = tmp_path / name
    assert run(["export", str(compared), "--tree", tree, "--format", form, "--out", str(out)]) == 0
    eager = json_of(capsys, "evaluate", compared, "--tree", tree)
    exported = json_of(capsys, "evaluate", compared, "--checkpoint", out)
    assert exported["tree"] == eager["tree"] == tree
    assert exported["costs"] == eager["costs"]
    for task, values in eager["measured"].items():
        # The export's own tolerance on outputs, to which a loss of order one is as sensitive.
        assert exported["measured"][task]["loss"] == pytest.approx(values["loss"], rel=1e-3)
    # Against the single-task networks that the comparison has trained.
    assert set(eager["relative"]) == set(eager["measured"])


def test_an_export_that_takes_bytes_measures_alike_and_one_that_gives_answers_is_refused(compared, tmp_path, capsys):
    name = first_tree(compared)
    export = ["export", str(compared), "--tree", name, "--format", "pt2", "--out"]
    assert run([*export, str(tmp_path / "bytes.pt2"), "--preprocess"]) == 0
    eager = json_of(capsys, "evaluate", compared, "--tree", name)
    exported = json_of(capsys, "evaluate", compared, "--checkpoint", tmp_path / "bytes.pt2")
    for task, values in eager["measured"].items():
        # Half of 1/255 is what rounding changes a pixel by.
        assert exported["measured"][task]["loss"] == pytest.approx(values["loss"], rel=1e-2)
    assert run([*export, str(tmp_path / "answers.pt2"), "--postprocess", "--tasks", "left"]) == 0
    line = refused(capsys, "evaluate", compared, "--checkpoint", tmp_path / "answers.pt2")
    assert "so it cannot be evaluated; export again with postprocess=False" in line
    line = refused(capsys, "evaluate", compared, "--checkpoint", tmp_path / "missing.safetensors")
    assert line.endswith("missing.safetensors: no such checkpoint or exported network")


def test_costs_of_a_task_are_its_own_path_and_of_all_the_tree(compared, capsys):
    evaluation = json_of(capsys, "evaluate", compared, "--tree", first_tree(compared))
    front = json.loads((compared / "front.json").read_text())
    point = next(point for point in front["points"] if point["tree"].endswith(f"{evaluation['tree']}.json"))
    assert evaluation["costs"]["all"] == point["cost"]
    single = json_of(capsys, "profile", RECIPE, *changes(**BACKBONE))["single"]
    for task, cost in single.items():
        assert evaluation["costs"][task]["macs"] == cost["macs"]


def test_a_comparison_fails_when_a_task_is_much_worse_than_alone(compared, capsys):
    # Networks of one epoch are so far from each other that some task is worse, and none a million percent.
    results = json.loads((compared / "compare" / "results.json").read_text())
    tree = json.loads((compared / "front.json").read_text())
    best = next(point["tree"] for point in tree["points"] if point["recommended"]).split("/")[-1].removesuffix(".json")
    row = next(row for row in results["rows"] if row["name"] == best)
    # The gain of a task is unknown if its metric is 0 alone.
    relative = {task: gains for task, gains in row["relative"].items() if gains[0] is not None}
    worst = min(relative, key=lambda task: relative[task][0])
    again = ["compare", str(compared), "--set", "compare.random_trees=0", "--require-safe"]
    assert run([*again, "1000000"]) == 0
    capsys.readouterr()
    if relative[worst][0] < 0:
        assert run([*again, "0"]) == 1
        said = capsys.readouterr()
        assert f"tree {best} is not safe" in said.err
        assert worst in said.err
        assert "--resume" not in said.err, "which compare does not have"
        assert "delta_m" in said.out
    assert "0 or more" in refused(capsys, *again, "-1")


def first_tree(path):
    return json.loads((path / "front.json").read_text())["points"][0]["tree"].split("/")[-1].removesuffix(".json")
