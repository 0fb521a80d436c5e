"""Parameters of the network."""

from nas.cost.resources.resource import Resource, TracedPart
from nas.tree.quantities import decimal_units


def count_params(part: TracedPart) -> int:
    """Numbers in all parameters of a part; one that several modules share counts once."""
    return sum(parameter.numel() for parameter in part.module.parameters())


PARAMS = Resource(name="params", title="parameters", units=decimal_units("params"), count=count_params, always=True)
