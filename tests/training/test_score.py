import pytest
from toys import toy_tasks

from nas.errors import InputError
from nas.training.score import EpochScore

TASKS = (*toy_tasks(2), toy_tasks(3, weight=5.0)[2])
MEASURED = {
    "t0": {"loss": 1.0, "accuracy": 0.7, "f1": 0.6},
    "t1": {"loss": 2.0, "rmse": 0.3, "mae": 0.2},
    "t2": {"loss": 4.0, "accuracy": 0.1, "f1": 0.2},
}


@pytest.mark.parametrize(
    ("mix", "score"),
    [
        (None, 1.0 + 2.0 + 5.0 * 4.0),
        ({"t0": 1.0}, 1.0),
        ({"t2": 0.5, "t1": 2.0}, 0.5 * 4.0 + 2.0 * 2.0),
        # Of accuracy more is better, of an error less.
        ({"t0.accuracy": 2.0}, -2.0 * 0.7),
        ({"t1.rmse": 10.0, "t0.f1": 1.0, "t2": 1.0}, 10.0 * 0.3 - 0.6 + 4.0),
    ],
)
def test_the_score_by_hand(mix, score):
    assert EpochScore(TASKS, mix)(MEASURED) == pytest.approx(score, rel=1e-12)


def test_of_a_mix_counts_what_a_network_has():
    score = EpochScore(TASKS, {"t0.accuracy": 1.0, "t1": 1.0})
    assert score({"t1": MEASURED["t1"]}) == 2.0
    # Nothing of the mix: as without one.
    assert score({"t2": MEASURED["t2"]}) == 5.0 * 4.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t9", "retrain.stop_on: there is no task 't9'; known are t0, t1, t2"),
        ("t0.rmse", "retrain.stop_on: task t0 has no metric 'rmse'; it has accuracy, f1"),
    ],
)
def test_measures_that_are_not_there_are_told(name, message):
    with pytest.raises(InputError, match=message):
        EpochScore(TASKS, {name: 1.0})


def test_a_measure_without_a_value_is_told():
    measured = MEASURED | {"t0": MEASURED["t0"] | {"accuracy": float("nan")}}
    with pytest.raises(InputError, match=r"retrain.stop_on: t0.accuracy has no value on the validation split"):
        EpochScore(TASKS, {"t0.accuracy": 1.0})(measured)
    assert EpochScore(TASKS, {"t0.f1": 1.0})(measured) == -0.6
