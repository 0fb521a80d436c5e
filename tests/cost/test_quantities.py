import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.cost import format_quantity


@pytest.mark.parametrize(
    ("value", "resource", "text"),
    [
        (0, "macs", "0 MACs"),
        (7, "macs", "7 MACs"),
        (999, "macs", "999 MACs"),
        (1000, "macs", "1 kMACs"),
        (310_000, "macs", "310 kMACs"),
        (999_499, "macs", "999 kMACs"),
        (999_500, "macs", "1 MMACs"),
        (1_234_567_890, "macs", "1.23 GMACs"),
        (2e12, "macs", "2 TMACs"),
        (-310_000, "macs", "-310 kMACs"),
        (4_100_000, "params", "4.1 M params"),
        (12, "params", "12 params"),
        (7.3e9, "params", "7.3 G params"),
        (0, "ms", "0 ms"),
        (12.34, "ms", "12.3 ms"),
        (0.5, "ms", "500 µs"),
        (0.0000021, "ms", "0.0021 µs"),
        (1234, "ms", "1.23 s"),
        (5.5, "joules", "5.5 joules"),
        (5.5e6, "joules", "5.5 M joules"),
    ],
)
def test_known_amounts(value, resource, text):
    assert format_quantity(value, resource) == text


@given(st.integers(1, 10**17))
def test_three_digits_and_no_exponent(value):
    number, unit = format_quantity(value, "macs").split()
    prefix = unit.removesuffix("MACs")
    scale = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}[prefix]
    assert "e" not in number
    assert 1 <= float(number) < 1000
    # Half a unit of the third digit of at least 1.00, and the float's own rounding.
    assert float(number) * scale == pytest.approx(value, rel=0.005 + 1e-12)
