"""One trial on a worker, without Ray: what it writes, what it reports, and how it goes on elsewhere."""

import shutil
from pathlib import Path

import pytest
from toys import assert_same

pytest.importorskip("ray")

from nas.engine.checkpoint import load_tensors
from nas.errors import InputError, StorageFailed
from nas.launch.run_storage import RunStorage
from nas.launch.session import Resources
from nas.launch.worker import Assignment, TrialFailed, load_experiment, train
from nas.recipe import module_hashes, recipe_hash
from nas.run import Trial, TrialFailure, TrialResult, plan_trials
from nas.run.opened_run import begin_run, new_run
from nas.run.search_trial import run_trial

RECIPE = Path(__file__).with_name("toy_trials.py")
NEEDED = Resources(1, 0.0)


class Reports:
    """What a trainable reports; the process of the trial ends at the report of some epoch."""

    def __init__(self, end_at=None):
        self.end_at = end_at
        self.results = []

    def __call__(self, result):
        self.results.append(result)
        if self.end_at is not None and result.get("epoch") == self.end_at:
            raise SystemExit


@pytest.fixture
def reports(monkeypatch):
    def install(end_at=None):
        found = Reports(end_at)
        monkeypatch.setattr("ray.tune.report", found)
        return found

    return install


def begin(folder, storage=None, **changes):
    """A new run and what a worker is told of it."""
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    run = new_run(RECIPE, folder, overrides)
    begin_run(run, RECIPE, overrides)
    assignment = Assignment(str(RECIPE), None, recipe_hash(RECIPE), overrides, str(folder), 1, storage)
    return run, assignment


def trial_of(run, number=0):
    return plan_trials(run.experiment)[number]


def work(assignment, trial):
    train(assignment, run_trial, NEEDED, {"trial": trial.to_dict()})


def files(folder):
    """Everything that a result is made of."""
    names = ["metrics.jsonl", "costs.json", "curve.json", "result.json", "trial.json"]
    trees = {path.name: path.read_bytes() for path in (folder / "trees").iterdir()}
    return {name: (folder / name).read_bytes() for name in names}, trees


def test_a_worker_leaves_what_a_search_in_this_process_leaves_and_reports_every_epoch(tmp_path, reports):
    found = reports()
    run, assignment = begin(tmp_path / "worker", trials__budgets=[0.6, 0.9], trials__seeds=2)
    trial = trial_of(run, 3)
    work(assignment, trial)
    here, _ = begin(tmp_path / "here", trials__budgets=[0.6, 0.9], trials__seeds=2)
    result = run_trial(trial.experiment(here.experiment), trial, here.folder, here.device)
    assert files(run.folder.trial(3).path) == files(here.folder.trial(3).path)
    assert run.folder.trial(3).outcome == result
    assert run.folder.trial(3).setting == trial
    assert found.results[0] == {"num_epochs": 4, "epochs_done": 0}
    assert [report["epoch"] for report in found.results[1:-1]] == [1, 2, 3, 4]
    # There is nothing to compare trials by during the warm-up, which is the first epoch, nor to stop after the last.
    assert ["score" in report for report in found.results[1:-1]] == [False, True, True, False]
    assert TrialResult.model_validate(found.results[-1]["outcome"]) == result


def test_a_module_that_was_edited_since_the_driver_began_is_refused(tmp_path):
    recipe, module = tmp_path / "recipe.py", tmp_path / "net_of_a_worker.py"
    module.write_text("width = 8")
    recipe.write_text(f"import {module.stem}\n{RECIPE.read_text()}")
    hashes = {"recipe": str(recipe), "sha256": recipe_hash(recipe), "modules": module_hashes(recipe)}
    assignment = Assignment(**hashes, relative=None, overrides={}, run=str(tmp_path / "run"), num_threads=1)
    assert load_experiment(assignment).task_names == ("t0", "t1", "t2")
    module.write_text("width = 16")
    with pytest.raises(InputError, match=f"imports {module.stem}, which differ on the worker"):
        load_experiment(assignment)


def test_a_finished_trial_is_not_repeated(tmp_path, reports):
    run, assignment = begin(tmp_path / "run")
    reports()
    work(assignment, trial_of(run))
    before = {path: path.stat().st_mtime_ns for path in run.folder.path.rglob("*.pt")}
    again = reports()
    work(assignment, trial_of(run))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [list(report) for report in again.results] == [["num_epochs", "epochs_done"], ["outcome"]]


def test_a_trial_that_moves_goes_on_from_the_storage_to_the_same_result(tmp_path, reports):
    """The machine that began it is gone with its scratch folder; the run folder is not shared."""
    storage = (str(tmp_path / "storage"), "run")
    run, assignment = begin(tmp_path / "undisturbed")
    reports()
    work(assignment, trial_of(run))
    moved, assignment = begin(tmp_path / "moved", storage)
    reports(end_at=2)
    with pytest.raises(SystemExit):
        work(assignment, trial_of(moved))
    assert not (moved.folder.path / "trials").exists()
    found = reports()
    work(assignment, trial_of(moved))
    assert found.results[0]["epochs_done"] == 2
    RunStorage(*storage).download_trial(0, moved.folder.trial(0).path)
    assert files(moved.folder.trial(0).path) == files(run.folder.trial(0).path)
    last = [load_tensors(each.folder.trial(0).store.checkpoints.path(4)) for each in (run, moved)]
    assert_same(last[0], last[1])


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"data__fault": "nan"}, "input", "NaN in the input of sample 0"),
        ({"data__fault": "bug"}, "input", "KeyError"),
        ({"strategy__weights__lr": 1e30}, "work", "loss of t"),
    ],
)
def test_a_failure_that_would_come_again_is_an_outcome(tmp_path, reports, changes, cause, words):
    run, assignment = begin(tmp_path / "run", **changes)
    found = reports()
    work(assignment, trial_of(run))
    outcome = run.folder.trial(0).outcome
    assert isinstance(outcome, TrialFailure)
    assert (outcome.cause, words in outcome.reason) == (cause, True)
    assert found.results[-1] == {"outcome": outcome.model_dump()}
    assert "Traceback" in (run.folder.trial(0).path / "output.txt").read_text()


def test_a_failure_of_the_machine_is_raised_so_that_tune_tries_again(tmp_path, reports):
    run, assignment = begin(tmp_path / "run", data__fault="memory")
    reports()
    with pytest.raises(TrialFailed) as raised:
        work(assignment, trial_of(run))
    assert raised.value.cause == "machine"
    assert "out of memory" in raised.value.reason
    assert run.folder.trial(0).outcome is None
    # It travels to the driver.
    import pickle

    assert pickle.loads(pickle.dumps(raised.value)).reason == raised.value.reason


def test_storage_that_fails_once_does_not_fail_the_trial(tmp_path, reports, monkeypatch):
    upload, calls = RunStorage.upload_trial, []

    def fail_once(self, number, folder):
        calls.append(number)
        if len(calls) == 2:
            raise StorageFailed("slow down")
        upload(self, number, folder)

    monkeypatch.setattr(RunStorage, "upload_trial", fail_once)
    storage = (str(tmp_path / "storage"), "run")
    run, assignment = begin(tmp_path / "run", storage)
    reports()
    with pytest.raises(TrialFailed, match="slow down") as raised:
        work(assignment, trial_of(run))
    assert raised.value.cause == "machine"
    found = reports()
    work(assignment, trial_of(run))
    assert found.results[0]["epochs_done"] == 2
    assert TrialResult.model_validate(found.results[-1]["outcome"]).points


def test_an_earlier_failure_is_no_outcome_of_a_later_try(tmp_path, reports):
    run, assignment = begin(tmp_path / "run")
    from nas.run import write_outcome

    run.folder.trial(0).make()
    write_outcome(run.folder.trial(0).path, TrialFailure(cause="machine", reason="lost"))
    reports()
    work(assignment, trial_of(run))
    assert isinstance(run.folder.trial(0).outcome, TrialResult)
    assert not (run.folder.trial(0).path / "failure.json").exists()


def test_a_worker_with_another_recipe_or_none_says_so(tmp_path, reports):
    recipe = tmp_path / "recipe.py"
    shutil.copy(RECIPE, recipe)
    text = recipe.read_text().replace("sys.path.append(str(Path(__file__).parents[1]))", "")
    recipe.write_text(text + "# another\n")
    run, assignment = begin(tmp_path / "run")
    for path, words in ((recipe, "differs from the driver's"), (tmp_path / "gone.py", "not on the worker")):
        reports()
        work(Assignment(str(path), None, assignment.sha256, {}, assignment.run, 1), trial_of(run))
        outcome = run.folder.trial(0).outcome
        assert isinstance(outcome, TrialFailure)
        assert words in outcome.reason


def test_a_job_that_is_brought_by_ray_finds_the_recipe_in_its_working_folder(tmp_path, reports, monkeypatch):
    run, assignment = begin(tmp_path / "run")
    monkeypatch.chdir(RECIPE.parent)
    reports()
    moved = Assignment("/driver/toy_trials.py", "toy_trials.py", assignment.sha256, {}, assignment.run, 1)
    work(moved, Trial(0, None, 0))
    assert isinstance(run.folder.trial(0).outcome, TrialResult)


def test_a_value_that_its_field_cannot_have_fails_its_trial_alone(tmp_path, reports):
    run, assignment = begin(tmp_path / "run")
    reports()
    work(assignment, Trial(5, 0.0001, 0))
    outcome = run.folder.trial(5).outcome
    assert isinstance(outcome, TrialFailure)
    assert outcome.cause == "input"
    assert "smallest feasible budget" in outcome.reason
