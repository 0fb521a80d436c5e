"""Multiply-adds of one sample."""

from nas.cost.resources.resource import Resource
from nas.tree.quantities import decimal_units

MACS = Resource(
    name="macs",
    title="MACs per sample",
    units=decimal_units("MACs", between=""),
    count=lambda part: part.macs,
    always=True,
)
