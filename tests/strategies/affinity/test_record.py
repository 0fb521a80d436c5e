import json

import pytest
import torch
from affinity_toys import toy_problem

from nas.errors import InputError
from nas.strategies.affinity import AffinityRecord


def written(folder, **changes):
    """A record on disk, with changes."""
    problem = toy_problem(folder)
    AffinityRecord.of(problem, "a measure", torch.zeros(2, 3, 3), torch.zeros(2, 3, 3), cost=1.5).write(problem.store)
    path = folder / "affinity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return problem.store


def test_what_is_written_is_read(tmp_path):
    record = AffinityRecord.read(written(tmp_path))
    assert (record.measure, record.tasks, record.cost, record.error_LTT) == ("a measure", ("t0", "t1", "t2"), 1.5, None)
    assert record.unlike_LTT.shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"dissimilarity_LTT": [[[0.0] * 3] * 3]},
            r"dissimilarity_LTT of 3 tasks and 2 blocks has the shape \[2, 3, 3\]",
        ),
        ({"affinity_LTT": [[[0.0] * 3] * 2] * 2}, "affinity_LTT of 3 tasks"),
        ({"error_LTT": [[[0.0] * 2] * 3] * 2}, "error_LTT of 3 tasks"),
        ({"affinity_LTT": [[[float("nan")] * 3] * 3] * 2}, "NaN is not allowed"),
        ({"schema_version": 2}, "schema_version"),
        ({"cost": -1.0}, "cost"),
        ({"more": 1}, "more"),
    ],
)
def test_a_malformed_record_is_refused(changes, words, tmp_path):
    with pytest.raises(InputError, match=words):
        AffinityRecord.read(written(tmp_path, **changes))
