"""Resources: the costs that trees are compared by, and that budgets limit.

A resource is one file here that makes a `Resource`, and one line in `RESOURCES`. Its amount is counted for each part of
a backbone, so a tree costs the sum over its parts, and the expected cost, budgets, the exact programme, pictures and
tables work with it:

    >>> from nas.cost import format_quantity
    >>> list(RESOURCES)
    ['macs', 'params', 'ms', 'activation']
    >>> format_quantity(3_400_000, "activation")
    '3.24 MiB'

A recipe can add one of its own before it makes its `Goal`, the number of modules for instance:

    >>> modules = Resource("modules", "modules", decimal_units("modules"), lambda part: len([*part.module.modules()]))
    >>> RESOURCES["modules"] = modules
    >>> format_quantity(12, "modules")
    '12 modules'
    >>> del RESOURCES["modules"]
"""

from nas.cost.resources.activation import ACTIVATION
from nas.cost.resources.macs import MACS
from nas.cost.resources.ms import MS
from nas.cost.resources.params import PARAMS
from nas.cost.resources.resource import Resource, TracedPart
from nas.errors import InputError
from nas.tree.quantities import decimal_units, format_amount, plain_quantity

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        MACS,
        PARAMS,
        MS,
        ACTIVATION,
    )
}


def find_resource(name: str) -> Resource:
    """The resource of a name; InputError listing the known ones."""
    if name not in RESOURCES:
        raise InputError(f"there is no resource {name!r}; resources are {', '.join(RESOURCES)}")
    return RESOURCES[name]


def counted_resources(wanted: str | None = None) -> tuple[Resource, ...]:
    """What is counted for each part: what every cost table has, and the resource that is wanted."""
    return tuple(
        resource
        for resource in RESOURCES.values()
        if not resource.needs_latency and (resource.always or resource.name == wanted)
    )


def format_quantity(value: float, resource: str) -> str:
    """An amount with three significant digits and the unit of its resource.

    Args:
        value: in the resource's own unit: MACs, parameters, milliseconds, bytes.
        resource: a name; one that is not in `RESOURCES` stands after the number as it is.

    >>> format_quantity(1_234_567_890, "macs"), format_quantity(310_000, "macs"), format_quantity(0, "macs")
    ('1.23 GMACs', '310 kMACs', '0 MACs')
    >>> format_quantity(4_100_000, "params"), format_quantity(12.34, "ms"), format_quantity(2500, "joules")
    ('4.1 M params', '12.3 ms', '2.5 k joules')
    """
    known = RESOURCES.get(resource)
    return plain_quantity(value, resource) if known is None else format_amount(value, known.units)


__all__ = [
    "MACS",
    "MS",
    "PARAMS",
    "RESOURCES",
    "Resource",
    "TracedPart",
    "counted_resources",
    "decimal_units",
    "find_resource",
    "format_quantity",
]
