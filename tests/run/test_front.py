"""The front marks exactly the dominated points, and reads back what it wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from nas.run import Front, Point, Quality, make_front, recommendation

few = st.integers(0, 4).map(float)


def a_point(cost: float, quality: float, kind: str = "estimated") -> Point:
    return Point(
        tree="trials/0/trees/ab.json",
        trial=0,
        seed=0,
        budget=0.5,
        cost={"macs": cost, "params": 1},
        quality=Quality(value=quality, measure="m", kind=kind),
    )


@given(st.lists(st.tuples(few, few), min_size=1, max_size=8))
def test_dominated_points_are_those_that_another_beats(values):
    front = make_front([a_point(cost, quality) for cost, quality in values], "macs")
    assert sorted((p.cost["macs"], p.quality.value) for p in front.points) == sorted(values)
    for point in front.points:
        c, q = point.cost["macs"], point.quality.value
        beaten = any((c2 < c and q2 >= q) or (c2 <= c and q2 > q) for c2, q2 in values)
        assert point.dominated == beaten
    assert any(not point.dominated for point in front.points)


def test_it_reads_back(tmp_path):
    front = make_front([a_point(2, 3), a_point(1, 4)], "macs")
    front.write(tmp_path / "front.json")
    assert Front.read(tmp_path / "front.json") == front


def test_the_best_is_the_non_dominated_point_of_highest_quality():
    front = make_front([a_point(1, 2), a_point(2, 3), a_point(3, 3)], "macs")
    assert (front.best.cost["macs"], front.best.quality.value) == (2, 3)


def test_a_searchs_own_choice_is_recommended_until_something_is_measured():
    own, dearer = a_point(1, 2).model_copy(update={"budget": None}), a_point(2, 3)
    assert make_front([own, dearer], "macs").best.budget is None
    worst = a_point(3, 1, "measured")
    assert make_front([own, dearer, worst], "macs").best.quality.kind == "measured"
    measured = [
        point.model_copy(update={"quality": Quality(value=point.cost["macs"], measure="m", kind="measured")})
        for point in (own, dearer)
    ]
    assert make_front(measured, "macs").best.cost["macs"] == 2


@given(st.lists(st.tuples(few, few, st.sampled_from(["estimated", "measured"])), min_size=1, max_size=8))
def test_points_are_beaten_by_those_of_their_measure_alone_and_one_is_recommended(values):
    front = make_front([a_point(*value) for value in values], "macs")
    for kind in ("estimated", "measured"):
        alike = [(cost, quality) for cost, quality, k in values if k == kind]
        if alike:
            alone = make_front([a_point(*value) for value in alike], "macs")
            marks = [p.dominated for p in front.points if p.quality.kind == kind]
            assert marks == [p.dominated for p in alone.points]
    (best,) = (point for point in front.points if point.recommended)
    assert front.best == best
    kinds = {kind for _, _, kind in values}
    assert best.quality.kind == ("measured" if "measured" in kinds else "estimated")
    assert best.quality.value == max(quality for _, quality, kind in values if kind == best.quality.kind)


def a_pooled_point(cost: float, quality: float, kind: str = "estimated", **changes) -> Point:
    return a_point(cost, quality, kind).model_copy(update={"pooled": (0, 1), **changes})


def test_a_pooled_point_takes_the_place_of_its_seeds_estimates_for_its_budget():
    given = {
        "a1": (a_pooled_point(3, 1), False),
        "a2": (a_point(1, 9), True),
        "a3": (a_point(1, 9).model_copy(update={"trial": 2}), False),
        # One seed beats this one, too, in cost.
        "a4": (a_point(2, 9).model_copy(update={"budget": None}), True),
        "a5": (a_point(1, 9, "measured"), False),
    }
    points = [point.model_copy(update={"tree": f"trials/0/trees/{name}.json"}) for name, (point, _) in given.items()]
    marks = {point.tree_id: point.dominated for point in make_front(points, "macs").points}
    assert marks == {name: dominated for name, (_, dominated) in given.items()}
    # For another budget than that of the pooled point, a seed's estimate stays.
    alone = [points[0], points[3]]
    assert not any(point.dominated for point in make_front(alone, "macs").points)


def test_pooled_points_are_recommended_before_the_estimates_of_one_seed_and_after_what_is_measured():
    chosen, pooled = a_point(1, 9).model_copy(update={"budget": None, "trial": 7}), a_pooled_point(2, 1)
    assert make_front([chosen, pooled], "macs").best.pooled
    own = a_pooled_point(1, 0, budget=None)
    assert make_front([chosen, pooled, own], "macs").best.budget is None
    assert make_front([chosen, pooled, own], "macs").best.pooled
    # What is measured is compared by its value alone.
    measured = [a_pooled_point(2, 1, "measured"), a_point(2, 2, "measured")]
    front = make_front([chosen, own, *measured], "macs")
    assert front.best.quality.value == 2
    assert [point.dominated for point in front.points if point.measured] == [False, True]


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (-1.22784, None, "-1.2278"),
        (-1.22784, 0.0, "-1.2278"),
        (-1.22784, 0.0211, "-1.23 ± 0.02"),
        (0.0123, 0.00042, "0.0123 ± 0.0004"),
        (1234.5, 56.7, "1234 ± 57"),
        (3.0, 1e-9, "3.0000 ± 0.0000"),
    ],
)
def test_a_quality_is_written_with_one_digit_of_its_deviation(value, std, text):
    assert Quality(value=value, measure="m", kind="estimated", std=std).amount == text


def test_estimate_and_measurement_are_told_apart():
    estimate = Quality(value=1, measure="m", kind="estimated")
    point = a_point(1, 2, "measured").model_copy(update={"estimate": estimate})
    assert (point.estimated, point.measured) == (estimate, point.quality)
    assert (a_point(1, 2, "measured").estimated, a_point(1, 2).measured) == (None, None)
    assert a_point(1, 2).estimated == a_point(1, 2).quality


def test_withheld_points_are_kept_and_not_recommended():
    idle = {"withheld": "task a has learned nothing"}
    alone = make_front([a_point(1, 2).model_copy(update=idle), a_point(2, 3).model_copy(update=idle)], "macs")
    assert alone.best is None
    assert [point.recommended for point in alone.points] == [False, False]
    assert recommendation(alone) == "no tree, since task a has learned nothing"
    # A second search has learned; the first one's estimates, which are better, do not count against it.
    both = make_front([a_point(1, 9).model_copy(update=idle), a_point(2, 3)], "macs")
    assert both.best.cost["macs"] == 2
    assert not both.best.dominated
    # A measured quality is no estimate.
    measured = make_front([a_point(1, 2, "measured").model_copy(update=idle)], "macs")
    assert measured.best.withheld is None


def test_a_recommendation_has_its_reason():
    own, within = a_point(2, 3).model_copy(update={"budget": None}), a_point(1, 2)
    assert (
        recommendation(make_front([own, within], "macs")) == f"{own.tree_id}, which the search chose without a budget"
    )
    assert (
        recommendation(make_front([within], "macs")) == f"{within.tree_id}, the best by the estimate within the budgets"
    )
    trained = a_point(3, 1, "measured")
    assert recommendation(make_front([own, trained], "macs")).startswith(f"{trained.tree_id}, the best by measured")


def test_the_front_of_an_earlier_version_reads_and_has_a_best_point(tmp_path):
    record = make_front([a_point(1, 2), a_point(2, 3)], "macs").model_dump(mode="json")
    for point in record["points"]:
        del point["recommended"], point["estimate"], point["confidence"], point["pooled"], point["quality"]["std"]
    (tmp_path / "front.json").write_text(json.dumps(record))
    assert Front.read(tmp_path / "front.json").best.quality.value == 3


@pytest.mark.parametrize(
    "change",
    [
        {"points": []},
        {"resource": "joules"},
        {"points.0.cost": {"macs": 1}},
        {"points.0.dominated": True, "points.1.dominated": True},
        {"points.0.recommended": True, "points.1.recommended": True},
        {"points.0.dominated": True, "points.0.recommended": True},
        {"points.0.withheld": "why", "points.1.withheld": "why"},
        {"points.1.tree": "../x.json"},
        {"points.1.tree": "pooled/trees/ab.json"},
        {"points.1.confidence": 1.1},
        {"points.1.quality.std": -0.1},
        {"points.1.tree": "trials/0/trees/ab.json\n"},
    ],
)
def test_a_front_that_contradicts_itself_is_named(tmp_path, change):
    record = make_front([a_point(1, 2), a_point(2, 3)], "macs").model_dump(mode="json")
    for place, value in change.items():
        *path, last = place.split(".")
        owner = record
        for key in path:
            owner = owner[int(key) if key.isdecimal() else key]
        owner[last] = value
    (tmp_path / "front.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"front\.json"):
        Front.read(tmp_path / "front.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2, "resource": "macs", "points": []}', "\x00"])
def test_a_malformed_front_is_named(tmp_path, text):
    path = tmp_path / "front.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"front\.json"):
        Front.read(path)
