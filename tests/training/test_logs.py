import csv
import sys

import pytest

from nas.errors import InputError
from nas.training.logs import EpochLogs, as_csv, flat


def history(num_epochs):
    return [
        {
            "epoch": epoch,
            "training": {"total": 1.0 / (epoch + 1), "tasks": {"a": 0.5}},
            "validation": {"total": 2.0, "tasks": {"a": {"loss": 2.0, "rmse": 0.1 * epoch}}},
        }
        for epoch in range(num_epochs)
    ]


def scalars(folder):
    """By tag, the (step, value) pairs of all event files of a folder, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_numbers_have_dotted_names():
    assert flat(history(1)[0]) == {
        "epoch": 0,
        "training.total": 1.0,
        "training.tasks.a": 0.5,
        "validation.total": 2.0,
        "validation.tasks.a.loss": 2.0,
        "validation.tasks.a.rmse": 0.0,
    }


def test_a_csv_has_a_line_per_epoch_with_all_digits():
    rows = list(csv.DictReader(as_csv(history(3)).splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["training.total"]) for row in rows] == [1.0, 1 / 2, 1 / 3]


def test_what_an_epoch_lacks_is_empty():
    first, second = history(2)
    del first["training"]["tasks"]["a"]
    rows = list(csv.DictReader(as_csv([first, second]).splitlines()))
    assert [row["training.tasks.a"] for row in rows] == ["", "0.5"]
    assert as_csv([]).strip() == ""


def test_a_training_that_goes_on_logs_nothing_twice(tmp_path):
    with EpochLogs(tmp_path, ("csv", "tensorboard")) as logs:
        for num_epochs in range(4):
            logs.write(history(num_epochs))
    # Killed before its fourth checkpoint was there: the process that goes on knows of two epochs.
    with EpochLogs(tmp_path, ("csv", "tensorboard")) as logs:
        for num_epochs in (2, 3, 4):
            logs.write(history(num_epochs))
    assert (tmp_path / "metrics.csv").read_text() == as_csv(history(4))
    found = scalars(tmp_path / "tensorboard")
    assert set(found) == {name.replace(".", "/") for name in flat(history(1)[0])} - {"epoch"}
    for tag, events in found.items():
        assert [step for step, _ in events] == [1, 2, 3, 4], tag
    # TensorBoard keeps single precision.
    assert [value for _, value in found["training/total"]] == pytest.approx([1.0, 1 / 2, 1 / 3, 1 / 4], rel=1e-6)


def test_without_logs_there_are_no_files(tmp_path):
    with EpochLogs(tmp_path, ()) as logs:
        logs.write(history(2))
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_is_needed_by_those_who_ask_for_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    EpochLogs(tmp_path, ("csv",))
    with pytest.raises(InputError, match=r"needs tensorboard, which is not installed: pip install 'branched-nas\["):
        EpochLogs(tmp_path, ("tensorboard",))
