"""Relative performance: one number for many tasks, against single-task networks."""

import math
from collections.abc import Mapping, Sequence

from nas.training.measured import Measured

Directions = Mapping[str, Mapping[str, bool]]
"""By task and metric: whether higher is better."""


def comparable(directions: Directions, singles: Sequence[Measured], measured: Sequence[Measured]) -> Directions:
    """The tasks and metrics for which the gain of every network over every reference is defined.

    A metric is left out if it is NaN in any network or reference, or 0 in a reference. A task without metrics is left
    out. All networks use the same tasks and metrics, so that their delta_m can be compared.
    """
    kept = {
        task: {
            metric: higher
            for metric, higher in metrics.items()
            if all(_is_reference(single[task][metric]) for single in singles)
            and all(math.isfinite(network[task][metric]) for network in measured if task in network)
        }
        for task, metrics in directions.items()
    }
    return {task: metrics for task, metrics in kept.items() if metrics}


def delta_m(measured: Measured, single: Measured, higher_is_better: Directions) -> float:
    """Mean relative gain over single-task networks, in percent (Maninis et al., CVPR 2019, eq. 4; Vandenhende et al.).

        delta_m = 100 mean_t (-1)^{lower is better} (M_t - M_single,t) / |M_single,t|

    The gains of a task's metrics are averaged first, then those of the tasks. A negative value is worse than single
    tasks. Metrics whose gain is not defined (a reference that is 0 or NaN) are left out, see `comparable`. Without any
    gain the result is NaN.
    """
    gains = []
    for task, metrics in comparable(higher_is_better, [single], [measured]).items():
        per_metric = []
        for metric, higher in metrics.items():
            reference = single[task][metric]
            gain = (measured[task][metric] - reference) / abs(reference)
            per_metric.append(gain if higher else -gain)
        gains.append(sum(per_metric) / len(per_metric))
    return 100.0 * sum(gains) / len(gains) if gains else math.nan


def _is_reference(value: float) -> bool:
    """Whether a gain can be relative to a value."""
    return math.isfinite(value) and value != 0.0
