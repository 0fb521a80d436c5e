import math

import pytest
import torchmetrics
from toys import toy_tasks

from nas.errors import InputError
from nas.tasks import Task
from nas.training import comparable, delta_m, metric_directions

HIGHER = {"seg": {"iou": True}, "depth": {"rmse": False}}


def test_directions_are_the_metrics_own():
    assert metric_directions(toy_tasks(2)) == {
        "t0": {"accuracy": True, "f1": True},
        "t1": {"rmse": False, "mae": False},
    }


def test_a_metric_without_a_direction_is_named():
    def total(task):
        return torchmetrics.SumMetric()

    task = Task(name="depth", num_outputs=1, loss="mse", metrics=(total,))
    with pytest.raises(InputError, match="metric total of task depth does not say whether higher is better"):
        metric_directions([task])


def test_by_hand():
    single = {"seg": {"iou": 50.0}, "depth": {"rmse": 0.8}}
    # 55 is 10 % up, 1.0 is 25 % more of what should be low.
    measured = {"seg": {"iou": 55.0}, "depth": {"rmse": 1.0}}
    assert delta_m(measured, single, HIGHER) == pytest.approx((10.0 - 25.0) / 2)


def test_a_tasks_metrics_are_averaged_first():
    higher = {"seg": {"iou": True, "error": False}, "depth": {"rmse": False}}
    single = {"seg": {"iou": 50.0, "error": 0.2}, "depth": {"rmse": 1.0}}
    measured = {"seg": {"iou": 60.0, "error": 0.3}, "depth": {"rmse": 0.9}}
    # +20 % and -50 % make -15 % for the one task; +10 % for the other.
    assert delta_m(measured, single, higher) == pytest.approx((-15.0 + 10.0) / 2)


def test_single_tasks_gain_nothing_over_themselves():
    single = {"seg": {"iou": 50.0}, "depth": {"rmse": 0.8}}
    assert delta_m(single, single, HIGHER) == 0.0


def test_better_is_positive_whatever_the_sign_of_the_reference():
    assert delta_m({"t": {"r2": -1.0}}, {"t": {"r2": -2.0}}, {"t": {"r2": True}}) == pytest.approx(50.0)


def test_what_is_not_compared_does_not_count():
    single = {"seg": {"loss": 0.0, "iou": 50.0}, "depth": {"loss": 1.0, "rmse": 1.0}}
    measured = {"seg": {"loss": 9.0, "iou": 50.0}, "depth": {"loss": 9.0, "rmse": 0.5}}
    assert delta_m(measured, single, HIGHER) == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("reference", "value"), [(0.0, 1.0), (math.nan, 1.0), (0.5, math.nan), (-0.0, 0.0), (math.nan, math.nan)]
)
def test_what_has_no_gain_is_left_out(reference, value):
    assert math.isnan(delta_m({"seg": {"iou": value}}, {"seg": {"iou": reference}}, {"seg": {"iou": True}}))
    single = {"seg": {"iou": reference}, "depth": {"rmse": 0.8}}
    assert delta_m({"seg": {"iou": value}, "depth": {"rmse": 0.4}}, single, HIGHER) == pytest.approx(50.0)
    # A task's other metrics count.
    higher = {"seg": {"iou": True, "accuracy": True}}
    single, measured = {"seg": {"iou": reference, "accuracy": 0.5}}, {"seg": {"iou": value, "accuracy": 0.6}}
    assert delta_m(measured, single, higher) == pytest.approx(20.0)


def test_what_is_left_out_for_one_network_is_so_for_all():
    higher = {"a": {"f1": True, "accuracy": True}, "b": {"f1": True}, "c": {"rmse": False}}
    singles = [
        {"a": {"f1": 0.0, "accuracy": 0.5}, "b": {"f1": 0.4}, "c": {"rmse": 1.0}},
        {"a": {"f1": 0.5, "accuracy": 0.5}, "b": {"f1": 0.4}, "c": {"rmse": 1.0}},
    ]
    networks = [*singles, {"a": {"f1": 0.5, "accuracy": 0.5}, "b": {"f1": math.nan}, "c": {"rmse": 0.0}}]
    assert comparable(higher, singles, networks) == {"a": {"accuracy": True}, "c": {"rmse": False}}
    # A network of one task says nothing of the others.
    assert comparable(higher, singles[1:], [{"b": {"f1": 0.1}}]) == higher
