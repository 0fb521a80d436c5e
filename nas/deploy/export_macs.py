"""Compare the MACs of an exported graph with those that the cost table predicts."""

import logging
from collections.abc import Mapping

from nas.cost import Profile
from nas.deploy.description import Description

_LOGGER = logging.getLogger(__name__)


def warn_of_macs(described: Description, measured: Profile) -> None:
    """Warn if predicted MACs or those of the graph are incomplete, or if the two differ.

    A graph may have fewer: an exporter computes in advance what depends on weights alone, and merges equal parts.

    Args:
        described: the export; MACs are counted on ONNX graphs only.
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
