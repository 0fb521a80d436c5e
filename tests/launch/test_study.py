"""What Optuna proposes, remembers over a stop, and shows to its own tools."""

from pathlib import Path

import pytest
from small_digits import RECIPE

from nas.errors import InputError
from nas.recipe import load_recipe
from nas.run import Point, Quality, TrialFailure, TrialResult, plan_trials

optuna = pytest.importorskip("optuna")

from nas.launch.study import NAME, Proposals  # noqa: E402

RANGES = {
    "strategy.logits.lr": {"kind": "loguniform", "low": 1e-3, "high": 1e-1},
    "strategy.epochs": {"kind": "int", "low": 1, "high": 9},
    "strategy.temperature": {"kind": "choice", "values": [[5.0, 0.1], [1.0, 0.5]]},
}


def experiment(**changes):
    settings = {"budgets": [0.5, 0.7], "ranges": RANGES, "num_samples": 6, **changes}
    fields = {f"trials.{name}": value for name, value in settings.items()}
    return load_recipe(Path(RECIPE), {"strategy": "gradient", **fields})


def proposals(whole, folder):
    return Proposals(whole, folder, plan_trials(whole))


def result(trial):
    """A quality that the proposed values decide, and the budget as the cost."""
    quality = Quality(value=-trial.values["strategy.logits.lr"], measure="toy", kind="estimated")
    tree = f"trials/{trial.number}/trees/ab.json"
    cost = {"macs": 100 * (trial.budget or 1), "params": 1.0}
    return TrialResult(points=(Point(tree=tree, trial=trial.number, seed=0, budget=None, cost=cost, quality=quality),))


def run(whole, folder, numbers, *, stops=()):
    """Propose and tell one trial after the other; `stops` are where the process ends between the two."""
    found, study = [], proposals(whole, folder)
    for number in numbers:
        if number in stops:
            study.next(number)
            study = proposals(whole, folder)
        trial = study.next(number)
        study.tell(number, result(trial))
        found.append(trial)
    return found


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_a_study_that_is_stopped_and_continued_proposes_what_it_would_have(tmp_path, sampler):
    whole = experiment(sampler=sampler)
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    undisturbed = run(whole, tmp_path / "whole", range(12))
    assert run(whole, tmp_path / "stopped", range(12), stops=(3, 11)) == undisturbed
    assert len({str(trial.values) for trial in undisturbed}) == 12
    for trial in undisturbed:
        trial.experiment(whole)


def test_values_are_in_their_ranges_and_budgets_are_the_plans(tmp_path):
    whole = experiment(sampler="random")
    found = run(whole, tmp_path, range(12))
    assert [trial.budget for trial in found] == [0.5, 0.7] * 6
    assert all(1e-3 <= trial.values["strategy.logits.lr"] <= 1e-1 for trial in found)
    assert {type(trial.values["strategy.epochs"]) for trial in found} == {int}
    assert {str(trial.values["strategy.temperature"]) for trial in found} == {"[5.0, 0.1]", "[1.0, 0.5]"}
    # Half of a log-uniform range over two decades lies below its middle, 1e-2: of twelve draws all on one side would
    # have a probability of 2 in 4096.
    assert 0 < sum(trial.values["strategy.logits.lr"] < 1e-2 for trial in found) < 12


def test_optuna_learns_from_what_it_is_told(tmp_path):
    """After many trials TPE proposes better values than chance, for which the mean of log10(lr) is -2."""
    import math

    whole = experiment(num_samples=30, budgets=[0.5], objectives=["quality"])
    found = run(whole, tmp_path, range(30))
    late = [math.log10(trial.values["strategy.logits.lr"]) for trial in found[15:]]
    # Chance: mean -2, standard error 2 / sqrt(12) / sqrt(15) = 0.15; three of these below.
    assert sum(late) / len(late) < -2.45


def test_a_trial_that_failed_is_proposed_again_with_the_same_values(tmp_path):
    whole = experiment()
    study = proposals(whole, tmp_path)
    first = study.next(0)
    study.tell(0, TrialFailure(cause="machine", reason="lost"))
    again = proposals(whole, tmp_path)
    assert again.next(0) == first
    again.tell(0, result(first))
    states = [trial.state.name for trial in again._study.trials]
    assert states == ["FAIL", "COMPLETE"]


def test_what_is_told_twice_or_of_a_stopped_trial_counts_once(tmp_path):
    whole = experiment()
    study = proposals(whole, tmp_path)
    trial = study.next(0)
    study.tell(0, result(trial))
    study.tell(0, result(trial))
    study.next(1)
    study.tell(1, TrialResult(status="stopped"))
    # The estimates of a search that learned nothing are no values to learn from.
    (point,) = result(study.next(2)).points
    study.tell(2, TrialResult(points=(point.model_copy(update={"withheld": "task a has learned nothing"}),)))
    assert [trial.state.name for trial in study._study.trials] == ["COMPLETE", "PRUNED", "PRUNED"]


def test_optunas_own_tools_open_the_study(tmp_path):
    whole = experiment(num_samples=2)
    run(whole, tmp_path, range(4))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.journal"))
    study = optuna.load_study(study_name=NAME, storage=optuna.storages.JournalStorage(backend))
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert [trial.user_attrs["trial"] for trial in study.trials] == [0, 1, 2, 3]
    assert [trial.params["budget"] for trial in study.trials] == [0.5, 0.7, 0.5, 0.7]
    assert [trial.values[1] for trial in study.trials] == [50.0, 70.0, 50.0, 70.0]


def test_another_file_in_its_place_is_named(tmp_path):
    (tmp_path / "study.journal").write_text("no journal\n" * 3)
    with pytest.raises(InputError, match=r"study\.journal"):
        proposals(experiment(), tmp_path)


def test_what_a_killed_driver_leaves_of_the_journal_is_mended(tmp_path):
    whole = experiment()
    first = run(whole, tmp_path, range(3))
    journal = tmp_path / "study.journal"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id"')
    (tmp_path / "study.journal.lock").symlink_to(journal)
    study = proposals(whole, tmp_path)
    assert study.next(2).values == first[2].values
    study.tell(2, result(first[2]))
    assert journal.read_bytes().endswith(b"\n")


def test_a_driver_killed_while_it_asked_leaves_no_half_proposals(tmp_path):
    """A trial that was enqueued and not asked for, and one that has got some of its values."""
    whole = experiment(sampler="random", budgets=[])
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    expected = run(whole, tmp_path / "undisturbed", range(3))
    assert run(whole, tmp_path / "killed", range(1)) == expected[:1]

    study = proposals(whole, tmp_path / "killed")._study
    study.enqueue_trial({}, user_attrs={"trial": 1, "seed": 0})
    study.ask().suggest_int("strategy.epochs", 1, 9)
    study.enqueue_trial({}, user_attrs={"trial": 2, "seed": 0})
    assert run(whole, tmp_path / "killed", (2, 1)) == [expected[2], expected[1]]
