"""What a measured search learned, in its record: complete, the same after a file, and refused if it does not fit."""

import json

import numpy as np
import pytest
from measured_runs import SEPARATE, SHARED, TASKS, TREE, measured, trainings

from nas.errors import InputError
from nas.files import read_record
from nas.strategies.transfer import TransferRecord
from nas.strategies.transfer.fitting import learned

MODEL, RECORD = measured()


def test_it_has_the_models_numbers():
    np.testing.assert_array_equal(RECORD.effects_LTT, MODEL.effects_LTT)
    np.testing.assert_array_equal(RECORD.errors_LTT, MODEL.errors_LTT)
    variance_TTL = np.diagonal(RECORD.covariances_TTLL, axis1=2, axis2=3)
    # A square of a square root.
    np.testing.assert_allclose(variance_TTL.transpose(2, 0, 1), MODEL.errors_LTT.square(), rtol=1e-12, atol=1e-12)
    assert RECORD.correlation == MODEL.correlation


def test_it_has_the_gains_of_the_given_and_the_trained_trees():
    rows = trainings()[:8]
    model, record = measured(rows)
    every = [TREE, SHARED, SEPARATE, *(row.tree for row in rows)]
    assert set(record.gains) == {tree.id for tree in every}
    means_NT, errors_NT = model.gains(every)
    for tree, means, errors in zip(every, means_NT.tolist(), errors_NT.tolist(), strict=True):
        assert record.gains[tree.id] == dict(zip(TASKS, zip(means, errors, strict=True), strict=True))


def test_trees_of_a_part_of_the_tasks_have_no_gains():
    row = trainings()[0]
    part = row.model_copy(update={"partitions": ((("depth",),),) * 3, "results": {"depth": 0.0}})
    record = measured((*trainings(), part))[1]
    assert part.tree.id not in record.gains


def test_a_file_gives_it_back(tmp_path):
    path = tmp_path / "transfer.json"
    path.write_text(json.dumps(RECORD.model_dump()))
    assert read_record(path, TransferRecord) == RECORD


def test_a_record_of_trainings_alone_has_no_effects():
    record = RECORD.model_copy(update={"effects_LTT": (), "errors_LTT": (), "covariances_TTLL": (), "gains": {}})
    assert record.pair_effects is None
    assert learned(record, MODEL, [TREE]).pair_effects is not None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("effects_LTT", RECORD.effects_LTT[:2], "effects_LTT of 3 tasks and 3 blocks has the shape [3, 3, 3]"),
        ("effects_LTT", (((1.0,), (1.0, 2.0)),), "effects_LTT"),
        ("covariances_TTLL", RECORD.covariances_TTLL[:1], "has the shape [3, 3, 3, 3]"),
        ("gains", {"ab": {"depth": (1.0, 1.0)}}, "gains of tree ab"),
        ("gains", {"ab": dict.fromkeys(TASKS, (1.0, -1.0))}, "greater than or equal to 0"),
        ("correlation", 1.0, "less than 1"),
    ],
)
def test_what_does_not_fit_is_refused(field, value, words, tmp_path):
    path = tmp_path / "transfer.json"
    path.write_text(json.dumps({**RECORD.model_dump(), field: value}))
    with pytest.raises(InputError) as error:
        read_record(path, TransferRecord)
    assert words in str(error.value)
