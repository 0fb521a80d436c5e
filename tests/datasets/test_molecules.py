"""Fingerprints and effects, value for value."""

import numpy as np
import pytest
import torch

from nas.data import SPLITS
from nas.datasets.molecules import Molecules
from nas.errors import InputError


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (40, 3)).astype(np.int8)
    bits = rng.integers(0, 2, (40, 24)).astype(np.uint8)
    return {"X_packed": np.packbits(bits, axis=1), "Y": labels, "y_names": np.array(["NR-AR", "SR p53", "7th"])}


def test_bits_and_labels_are_those_of_the_file(tmp_path, arrays):
    np.savez(tmp_path / "tox21.npz", **arrays)
    source = Molecules(tmp_path)
    assert [task.name for task in source.tasks] == ["NR_AR", "SR_p53", "task_7th"]
    bits = np.unpackbits(arrays["X_packed"], axis=1)
    rows = {row.tobytes(): i for i, row in enumerate(bits)}
    seen = []
    for name in SPLITS:
        split = source.split(name)
        for index in range(len(split)):
            inputs, labels = split[index]
            row = rows[inputs.to(torch.uint8).numpy().tobytes()]
            seen.append(row)
            for t, task in enumerate(source.tasks):
                expected = arrays["Y"][row, t]
                assert (task.name in labels) == (expected >= 0)
                if expected >= 0:
                    assert labels[task.name].tolist() == [float(expected)]
    assert sorted(seen) == list(range(40))
    assert len(Molecules(tmp_path, most_tasks=2).tasks) == 2
    for number in (0, -1):
        with pytest.raises(InputError, match=f"most_tasks is {number}, must be at least 1"):
            Molecules(tmp_path, most_tasks=number)


def test_files_of_another_form_name_themselves(tmp_path, arrays):
    with pytest.raises(InputError, match=r"tox21\.npz: no such file"):
        Molecules(tmp_path)
    path = tmp_path / "tox21.npz"
    for changes, words in (
        ({"Y": arrays["Y"].astype(float)}, "Y holds float64 of 2 dimensions"),
        (
            {"X_packed": arrays["X_packed"].astype(np.uint16)},
            "X_packed holds uint16 of 2 dimensions; it must hold uint8",
        ),
        ({"Y": arrays["Y"][:30]}, r"40 fingerprints, labels of shape \[30, 3\] and 3 names"),
        ({"y_names": arrays["y_names"].astype(object)}, "damaged"),
    ):
        np.savez(path, **{**arrays, **changes})
        with pytest.raises(InputError, match=words):
            Molecules(tmp_path)
    np.savez(path, X_packed=arrays["X_packed"])
    with pytest.raises(InputError, match="has no array 'Y'"):
        Molecules(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"tox21\.npz: damaged"):
        Molecules(tmp_path)
