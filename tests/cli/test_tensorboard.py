"""Logs of a search for TensorBoard, written beside the metrics of its trial."""

import sys

from small_digits import RECIPE, changes, refused

from nas.cli.main import run


def scalars(folder):
    """By tag, the steps that TensorBoard reads from a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_search_logs_every_epoch_once(tmp_path):
    folder = tmp_path / "run"
    arguments = ["search", RECIPE, "--out", str(folder), *changes()]
    assert run([*arguments, "--tensorboard"]) == 0
    found = scalars(folder / "trials/0/tensorboard")
    assert found["weights/total"] == found["weights/tasks/ink"] == [1, 2]
    # One number for each block.
    assert {f"entropy/{l}" for l in range(3)} <= found.keys()
    assert all(steps == sorted(set(steps)) for steps in found.values())


def test_a_search_without_tensorboard_is_refused_before_it_begins(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    folder = tmp_path / "run"
    error = refused(capsys, "search", RECIPE, "--out", folder, "--tensorboard", *changes())
    assert "pip install 'branched-nas[train]'" in error
    assert not folder.exists()
