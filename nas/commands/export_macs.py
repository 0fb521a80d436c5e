"""What an export says of its MACs: those that the cost table predicts, and those of the graph that was written."""

import logging
from collections.abc import Mapping

from nas.cost import Profile
from nas.deploy import Description

_LOGGER = logging.getLogger(__name__)


def warn_of_macs(described: Description, measured: Profile) -> None:
    """Warn where predicted MACs or those of the graph are incomplete, or the two are not equal.

    A graph may have fewer: an exporter computes once what depends on weights alone, or what occurs twice.

    Args:
        described: the export; only a graph in ONNX has MACs of its own.
        measured: the costs of the backbone's parts.
    """
    if measured.uncounted:
        _LOGGER.warning("predicted MACs are incomplete, they lack %s", ", ".join(measured.uncounted))
    verified = described.verified
    if verified is None or verified.macs is None:
        return
    if verified.uncounted:
        _LOGGER.warning("MACs of the graph are incomplete, they lack %s", ", ".join(verified.uncounted))
    if verified.macs != described.cost.get("macs"):
        predicted = measured.macs_by_operator(described.branch_tree)
        _LOGGER.warning(
            "the graph has %d MACs (%s), the cost table predicts %s (%s)",
            verified.macs,
            _listed(verified.macs_by_operator),
            described.cost.get("macs"),
            _listed(predicted),
        )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in counts.items() if count) or "none"
