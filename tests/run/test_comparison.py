"""What a comparison concludes from few seeds."""

import pytest

from nas.run.comparison import Row, _verdicts

COST = {"macs": 1.0}


def row(name: str, kind: str, by_seed: list[float]) -> Row:
    mean = sum(by_seed) / len(by_seed)
    return Row(name, kind, COST, 0.5, mean, None, len(by_seed), {}, by_seed)


def conclusions(differences: list[float]) -> list[str]:
    """Of a tree against the shared one, for differences paired by seed."""
    shared = [10.0 * seed for seed in range(len(differences))]
    found = [base + difference for base, difference in zip(shared, differences, strict=True)]
    return _verdicts([row("shared", "shared", shared), row("ab12", "found", found)])


@pytest.mark.parametrize("differences", [[8.0], [8.0, 8.1]])
def test_fewer_than_three_seeds_announce_nothing(differences):
    (only,) = conclusions(differences)
    assert only.endswith("too few to conclude anything")


def test_three_seeds_need_more_than_two_standard_errors():
    # Mean 2, standard error 0.577: 3.46 standard errors, and t has 4.30 for two degrees of freedom.
    told, also = conclusions([1.0, 2.0, 3.0])
    assert told == (
        "ab12 against shared: +2.00 points of delta_m (95 % interval -0.48 to +4.48, paired by seed): "
        "no difference shown"
    )
    assert also.startswith("no tree found is shown to be better than the fully shared tree")


def test_a_difference_is_paired_and_has_its_interval():
    assert conclusions([1.9, 2.0, 2.1]) == [
        "ab12 against shared: +2.00 points of delta_m (95 % interval +1.75 to +2.25, paired by seed)"
    ]
    told, also = conclusions([-1.9, -2.0, -2.1])
    assert "no difference" not in told
    assert also.startswith("no tree found is shown to be better")
