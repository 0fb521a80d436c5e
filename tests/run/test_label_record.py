"""All labels of a run are looked at once, before anything is trained, and what has no value is said and not scored."""

import io
import json
import math

import pytest
import torch
import torchmetrics
from rich.console import Console
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, toy_tasks

import nas
from nas.cli.tables import cost_table, metric_tables
from nas.commands.check import check
from nas.errors import InputError, WorkFailed
from nas.recipe import Experiment, lazy
from nas.run import LabelRecord, RunFolder, TrainedNetwork, TreeTraining
from nas.run.comparison import Comparison
from nas.tasks import Task
from nas.tasks import survey as surveying
from nas.training import TrainingSettings
from nas.tree import BranchTree, write_tree

TASKS = (*toy_tasks(2), Task(name="flag", num_outputs=1, loss="binary_cross_entropy", metrics=("binary_f1",)))
TREE = BranchTree.shared(("t0", "t1", "flag"), 2)


class Data(ToyData):
    """`ToyData` with labels of yes and no; ``change(source)`` makes what a test needs."""

    def __init__(self, change=lambda data: None):
        super().__init__(toy_tasks(2), size=24)
        for number, part in enumerate(self.splits.values()):
            flags = (torch.arange(24) % (number + 2) == 0).float().view(24, 1)
            part.labels["flag"], part.present["flag"] = flags, torch.ones(24, dtype=torch.bool)
        change(self)


def new_experiment(change=lambda data: None, tasks=TASKS, strategy="similarity", **fields):
    return Experiment(
        tasks=tasks,
        backbone=lazy(VectorBackbone, num_blocks=2),
        data=lazy(Data, change=change),
        input_shape=(IN_FEATURES,),
        goal=nas.Goal(budgets=(0.9,)),
        strategies={
            "similarity": nas.Similarity(epochs=1, batch_size=12, candidates="plain"),
            "gradient": nas.Gradient(epochs=1, batch_size=12, candidates="plain"),
        },
        strategy=strategy,
        retrain=TrainingSettings(epochs=1, batch_size=12),
        compare=nas.CompareSettings(seeds=(0,), random_trees=0),
        device="cpu",
        num_threads=1,
        **fields,
    )


def setting(split, task, value):
    """A change of all labels of a task in a split."""

    def change(data):
        data.splits[split].labels[task][:] = value

    return change


def without(split, task):
    def change(data):
        data.splits[split].present[task][:] = False

    return change


@pytest.fixture
def looked(monkeypatch):
    """Which splits are looked at."""
    seen = []
    survey = surveying.survey

    def counted(tasks, dataset, where, **settings):
        seen.append(where)
        return survey(tasks, dataset, where, **settings)

    monkeypatch.setattr("nas.run.labels.survey", counted)
    return seen


def test_a_run_looks_once_at_each_split(tmp_path, looked):
    run = nas.search(new_experiment(strategy="gradient"), out=tmp_path / "run")
    assert looked == [f"split {name!r}" for name in ("train", "architecture", "validation", "test")]
    nas.retrain(run.path, recipe=new_experiment(strategy="gradient"))
    nas.compare(run.path, recipe=new_experiment(strategy="gradient"))
    nas.evaluate(run.path, recipe=new_experiment(strategy="gradient"))
    assert len(looked) == 4
    nas.evaluate(
        run.path, recipe=new_experiment(strategy="gradient"), changes={"retrain.batch_size": 8}, split="validation"
    )
    assert len(looked) == 4


def test_other_tasks_or_more_samples_are_looked_at_again_and_a_file_that_is_none_is_forgotten(tmp_path, looked):
    path, experiment = tmp_path / "labels.json", new_experiment()
    for content in ("", "{}", '{"splits": {"train": 3}}', '{"splits": {"train": {"key": "", "tasks": {"a": {}}}}}'):
        path.write_text(content)
        LabelRecord(path).check_all(experiment, experiment.data())
        assert set(json.loads(path.read_text())["splits"]) == {"train", "architecture", "validation", "test"}
    assert len(looked) == 16
    LabelRecord(path).require(experiment, experiment.data())
    assert len(looked) == 16
    other = new_experiment(tasks=TASKS[:2])
    LabelRecord(path).require(other, other.data(), ["test"])
    assert len(looked) == 17


@pytest.mark.parametrize("strategy", ["similarity", "gradient"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("test", "t0", 7), "split 'test', sample 0: task t0: its label holds class 7"),
        (setting("validation", "flag", 128), "split 'validation', sample 0: task flag: its label holds 128"),
        (setting("train", "flag", 0), "split 'train': the known labels of flag are all alike, 0"),
        (setting("train", "t0", 1), "split 'train': the known labels of t0 are all alike, 1"),
        (setting("train", "t1", math.nan), "split 'train': no sample has a label of t1 with a value"),
        (without("validation", "t1"), "split 'validation': no sample has a label of t1 with a value"),
        (lambda data: data.splits["test"].inputs.fill_(math.nan), "NaN in the input of sample 0 of split 'test'"),
    ],
    ids=["class", "grey", "alike", "one class", "no value", "no label", "input"],
)
def test_what_cannot_be_trained_or_measured_is_refused_before_a_folder_is_made(tmp_path, strategy, change, message):
    experiment, out = new_experiment(change, strategy=strategy), tmp_path / "run"
    tree = tmp_path / "tree.json"
    write_tree(TREE, tree)
    for command in (
        lambda: check(experiment),
        lambda: nas.search(experiment, out=out),
        lambda: nas.retrain(experiment, tree=tree, out=out),
    ):
        with pytest.raises(InputError, match=message):
            command()
        assert not out.exists()


def test_a_mask_of_0_and_255_is_told_what_255_is():
    def change(data):
        for part in data.splits.values():
            part.labels["flag"] *= 255

    with pytest.raises(
        InputError, match=r"all alike, 0 \(\d+ of 24 entries have none: .* 255; a mask of 0 and 255 has"
    ):
        check(new_experiment(change))


def test_only_a_gradient_search_needs_labels_in_the_architecture_split(caplog):
    change = without("architecture", "t1")
    with pytest.raises(InputError, match="split 'architecture': no sample has a label of t1"):
        check(new_experiment(change, strategy="gradient"))
    assert any("split 'architecture'" in warning for warning in check(new_experiment(change)).warnings)


def test_a_metric_that_epochs_are_chosen_by_needs_both_kinds_of_labels():
    experiment = new_experiment(setting("validation", "flag", 1.0))
    assert "are all alike, 1" in check(experiment).warnings[0]
    with pytest.raises(InputError, match=r"retrain\.stop_on chooses epochs by one of its metrics"):
        check(experiment.with_fields({"retrain.stop_on": {"flag.binary_f1": 1.0}}))


@pytest.mark.parametrize("missing", ["labels", "kinds"])
def test_what_a_test_split_lacks_has_no_value_in_files_tables_and_delta_m(tmp_path, missing, caplog):
    change = without("test", "flag") if missing == "labels" else setting("test", "flag", 0.0)
    experiment, out = new_experiment(change, strategy="gradient"), tmp_path / "run"
    nas.search(experiment, out=out)
    assert "split 'test'" in caplog.text
    trained = nas.retrain(out, recipe=experiment)
    assert math.isnan(trained.test["flag"]["binary_f1"])
    (result,) = out.glob("retrained/*/*/result.json")
    assert json.loads(result.read_text())["test"]["flag"]["binary_f1"] is None
    assert math.isnan(TrainedNetwork.read(result).test["flag"]["binary_f1"])
    comparison = nas.compare(out, recipe=experiment)
    assert comparison.tasks == ("t0", "t1")
    assert all(math.isfinite(row.delta_m) for row in comparison.rows)
    assert all(math.isnan(row.relative["flag"][0]) for row in comparison.rows)
    # The same, read from the file.
    again = type(comparison).read(out / "compare")
    assert math.isnan(again.rows[1].metrics["flag"]["binary_f1"])
    assert again.rows[1].delta_m == comparison.rows[1].delta_m
    evaluation = nas.evaluate(out, recipe=experiment)
    assert math.isnan(evaluation.relative["flag"])
    assert evaluation.to_dict()["measured"]["flag"]["binary_f1"] is None
    assert "no gain is known for flag" in nas.choose(out).describe()


class Never(torchmetrics.MeanMetric):
    """What a network has that never finds a rare attribute: 0."""

    higher_is_better = True

    def update(self, outputs, labels):
        super().update(0 * outputs)


def never(task):
    return Never()


def test_a_single_task_network_with_0_leaves_the_rest_of_the_table(tmp_path, caplog):
    rare = Task(name="flag", num_outputs=1, loss="binary_cross_entropy", metrics=(never,))
    experiment, out = new_experiment(tasks=(*TASKS[:2], rare), strategy="gradient"), tmp_path / "run"
    nas.search(experiment, out=out)
    comparison = nas.compare(out, recipe=experiment, margin=1e6)
    assert "flag cannot be judged" in caplog.text
    assert comparison.rows[0].metrics["flag"]["never"] == 0
    assert comparison.tasks == ("t0", "t1")
    for row in comparison.rows:
        assert math.isnan(row.relative["flag"][0])
        assert row.delta_m == pytest.approx((row.relative["t0"][0] + row.relative["t1"][0]) / 2)
    assert any(verdict.startswith("flag is left out of delta_m") for verdict in comparison.verdicts)
    read = Comparison.read(out / "compare")
    for table in (cost_table(read), *metric_tables(read, 80)):
        Console(file=(text := io.StringIO()), width=80).print(table)
        assert "nan" not in text.getvalue()
    assert "delta_m is over t0, t1" in str(cost_table(read).caption)


def test_without_any_gain_there_is_a_table_and_no_verdict(tmp_path):
    tasks = tuple(task.model_copy(update={"metrics": (never,)}) for task in TASKS)
    experiment, out = new_experiment(tasks=tasks), tmp_path / "run"
    nas.search(experiment, out=out)
    comparison = nas.compare(out, recipe=experiment)
    assert comparison.tasks == ()
    assert all(math.isnan(row.delta_m) for row in comparison.rows)
    assert comparison.verdicts[0].startswith("no gain over single-task networks is known")
    assert "delta_m has no value" in nas.choose(out).describe()
    Console(file=(text := io.StringIO()), width=80).print(cost_table(Comparison.read(out / "compare")))
    assert "no value" in text.getvalue()


class Late:
    """A split whose samples are spoilt from the second epoch on, after all have been looked at."""

    def __init__(self, data, spoil, epoch=0):
        self.data, self.spoil, self.epoch = data, spoil, epoch

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, labels = self.data[index]
        return self.spoil(image, labels) if self.epoch == 1 else (image, labels)

    def at_epoch(self, seed, epoch):
        return Late(self.data, self.spoil, epoch)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, labels: (x * math.nan, labels), r"^data: NaN in the input of sample \d+"),
        (lambda x, labels: (x / 0, labels), r"^data: (NaN|inf) in the input of sample \d+"),
        (
            lambda x, labels: (x, {**labels, "t1": labels["t1"] / 0}),
            r"^epoch 2: the (training )?loss of t\d is .*: batch \d of.* has a label of the task that holds -?inf",
        ),
    ],
    ids=["NaN", "inf", "labels"],
)
@pytest.mark.parametrize("work", ["similarity", "gradient", "retrain"])
def test_what_is_not_finite_later_is_named_and_not_the_learning_rate(tmp_path, spoil, message, work):
    def change(data):
        data.splits["train"] = Late(data.splits["train"], spoil)

    tasks = toy_tasks(2)
    epochs = {"strategy.epochs": 2, "retrain.epochs": 2}
    experiment = new_experiment(change, tasks=tasks, strategy="gradient" if work == "gradient" else "similarity")
    experiment = experiment.with_fields(epochs)

    def begin():
        if work != "retrain":
            return nas.search(experiment, out=tmp_path / "run")
        training = TreeTraining(RunFolder(tmp_path), experiment, BranchTree.shared(("t0", "t1"), 2), 0, "fresh")
        return training.train(experiment.data(), DEVICE)

    with pytest.raises(InputError, match=message):
        begin()


def test_a_learning_rate_is_blamed_where_inputs_and_labels_are_finite(tmp_path):
    own = Task(name="t1", num_outputs=2, loss=lambda outputs, labels: outputs.sum() / 0, metrics=("rmse",))
    with pytest.raises(WorkFailed, match="lower the learning rate"):
        nas.search(new_experiment(tasks=(TASKS[0], own)), out=tmp_path / "run")


def test_check_compares_inputs_losses_and_classes(caplog):
    def change(data):
        for part in data.splits.values():
            part.labels["t0"] = (torch.arange(24) % 12 == 0).long()
            part.labels["t1"] *= 1000

    report = check(new_experiment(change))
    assert report.samples == dict.fromkeys(("train", "architecture", "validation", "test"), 24)
    labels = report.to_dict()["labels"]["train"]
    assert labels["t0"]["balance"] == {"commonest": pytest.approx(22 / 24), "absent": 1}
    assert labels["t0"]["chance"]["accuracy"] == pytest.approx(22 / 24)
    assert labels["flag"]["balance"] == {"positive": 0.5}
    assert labels["flag"]["chance"]["loss"] == pytest.approx(math.log(2))
    assert labels["t1"]["chance"]["loss"] == pytest.approx(labels["t1"]["chance"]["rmse"] ** 2)
    (warning,) = report.warnings
    assert warning.startswith("the first loss of t1 times its weight is ")
