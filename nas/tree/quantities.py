"""Amounts of a resource in words: ``1.23 GMACs``, ``4.1 M params``, ``12.3 ms``."""

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

_UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "macs": (*((scale, f"{prefix}MACs") for scale, prefix in _PREFIXES), (1.0, "MACs")),
    "params": (*((scale, f"{prefix} params") for scale, prefix in _PREFIXES), (1.0, "params")),
    "ms": ((1e3, "s"), (1.0, "ms"), (1e-3, "µs")),
}


def format_quantity(value: float, resource: str) -> str:
    """An amount with three significant digits and the unit of its resource.

    Args:
        value: in MACs, parameters or milliseconds, or in the resource's own unit.
        resource: "macs", "params" or "ms"; any other name is written after the number.

    >>> format_quantity(1_234_567_890, "macs"), format_quantity(310_000, "macs"), format_quantity(0, "macs")
    ('1.23 GMACs', '310 kMACs', '0 MACs')
    >>> format_quantity(4_100_000, "params"), format_quantity(12.34, "ms"), format_quantity(2500, "joules")
    ('4.1 M params', '12.3 ms', '2.5 k joules')
    """
    units = _UNITS.get(resource) or (*((scale, f"{prefix} {resource}") for scale, prefix in _PREFIXES), (1.0, resource))
    # Rounded before the unit is chosen: 999.9 k is 1 M, not 1e+03 k.
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        scale, unit = 1.0, next(unit for scale, unit in units if scale == 1)
    else:
        scale, unit = next(((scale, unit) for scale, unit in units if abs(rounded) >= scale), units[-1])
    return f"{rounded / scale:.3g} {unit}"
