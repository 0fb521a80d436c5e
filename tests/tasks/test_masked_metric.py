"""The one wrapper around metrics of torchmetrics."""

import pytest
import torch
from torchmetrics import Metric, PearsonCorrCoef
from torchmetrics.classification import BinaryMatthewsCorrCoef, MulticlassCohenKappa

from nas.tasks import METRICS, Task
from nas.tasks.metrics import BoundaryF, MaskedMetric, class_entries, decision_entries, number_entries
from nas.tasks.metrics.saliency import MaxMeanIoU

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(40, 3, generator=GENERATOR)
CLASSES = torch.randint(0, 3, (40,), generator=GENERATOR)
CLASSES[::4] = 255
NUMBERS = torch.randn(40, 3, generator=GENERATOR)
NUMBERS[::5, 1] = torch.nan
DECISIONS = torch.randint(0, 2, (40, 3), generator=GENERATOR).float()
DECISIONS[::3, 2] = 255


@pytest.mark.parametrize(
    ("metric", "entries", "labels", "expected"),
    [
        (MulticlassCohenKappa(3), class_entries, CLASSES, lambda at: (LOGITS.argmax(1)[at], CLASSES[at])),
        (PearsonCorrCoef(), number_entries, NUMBERS, lambda at: (LOGITS[at], NUMBERS[at])),
        (
            BinaryMatthewsCorrCoef(),
            decision_entries,
            DECISIONS,
            lambda at: (LOGITS[at] > 0, DECISIONS[at] > 0),
        ),
    ],
)
def test_any_metric_of_vectors_is_that_of_the_known_entries(metric, entries, labels, expected):
    known = labels.isfinite() & (labels != 255)
    alone = type(metric)(3) if entries is class_entries else type(metric)()
    alone.update(*(vector.long() if vector.dtype == torch.bool else vector for vector in expected(known)))
    wrapped = MaskedMetric(metric, entries)
    for part in torch.arange(40).split(7):
        wrapped.update(LOGITS[part], labels[part])
    torch.testing.assert_close(wrapped.compute(), alone.compute())


def test_named_metrics_are_the_wrapper_except_what_torchmetrics_lacks():
    task = Task(name="t", num_outputs=3, loss="mse", metrics=("mae",))
    made = {name: make(task) for name, make in METRICS.items()}
    own = {name for name, metric in made.items() if not isinstance(metric, MaskedMetric)}
    assert own == {"ods_f", "max_mean_iou"}
    assert isinstance(made["ods_f"], BoundaryF)
    assert isinstance(made["max_mean_iou"], MaxMeanIoU)
    inside = {name: made[name].metric for name in made.keys() - own}
    assert {name for name, metric in inside.items() if not type(metric).__module__.startswith("torchmetrics.")} == {
        "median_angle"
    }
    assert all(isinstance(metric, Metric) for metric in inside.values())
