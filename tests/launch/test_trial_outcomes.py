"""What the driver does with trials that have ended."""

import pytest

from nas.launch.run_storage import RunStorage
from nas.launch.trial_outcomes import TrialOutcomes
from nas.run import RunFolder, Trial, TrialFailure, TrialResult, write_outcome

pytest.importorskip("pyarrow")

LOST = TrialFailure(cause="machine", reason="its worker was lost")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "here" / "run")


def test_without_storage_only_what_the_worker_could_not_write_is_written(run):
    collected = TrialOutcomes(run, None, None)
    with collected.until_transferred():
        collected.record(Trial(0, None, 0), TrialResult(), True)
        collected.record(Trial(1, None, 0), LOST, False)
    assert collected.outcomes == {0: TrialResult(), 1: LOST}
    assert run.trial(0).outcome is None
    assert run.trial(1).outcome == LOST


def test_files_come_from_the_storage_and_what_the_driver_writes_goes_there(run, tmp_path):
    storage = RunStorage(str(tmp_path / "storage"), "run")
    elsewhere = RunFolder(tmp_path / "elsewhere")
    for number in (0, 1):
        elsewhere.trial(number).make()
        (elsewhere.trial(number).path / "metrics.jsonl").write_text(f"{number}")
        elsewhere.trial(number).store.checkpoints.save(1, {}, None)
    write_outcome(elsewhere.trial(0).path, TrialResult())
    for number in (0, 1):
        storage.upload_trial(number, elsewhere.trial(number).path)
    collected = TrialOutcomes(run, None, storage)
    with collected.until_transferred():
        collected.record(Trial(0, None, 0), TrialResult(), True)
        collected.record(Trial(1, None, 0), LOST, False)
        # A worker that was lost before it stored anything.
        collected.record(Trial(2, None, 0), LOST, False)
    assert [run.trial(number).outcome for number in (0, 1, 2)] == [TrialResult(), LOST, LOST]
    assert (run.trial(1).path / "metrics.jsonl").read_text() == "1"
    # Of what a worker has finished; nothing may be lost from the storage where the driver writes to it.
    assert [run.trial(number).epochs_done for number in (0, 1)] == [0, 1]
    fetched = RunFolder(tmp_path / "fetched")
    for number in (0, 1, 2):
        assert storage.download_trial(number, fetched.trial(number).path)
    assert [fetched.trial(number).outcome for number in (0, 1, 2)] == [TrialResult(), LOST, LOST]
    assert (fetched.trial(1).path / "metrics.jsonl").read_text() == "1"
    assert [fetched.trial(number).epochs_done for number in (0, 1)] == [1, 1]


def test_a_transfer_that_fails_is_not_passed_over(run, tmp_path, monkeypatch):
    collected = TrialOutcomes(run, None, RunStorage(str(tmp_path / "storage"), "run"))
    (tmp_path / "here").write_text("in the way of the run folder")
    with pytest.raises(Exception, match="here"), collected.until_transferred():
        collected.record(Trial(0, None, 0), LOST, False)
