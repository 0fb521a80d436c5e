"""The curve of a trial reads back as it was found, and a malformed file is refused."""

import json

import pytest

from nas.discretize import discretize
from nas.errors import InputError
from nas.run import TrialFolder
from nas.tree import CostTable

BLOCK, HEAD = {"macs": 10}, {"macs": 2}
TABLE = CostTable({"macs": 1}, (BLOCK, BLOCK), {"depth": HEAD, "edge": HEAD}, ("early", "late"))


@pytest.fixture
def trial(tmp_path):
    folder = TrialFolder(tmp_path / "0")
    folder.make()
    return folder


def test_it_reads_back(trial):
    assert trial.curve is None
    curve = discretize(TABLE.heads, [[[0, 0.1], [0.1, 0]], [[0, 0.3], [0.3, 0]]], TABLE, "macs")
    trial.write_curve(curve)
    found = trial.curve
    assert (found.resource, found.exact) == ("macs", True)
    assert [(point.cost, point.value) for point in found.points] == [(point.cost, point.value) for point in curve]
    assert [point.tree for point in found.points] == [point.tree.id for point in curve]
    assert [point.partitions for point in found.points] == [point.tree.partitions for point in curve]


@pytest.mark.parametrize("change", [{"points": []}, {"schema_version": 2}, {"points": [{"cost": 1}]}, {"exact": "?"}])
def test_a_malformed_file_is_named(trial, change):
    trial.write_curve(discretize(TABLE.heads, [[[0, 1], [1, 0]]] * 2, TABLE, "macs"))
    path = trial.path / "curve.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=r"curve\.json"):
        trial.curve  # noqa: B018
