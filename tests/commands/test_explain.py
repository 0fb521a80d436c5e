"""Why tasks share or part: numbers and sentences from a trial's files, and through the command line."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from measured_runs import BLOCKS, TABLE, TASKS
from scipy.special import ndtr
from small_digits import refused
from small_search import RECIPE, searched

import nas
from nas.cli.main import run
from nas.run import Point, Quality, RunFolder, make_front
from nas.run.evidence import certainty
from nas.strategies.diagnosis import Diagnosis, MarginRecord
from nas.strategies.gradient.logits_record import write_logits
from nas.strategies.similarity import Dissimilarity
from nas.tree import BranchTree, CostTable

SEPARATE = 3 * 110
TREE = BranchTree.from_choices(TASKS, [[0, 0, 0], [0, 0, 1], [0, 0, 1]])
# The distances of depth and normals, normals and edge, depth and edge, by block; the floor is 0.2, the error 0.05.
DISTANCE = {(0, 1): (0.2, 0.22, 0.46), (1, 2): (0.22, 0.28, 0.6), (0, 2): (0.2, 0.1, 0.4)}


def symmetric(by_pair):
    array_LTT = np.zeros((3, 3, 3))
    for (s, t), values in by_pair.items():
        array_LTT[:, s, t] = array_LTT[:, t, s] = values
    return array_LTT


def a_run(path, tree=TREE, copies=2):
    """A finished similarity search with these dissimilarities."""
    made = RunFolder(path)
    trial = made.trial(0)
    trial.make()
    trial.write_costs(TABLE)
    costed = tree.with_cost(TABLE)
    quality = Quality(value=-1.0, measure="m", kind="estimated")
    file = str(trial.write_tree(costed).relative_to(path))
    make_front([Point(tree=file, trial=0, seed=0, budget=None, cost=costed.cost, quality=quality)], "macs").write(
        path / "front.json"
    )
    record = {"schema_version": 1, "recipe": None, "overrides": {}, "experiment": {"goal": {}}}
    (path / "experiment.json").write_text(json.dumps(record))
    constant = symmetric(dict.fromkeys(DISTANCE, (1.0, 1.0, 1.0)))
    floor, error = (0.2, 0.05 * constant) if copies > 1 else (0.0, None)
    measured = Dissimilarity(TASKS, "r2 of features", symmetric(DISTANCE), floor * constant, error)
    trial.store.write("similarity", measured.to_dict())
    return path


def sentences(explained, source="similarity"):
    (section,) = (section for section in explained.evidence if section.source == source)
    return {pair.tasks: pair.sentence for pair in section.pairs}


def test_a_sentence_says_what_is_shared_the_distance_at_the_parting_block_and_the_price(tmp_path):
    found = sentences(nas.explain(a_run(tmp_path)))
    # 20 + 30 of 330 MACs; 0.28 of 0.2 is 1.6 errors above the floor.
    assert found["normals", "edge"] == (
        "normals and edge share up to early; at middle their features differ by 1.4 times the noise floor (likely), "
        "and separating them costs 15 % of separate networks"
    )
    # 0.1 is two errors below it.
    assert "at middle their features differ by 0.5 times the noise floor (certain below it)" in found["depth", "edge"]
    # All shared: the block with the largest excess, 0.46 of 0.2; 30 of 330 MACs.
    assert found["depth", "normals"] == (
        "depth and normals share every block; at late their features differ by 2.3 times the noise floor (certain), "
        "and separating them from there on would cost 9.1 % of separate networks"
    )


def test_tasks_that_share_only_the_stem(tmp_path):
    found = sentences(nas.explain(a_run(tmp_path, BranchTree.separate(TASKS, 3)), tasks=["depth", "edge"]))
    assert list(found) == [("depth", "edge")]
    assert found["depth", "edge"].startswith("depth and edge share only the stem; at early their features differ by 1 ")


def test_the_rows_have_the_numbers_of_every_block(tmp_path):
    (section,) = nas.explain(a_run(tmp_path), tasks=["edge", "normals"]).evidence
    (pair,) = section.pairs
    assert pair.tasks == ("edge", "normals")
    assert [row["block"] for row in pair.rows] == list(BLOCKS)
    assert [row["shared"] for row in pair.rows] == [True, False, False]
    # The differences of binary fractions near 0.2, 0.3 and 0.6 are off by a few units in the last place.
    assert [row["excess"] for row in pair.rows] == pytest.approx([0.02, 0.08, 0.4], rel=1e-12)
    assert [row["error"] for row in pair.rows] == [0.05] * 3


def test_with_one_copy_there_is_no_floor_to_compare_with(tmp_path):
    (section,) = nas.explain(a_run(tmp_path, copies=1), tasks=["normals", "edge"]).evidence
    assert "differ by 0.28 (one copy of each task has no noise floor)" in section.pairs[0].sentence
    assert "error" not in section.pairs[0].rows[0]


@given(st.floats(-1, 1), st.floats(0, 1))
def test_certain_is_what_chance_explains_once_in_twenty_times(excess, error):
    word = certainty(excess, error)
    assert (word == "certain") == (excess > 0 and (error == 0 or ndtr(excess / error) >= 0.95))
    assert word != "certain" or certainty(-excess, error) == "certain below it"


@pytest.mark.parametrize("l", range(3))
def test_the_price_is_what_the_separated_tree_costs_more(tmp_path, l):
    parted = BranchTree.from_choices(TASKS, [[0, 0, 0 if m < l else 1] for m in range(3)])
    (section,) = nas.explain(a_run(tmp_path, parted), tasks=["depth", "edge"]).evidence
    more = TABLE.tree_cost(parted)["macs"] - TABLE.tree_cost(BranchTree.shared(TASKS, 3))["macs"]
    assert section.pairs[0].rows[l]["price"] == more / SEPARATE


def test_logits_say_how_probably_two_tasks_choose_the_same_candidate(tmp_path):
    folder = a_run(tmp_path)
    (folder / "trials/0/similarity.json").unlink()
    logits_LTC = torch.zeros(3, 3, 2)
    # Probabilities 0.9 and 0.1; edge has them the other way round.
    logits_LTC[1] = math.log(9) * torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    write_logits(RunFolder(folder).trial(0).store, TASKS, logits_LTC)
    found = sentences(nas.explain(folder), "logits")
    assert "at middle they choose the same candidate with probability 0.18 (chance 0.50)" in found["depth", "edge"]
    (section,) = nas.explain(folder, tasks=["depth", "edge"]).evidence
    # The logarithm of 9 is rounded to single precision, about 1e-7.
    assert [row["together"] for row in section.pairs[0].rows] == pytest.approx([0.5, 0.09, 0.045], rel=1e-6)


@pytest.mark.parametrize(
    ("gap", "noise", "words"),
    [
        (0.3, 0.1, "is 0.3 behind, with a noise of 0.1 (certain)"),
        (0.1, 0.1, "is 0.1 behind, with a noise of 0.1 (likely)"),
        (0.1, None, "is 0.1 behind"),
        (0.0, 0.1, "is as good"),
    ],
)
def test_the_second_best_tree_differs_in_words_and_by_a_number(tmp_path, gap, noise, words):
    folder = a_run(tmp_path)
    shared = BranchTree.shared(TASKS, 3)
    margin = {"runner_up": shared.partitions, "gap": gap, "noise": noise, "block": 1, "decision": "edge parts"}
    margins = [
        MarginRecord(budget=budget, tree=tree, **margin)
        for budget, tree in ((0.8, TREE.id), (0.9, TREE.id), (0.8, "ab12"))
    ]
    Diagnosis(margins=tuple(margins)).write(folder / "trials/0")
    (runner_up,) = nas.explain(folder).runners_up
    assert runner_up.sentence == (
        f"within budget 0.8 and budget 0.9 the second-best tree {words}: depth and normals part from edge at middle in "
        "the first tree, share every block in the second (the first is this tree)"
    )


def test_another_tree_is_explained_by_the_same_search(tmp_path):
    explained = nas.explain(a_run(tmp_path), tree="separate")
    assert {pair.num_shared for pair in explained.pairs} == {0}
    assert explained.runners_up == ()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    recipe = folder / "recipe.py"
    recipe.write_text(RECIPE)
    return {name: searched(folder / name, recipe, strategy=name).path for name in ("similarity", "gradient")}


@pytest.mark.parametrize(("strategy", "source"), [("similarity", "similarity"), ("gradient", "logits")])
def test_the_command_prints_every_pair_or_the_blocks_of_some(finished, strategy, source, capsys):
    folder = finished[strategy]
    # A tree that is neither the cheapest nor the only one of its cost.
    (tree,) = (point.tree_id for point in RunFolder(folder).front.points if point.budget == 0.6)
    command = ["explain", str(folder), "--tree", tree]
    assert run([*command, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    (section,) = record["evidence"]
    assert section["source"] == source
    assert len(section["pairs"]) == len(record["pairs"]) == 6
    assert record["runners_up"]
    assert run(command) == 0
    every = capsys.readouterr().out
    assert all(", ".join(pair["tasks"]) in every for pair in record["pairs"])
    assert record["runners_up"][0]["sentence"] in every
    assert run([*command, "--tasks", "t0", "t2"]) == 0
    one = capsys.readouterr().out
    (pair,) = (pair for pair in section["pairs"] if pair["tasks"] == ["t0", "t2"])
    assert pair["sentence"] in one
    assert all(row["block"] in one for row in pair["rows"])


def test_a_search_that_keeps_no_evidence_says_so(tmp_path, capsys):
    folder = a_run(tmp_path)
    (folder / "trials/0/similarity.json").unlink()
    assert run(["explain", str(folder)]) == 0
    assert "kept neither dissimilarities nor logits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tasks", "depth", "normal"], "--tasks: there is no task 'normal'; did you mean 'normals'?"),
        (["--tasks", "depth"], "--tasks names two or more different tasks; found depth"),
        (["--tasks", "depth,depth"], "found depth, depth"),
        (["depth"], "unexpected argument 'depth'"),
        (["--tree", "99"], "no tree '99'"),
    ],
)
def test_bad_input_is_refused(tmp_path, arguments, words, capsys):
    assert words in refused(capsys, "explain", a_run(tmp_path), *arguments)


def test_one_task_or_costs_of_another_network_are_refused(tmp_path, capsys):
    folder = a_run(tmp_path / "run")
    one = BranchTree.shared(TASKS[:1], 3)
    (tmp_path / "one.json").write_text(json.dumps(one.to_dict()))
    assert "two or more different tasks; found depth" in refused(
        capsys, "explain", folder, "--tree", tmp_path / "one.json"
    )
    other = CostTable(TABLE.stem, TABLE.blocks[:2], TABLE.heads, BLOCKS[:2])
    RunFolder(folder).trial(0).write_costs(other)
    assert "lacks tasks or blocks" in refused(capsys, "explain", folder)


def test_malformed_files_and_unfinished_searches_are_refused(tmp_path, capsys):
    folder = a_run(tmp_path / "run")
    (folder / "trials/0/similarity.json").write_text('{"tasks": []}')
    assert "similarity.json: not the dissimilarities" in refused(capsys, "explain", folder)
    (folder / "trials/0/similarity.json").unlink()
    for logits in ([], [[[0.0], [0.0, 1.0]]], [[["a"]]], [[[1.0]]]):
        (folder / "trials/0/logits.json").write_text(json.dumps({"tasks": ["depth"], "logits": logits}))
        assert "trials/0" in refused(capsys, "explain", folder)
    (folder / "front.json").unlink()
    assert "finish its search" in refused(capsys, "explain", folder)
