"""Amounts with three significant digits and a unit: ``1.23 GMACs``, ``4.1 M params``, ``12.3 ms``."""

Units = tuple[tuple[float, str], ...]
"""Scales and their names, the largest first; the scale 1 is the unit that amounts are stated in."""

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def decimal_units(unit: str, *, between: str = " ") -> Units:
    """A unit with the prefixes k, M, G, T and P; ``between`` separates prefix and unit.

    >>> decimal_units("MACs", between="")[-2:], decimal_units("params")[-2:]
    (((1000.0, 'kMACs'), (1.0, 'MACs')), ((1000.0, 'k params'), (1.0, 'params')))
    """
    return (*((scale, f"{prefix}{between}{unit}") for scale, prefix in _PREFIXES), (1.0, unit))


def format_amount(value: float, units: Units) -> str:
    """An amount in the largest unit that does not exceed it.

    >>> format_amount(1_234_567_890, decimal_units("MACs", between="")), format_amount(0, decimal_units("params"))
    ('1.23 GMACs', '0 params')
    """
    # Rounded before the unit is chosen: 999.9 k is 1 M, not 1e+03 k.
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        scale, unit = 1.0, next(unit for scale, unit in units if scale == 1)
    else:
        scale, unit = next(((scale, unit) for scale, unit in units if abs(rounded) >= scale), units[-1])
    number = rounded / scale
    # Between 1000 and 1023 bytes there is no larger unit.
    return f"{number:.3g} {unit}" if abs(number) < 1000 else f"{value / scale:.4g} {unit}"


def plain_quantity(value: float, resource: str) -> str:
    """An amount of any resource: the name of the resource is its unit.

    `nas.cost.format_quantity` knows the units of the resources that have a file.

    >>> plain_quantity(2500, "joules")
    '2.5 k joules'
    """
    return format_amount(value, decimal_units(resource))
