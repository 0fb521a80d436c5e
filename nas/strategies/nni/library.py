"""What is used of NNI; the only module that imports it, so import this one only where NNI is needed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_VARIABLE = "NNI_FRAMEWORK"


@contextmanager
def _without_framework() -> Iterator[None]:
    """NNI's variable that keeps `nni.nas` from importing Lightning, for the time of an import."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "none"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


_imported_before = "nni" in sys.modules

with _without_framework():
    import nni
    from nni.common import framework

    # The user may have imported NNI with another framework.
    _default = framework.get_default_framework()
    framework.set_default_framework("none")
    from nni.mutable import Categorical, Constraint, ConstraintViolation, Mutable, MutableDict, SampleValidationError
    from nni.nas.execution import ExecutionEngine
    from nni.nas.execution.event import FinalMetricEvent, TrainingEndEvent
    from nni.nas.space import ExecutableModelSpace, ModelStatus
    from nni.nas.strategy import TPE, PolicyBasedRL, RegularizedEvolution

framework.set_default_framework(_default if _imported_before else framework.framework_from_env())
if not _imported_before:
    # NNI would print its log to standard output, which belongs to --json.
    nni.silence_stdout()


def default_policy() -> Callable[..., Any]:
    """What makes NNI's default policy for reinforcement learning; it needs tianshou and gym."""
    from nni.nas.strategy._rl_impl import default_policy_fn

    found: Callable[..., Any] = default_policy_fn
    return found


__all__ = [
    "TPE",
    "Categorical",
    "Constraint",
    "ConstraintViolation",
    "ExecutableModelSpace",
    "ExecutionEngine",
    "FinalMetricEvent",
    "ModelStatus",
    "Mutable",
    "MutableDict",
    "PolicyBasedRL",
    "RegularizedEvolution",
    "SampleValidationError",
    "TrainingEndEvent",
    "default_policy",
]
