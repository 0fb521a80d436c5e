"""Verdicts of a finished search: each threshold from both sides, and what they say."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import discretize, dissimilarity_from_logits
from nas.errors import InputError
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.diagnosis import (
    DISAGREEMENT,
    LEARNED,
    UNDECIDED,
    Diagnosis,
    MarginRecord,
    Verdict,
    judge_cost,
    judge_entropy,
    judge_exactness,
    judge_learning,
    judge_logits,
    judge_margins,
    judge_seeds,
    judge_sharing,
    judge_stability,
    late_drift,
)
from nas.strategies.gradient.diagnostics import drift
from nas.tree import BranchTree, CostTable, distance

TASKS = ("a", "b", "c", "d")


def table(costs=(3, 2, 1)) -> CostTable:
    names = tuple(f"b{l}" for l in range(len(costs)))
    return CostTable({"macs": 1}, tuple({"macs": c} for c in costs), {task: {"macs": 1} for task in TASKS}, names)


def epoch(changed=0, phase="search", **fields):
    usual = {"entropy": [0.2, 0.1], "expected_cost": 10.0, "budget": None, "drift": 0.0}
    return {"phase": phase, "changed_choices": changed, **usual, **fields}


def a_margin(gap, noise, budget=0.5):
    runner_up = ((("a", "b"), ("c", "d")),)
    return MarginRecord(
        budget=budget, tree="ab12cd34", runner_up=runner_up, gap=gap, noise=noise, block=0, decision="a parts from b"
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_blocks_of_almost_full_entropy_are_undecided_and_named(entropy_L):
    names = [f"block{l}" for l in range(len(entropy_L))]
    verdict = judge_entropy(entropy_L, names)
    undecided = [name for name, value in zip(names, entropy_L, strict=True) if value >= UNDECIDED]
    assert verdict.concern == bool(undecided)
    if len(undecided) == len(names):
        assert "every block" in verdict.text
    elif len(undecided) <= 4:
        assert all(f"{name} (" in verdict.text for name in undecided)
    assert "strategy.epochs" in verdict.text or not verdict.concern


def test_undecided_means_that_agreement_is_near_chance():
    # The reason of the threshold: two tasks that favour the same candidate with this entropy.
    for num_candidates in (3, 5, 8, 12):
        low, high = 1 / num_candidates, 1.0
        for _ in range(60):
            p = (low + high) / 2
            q = (1 - p) / (num_candidates - 1)
            entropy = -(p * math.log(p) + (num_candidates - 1) * q * math.log(q)) / math.log(num_candidates)
            low, high = (p, high) if entropy > UNDECIDED else (low, p)
        agree = p**2 + (num_candidates - 1) * q**2
        assert 0.07 < (agree - 1 / num_candidates) / (1 - 1 / num_candidates) < 0.12


def test_only_the_end_of_the_search_says_whether_it_has_settled():
    early = [epoch(9, "warm-up"), *[epoch(9)] * 18]
    assert not judge_stability([*early, epoch(1), epoch(0)], 20).concern
    assert not judge_stability([*early, epoch(1), epoch(1)], 20).concern  # one in twenty
    verdict = judge_stability([*early, epoch(2), epoch(1)], 20)
    assert verdict.concern
    assert verdict.text.startswith("not settled: 1.5 of 20 choices changed in each of the last 2 epochs")
    assert "3 of 20 choices changed in the last epoch" in judge_stability([epoch(0), epoch(3)], 20).text
    assert judge_stability([epoch(0, "warm-up")], 20).text.startswith("not searched")


@pytest.mark.parametrize(("expected", "concern"), [(80.0, False), (104.9, False), (105.1, True), (150.0, True)])
def test_expected_cost_against_its_target(expected, concern):
    verdict = judge_cost(expected * 1e6, 100e6, "macs")
    assert verdict.concern == concern
    assert "the target 100 MMACs" in verdict.text
    assert ("50% too much" in verdict.text) == (expected == 150.0)


def test_the_logits_verdicts_of_a_history():
    history = [epoch(0, "warm-up"), epoch(0, entropy=[0.99, 0.1], expected_cost=20.0, budget=10.0)]
    verdicts = judge_logits(history, 4, ("first", "second"), "macs")
    assert [(verdict.about, verdict.concern) for verdict in verdicts] == [
        ("entropy", True),
        ("stability", False),
        ("cost", True),
    ]
    assert "first (0.99)" in verdicts[0].text
    assert [verdict.about for verdict in judge_logits([epoch()], 4, ("x", "y"), "macs")] == ["entropy", "stability"]


def test_late_drift_is_the_root_mean_square_of_the_last_epochs():
    history = [epoch(phase="warm-up", drift=9.0), *[epoch(drift=9.0)] * 18, epoch(drift=3.0), epoch(drift=4.0)]
    assert late_drift(history) == pytest.approx(math.sqrt(12.5))
    assert late_drift([epoch(phase="warm-up")]) is None


def test_drift_is_how_far_the_dissimilarities_move():
    generator = torch.Generator().manual_seed(0)
    before_LTC, after_LTC = torch.randn(2, 3, 4, 5, generator=generator)
    change_LTT = dissimilarity_from_logits(after_LTC) - dissimilarity_from_logits(before_LTC)
    squares = [change_LTT[l, s, t] ** 2 for l in range(3) for s, t in itertools.permutations(range(4), 2)]
    assert drift(before_LTC, after_LTC) == pytest.approx(math.sqrt(np.mean(squares)))
    # Logits that move all by the same amount stay the same choices.
    assert drift(before_LTC, before_LTC + 1.0) < 1e-6
    assert drift(before_LTC[:, :1], after_LTC[:, :1]) == 0.0


def test_margins_that_are_not_certain_are_concerns():
    # Phi(1.65) is just above 0.95, and Phi(1.6) below.
    (safe,) = judge_margins([a_margin(0.165, 0.1), a_margin(0.5, 0.1)])
    assert not safe.concern
    concerns = judge_margins([a_margin(0.16, 0.1), a_margin(0.5, 0.1), a_margin(0.0, 0.0, budget=None)])
    assert [verdict.concern for verdict in concerns] == [True, True]
    assert (
        "tree ab12cd34 (budget 0.5): the second-best tree is 0.16 behind, noise 0.1; a parts from b" in concerns[0].text
    )
    assert "tree ab12cd34: the second-best tree is as good" in concerns[1].text
    # A gap whose noise is not known says nothing, unless there is none.
    assert judge_margins([a_margin(0.1, None)]) == []
    assert [verdict.concern for verdict in judge_margins([a_margin(0.0, None)])] == [True]


def test_a_curve_says_when_sharing_is_not_beaten():
    attract = discretize(TASKS, np.full((3, 4, 4), -1.0), table(), "macs")
    assert judge_sharing(attract).concern
    assert "the fully shared tree has the best estimate at every budget" in judge_sharing(attract).text
    repel = discretize(TASKS, np.full((3, 4, 4), 1.0), table(), "macs")
    separate = BranchTree.separate(TASKS, 3)
    assert not judge_sharing(repel).concern
    assert separate.id in judge_sharing(repel).text


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ({"a": 0.0, "b": 0.9}, "task a has learned nothing: train longer (strategy.epochs)"),
        ({"a": -0.5, "b": 0.9, "c": LEARNED - 1e-9}, "tasks a, c have learned nothing: train longer (strategy.epochs)"),
        ({"a": LEARNED, "b": 0.9}, "every task has learned: its copies explain at least 3% of its validation loss (a)"),
        ({}, "every task has learned"),
    ],
)
def test_every_task_has_to_learn(shares, text):
    verdict = judge_learning(shares)
    assert verdict.text == text
    assert verdict.concern == ("nothing" in text)


def test_the_chosen_tree_is_named_with_its_reason():
    d_LTT = np.random.default_rng(0).normal(size=(3, 4, 4))
    curve = discretize(TASKS, d_LTT + d_LTT.swapaxes(1, 2), table(), "macs")
    cheapest, middle, last = curve[0], curve[len(curve) // 2], curve[len(curve) - 1]
    assert len({point.tree for point in (cheapest, middle, last)}) == 3
    # By the noise floor; cut by a budget; by the curve's elbow; and not at all.
    enough = judge_sharing(curve, middle.cost, middle.cost)
    assert enough.text.startswith(
        f"the search chose tree {middle.tree.id} ({middle.cost:g} MACs), the best one within the"
    )
    cut = judge_sharing(curve, middle.cost, last.cost).text
    assert cut.startswith(f"the search chose tree {middle.tree.id} (")
    assert f"without budgets it would be tree {last.tree.id} (" in cut
    elbow = judge_sharing(curve, middle.cost)
    assert elbow.text.startswith(f"the search chose tree {middle.tree.id} (")
    assert "the elbow of its curve" in elbow.text
    assert "chose" not in judge_sharing(curve).text
    # If no tasks differ enough, the cheapest tree is the chosen one.
    shared = judge_sharing(curve, cheapest.cost, cheapest.cost)
    assert shared.concern
    assert shared.text.startswith("the search chose the fully shared tree")


def test_a_beam_search_is_said_to_be_one():
    tasks = tuple(f"t{t}" for t in range(9))
    parts = CostTable({"macs": 1}, ({"macs": 3},), {task: {"macs": 1} for task in tasks}, ("b0",))
    beam = discretize(tasks, np.full((1, 9, 9), -1.0), parts, "macs")
    (verdict,) = (each for each in diagnose_curve(beam, [(None, 99.0)], None).verdicts if each.about == "exactness")
    assert verdict.text.startswith("not exact: a beam search found the trees of 9 tasks")
    # All tasks are alike, so the cheapest tree, the shared one, is the best.
    assert "reach at least 100% of what any tree can" in verdict.text
    assert judge_exactness(discretize(TASKS, np.full((3, 4, 4), -1.0), table(), "macs"), [99.0]) == []


def test_how_much_a_beam_search_may_have_missed():
    tasks = tuple(f"t{t}" for t in range(10))
    parts = CostTable({"macs": 1}, ({"macs": 3},), {task: {"macs": 1} for task in tasks}, ("b0",))
    place_T = np.repeat([0.0, 5.0], 5)
    curve = discretize(tasks, (np.abs(place_T[:, None] - place_T) - 1.0)[None], parts, "macs")
    # Two groups of five reach the bound, -4; one group loses 2.5 for each task, and gains 4.5.
    assert (curve[0].value, curve.within(17.0).value) == pytest.approx((8.0, -4.0))
    assert curve.share_of_possible(17.0) == pytest.approx(1.0)
    # One group is all that this budget allows.
    assert curve.share_of_possible(14.0) == pytest.approx(1.0)


def test_a_curve_is_diagnosed_within_each_budget():
    d_LTT = np.random.default_rng(0).normal(size=(3, 4, 4))
    d_LTT = d_LTT + d_LTT.swapaxes(1, 2)
    curve = discretize(TASKS, d_LTT, table(), "macs")
    limits = budget_limits(curve, (0.5, 1.0))
    separate = table().separate_cost()["macs"]
    assert limits == [(0.5, 0.5 * separate), (1.0, separate)]
    diagnosis = diagnose_curve(curve, limits, 1e-9)
    assert [record.budget for record in diagnosis.margins] == [0.5, 1.0]
    assert [record.tree for record in diagnosis.margins] == [curve.within(limit).tree.id for _, limit in limits]
    assert all(record.gap > 0 and 0 < record.noise < 1e-8 for record in diagnosis.margins)
    noisy = diagnose_curve(curve, limits, 100.0)
    assert [verdict.about for verdict in noisy.verdicts if verdict.concern] == ["margin", "margin"]
    assert budget_limits(curve, ()) == [(None, curve.elbow().cost)]
    with pytest.raises(InputError, match="smallest feasible budget"):
        budget_limits(curve, (0.01,))


def test_seeds_that_agree_and_seeds_that_do_not():
    split = BranchTree.from_choices(TASKS, [[0, 0, 1, 1]] * 3)
    other = BranchTree.from_choices(TASKS, [[0, 1, 0, 1]] * 3)
    agree, disagree = judge_seeds([(0, 0.5, split), (1, 0.5, split), (0, None, split), (1, None, other)])[::-1]
    assert not agree.concern
    assert agree.text.startswith("budget 0.5: seeds agree: over 1 pairs")
    assert "index is 1.00" in agree.text
    assert disagree.concern
    assert f"{distance(split, other):.0%} of the pairs" in disagree.text
    # One seed alone, or two trees of one seed, say nothing.
    assert judge_seeds([(0, 0.5, split), (0, 0.5, other), (1, 0.7, other)]) == []


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(0, 2))
def test_the_order_of_seeds_and_their_numbers_do_not_count(first, second):
    trees = [BranchTree.from_choices(TASKS, [[0, 0, 1, k]] * 3) for k in (0, 1, 2)]
    found = [(0, 0.5, trees[first]), (7, 0.5, trees[second]), (3, 0.5, trees[0])]
    texts = {judge_seeds(order)[0].text for order in itertools.permutations(found)}
    assert len(texts) == 1
    assert 0 < DISAGREEMENT < 1


def test_a_diagnosis_reads_back_and_a_malformed_one_is_named(tmp_path):
    assert Diagnosis.read(tmp_path) is None
    diagnosis = Diagnosis(
        verdicts=(Verdict(about="cost", concern=True, text="too dear"),), margins=(a_margin(0.1, None),)
    )
    diagnosis.write(tmp_path)
    assert Diagnosis.read(tmp_path) == diagnosis
    record = json.loads((tmp_path / "diagnosis.json").read_text())
    (tmp_path / "diagnosis.json").write_text(json.dumps({**record, "verdicts": [{"about": "luck"}]}))
    with pytest.raises(InputError, match=r"diagnosis\.json"):
        Diagnosis.read(tmp_path)


def test_margins_that_join_a_diagnosis_are_judged_with_the_others():
    safe, close = a_margin(0.4, 0.1), a_margin(0.1, 0.1, budget=0.7)
    cost = Verdict(about="cost", concern=True, text="too dear")
    diagnosis = Diagnosis(verdicts=(cost, *judge_margins([safe])), margins=(safe,))
    joined = diagnosis.with_margins([close, safe])
    assert joined.margins == (safe, close)
    assert joined.verdicts == (cost, *judge_margins([safe, close]))
    assert [verdict.concern for verdict in joined.verdicts] == [True, True]
    assert joined.with_margins([safe]) == joined
