import math

import pytest
import torch
import torchmetrics
from torchmetrics.functional import mean_absolute_error, mean_squared_error
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score
from toys import DEVICE, NUM_CLASSES, ToyData, VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.data import batches
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.tasks import METRICS, Task
from nas.training import estimate_batch_statistics, try_metrics
from nas.training.evaluate import evaluate
from nas.tree import BranchTree

TASKS = toy_tasks(3)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 1, 1]])


def new_network(dropout=0.0, tree=TREE):
    return seeded(lambda: BranchedNetwork(VectorBackbone(2, dropout=dropout), TASKS, tree))


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_evaluation_is_torchmetrics_over_all_labelled_samples(batch_size):
    network, dataset = new_network(dropout=0.5), ToyData(TASKS, size=45, missing=0.4).split("validation")
    measured = evaluate(network, TASKS, dataset, batch_size=batch_size, device=DEVICE)
    with torch.no_grad():
        outputs = network.eval()(dataset.inputs)
    expected = {}
    for task in TASKS:
        rows = dataset.present[task.name]
        assert 0 < rows.sum() < len(rows)
        output, label = outputs[task.name][rows], dataset.labels[task.name][rows]
        if task.loss == "cross_entropy":
            expected[task.name] = {
                "loss": torch.nn.functional.cross_entropy(output, label),
                "accuracy": multiclass_accuracy(output, label, NUM_CLASSES, average="micro"),
                "f1": multiclass_f1_score(output, label, NUM_CLASSES, average="macro"),
            }
        else:
            expected[task.name] = {
                "loss": torch.nn.functional.mse_loss(output, label),
                "rmse": mean_squared_error(output, label, squared=False),
                "mae": mean_absolute_error(output, label),
            }
    assert list(measured) == list(expected)
    for name, values in expected.items():
        assert list(measured[name]) == list(values)
        # Sums of about 30 terms in single precision, in another order.
        assert measured[name] == pytest.approx({key: value.item() for key, value in values.items()}, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_network_and_the_generator_alone(training):
    network = new_network(dropout=0.5).train(training)
    state, generator = copied_state(network), torch.get_rng_state()
    evaluate(network, TASKS, ToyData(TASKS).split("test"), batch_size=8, device=DEVICE)
    assert network.training == training
    assert torch.equal(torch.get_rng_state(), generator)
    torch.testing.assert_close(copied_state(network), state, rtol=0, atol=0)


def test_only_the_networks_tasks_are_measured():
    network = new_network(tree=TREE.restricted_to(["t1"]))
    measured = evaluate(network, TASKS, ToyData(TASKS).split("test"), batch_size=8, device=DEVICE)
    assert list(measured) == ["t1"]


@pytest.mark.parametrize("missing", ["labels", "values"])
def test_a_task_without_any_value_has_none(missing):
    data, whole = (ToyData(TASKS).split("test") for _ in range(2))
    if missing == "labels":
        data.present["t0"][:] = data.present["t1"][:] = False
    else:
        data.labels["t0"][:], data.labels["t1"][:] = -1, math.nan
    measured, expected = (evaluate(new_network(), TASKS, d, batch_size=8, device=DEVICE) for d in (data, whole))
    assert all(math.isnan(value) for task in ("t0", "t1") for value in measured[task].values())
    assert set(measured["t0"]) == {"loss", "accuracy", "f1"}
    assert measured["t2"] == expected["t2"]


def test_a_loss_is_the_mean_over_the_entries_with_a_value_however_batches_are_cut():
    data = ToyData(TASKS).split("test")
    data.labels["t1"][::2, 0] = math.nan
    data.labels["t1"][8:16] = math.nan
    network = new_network()
    network.eval()
    errors = network(data.inputs)["t1"].detach() - data.labels["t1"]
    for batch_size in (8, 48):
        measured = evaluate(network, TASKS, data, batch_size=batch_size, device=DEVICE)
        # Float32, and sums in another order.
        assert measured["t1"]["loss"] == pytest.approx(errors.square().nanmean().item(), rel=1e-5)


class Given(torchmetrics.MeanMetric):
    """A metric that computes whatever it is given."""

    higher_is_better = True

    def __init__(self, value):
        super().__init__()
        self.given = value

    def update(self, outputs, labels):
        super().update(outputs)

    def compute(self):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def per_class(task):
    return torchmetrics.classification.MulticlassAccuracy(3, average=None)


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (per_class, r"gives a tensor of shape \[3\]; a metric must give one number"),
        (lambda task: Given({"a": torch.tensor(1.0)}), "gives a dict; a metric must give one number"),
        (lambda task: Given("good"), "gives a str; a metric must give one number"),
        (lambda task: torchmetrics.MetricCollection([per_class(task)]), "makes a MetricCollection; a torchmetrics.Met"),
    ],
    ids=["per class", "dict", "str", "collection"],
)
def test_a_metric_gives_one_number(metric, found):
    task = Task(name="t0", num_outputs=3, loss="cross_entropy", metrics=(metric,))
    tasks, data = (task, *TASKS[1:]), ToyData(TASKS).split("test")
    with pytest.raises(InputError, match=f"task t0: its metric .* {found}"):
        evaluate(new_network(), tasks, data, batch_size=8, device=DEVICE)
    with pytest.raises(InputError, match=f"task t0: its metric .* {found}"):
        try_metrics(new_network(), tasks, [data[0], data[1]])


def test_a_metric_that_needs_more_samples_is_not_tried_on_few():
    many = Task(
        name="t0", num_outputs=3, loss="cross_entropy", metrics=(lambda task: Given(ValueError("needs 50 samples")),)
    )
    tasks, data = (many, *TASKS[1:]), ToyData(TASKS).split("test")
    try_metrics(new_network(), tasks, [data[0]])
    with pytest.raises(InputError, match=r"^task t0: its metric <lambda> failed: ValueError: needs 50 samples"):
        evaluate(new_network(), tasks, data, batch_size=8, device=DEVICE)


def test_a_named_loss_below_0_is_refused_and_a_loss_of_ones_own_is_not():
    data = ToyData(TASKS).split("test")
    data.labels["t1"][:] = 200.0
    binary = Task(name="t1", num_outputs=2, loss="binary_cross_entropy", metrics=("rmse",))
    with pytest.raises(InputError, match=r"^task t1: its loss is -\d.*0 to 1; yes is 1"):
        # Where outputs are positive, the loss falls with the labels.
        evaluate(positive_network(), (TASKS[0], binary, TASKS[2]), data, batch_size=8, device=DEVICE)
    own = Task(name="t1", num_outputs=2, loss=lambda outputs, labels: -labels.mean(), metrics=("rmse",))
    measured = evaluate(positive_network(), (TASKS[0], own, TASKS[2]), data, batch_size=8, device=DEVICE)
    assert measured["t1"]["loss"] == pytest.approx(-200)


def positive_network():
    network = new_network()
    torch.nn.init.constant_(network.heads["t1"].linear.bias, 10.0)
    return network


def test_two_measures_of_one_name_are_refused():
    twice = (lambda task: METRICS["mae"](task), lambda task: METRICS["rmse"](task))
    tasks = (Task(name="t1", num_outputs=2, loss="mse", metrics=twice), *TASKS[::2])
    with pytest.raises(InputError, match="task t1 has two metrics called '<lambda>'"):
        evaluate(new_network(), tasks, ToyData(TASKS).split("test"), batch_size=8, device=DEVICE)


@pytest.mark.parametrize(("size", "num_batches", "used"), [(45, 3, 3), (45, 99, 5), (8, 2, 1), (5, 2, 1)])
def test_statistics_are_means_over_the_batches(size, num_batches, used):
    network, dataset = new_network(), ToyData(TASKS, size=size).split("train")
    network(torch.randn(9, 5, generator=torch.Generator().manual_seed(0)))  # statistics to forget
    estimate_batch_statistics(network, dataset, batch_size=8, num_batches=num_batches, device=DEVICE, seed=3)
    seen = [batch.inputs for batch in batches(dataset, 8, seed=3, epoch=0, shuffle=True, drop_last=size > 8)][:used]
    assert len(seen) == used
    linear, norm = network.stem[0], network.stem[1]
    means = torch.stack([linear(inputs).mean(dim=0) for inputs in seen]).mean(dim=0)
    variances = torch.stack([linear(inputs).var(dim=0) for inputs in seen]).mean(dim=0)
    # A running mean in single precision.
    torch.testing.assert_close(norm.running_mean, means, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(norm.running_var, variances, rtol=1e-5, atol=1e-6)
    assert norm.num_batches_tracked == used


def test_statistics_of_a_later_norm_are_of_normalised_features():
    network, dataset = new_network(), ToyData(TASKS, size=8).split("train")
    estimate_batch_statistics(network, dataset, batch_size=8, num_batches=1, device=DEVICE, seed=3)
    network.train()
    features = network.blocks[0][0][0](network.stem(dataset.inputs))
    torch.testing.assert_close(network.blocks[0][0][1].running_mean, features.mean(dim=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_estimating_leaves_momentum_modes_weights_and_the_generator_alone(training):
    network = new_network(dropout=0.5).train(training)
    network.stem[1].momentum = 0.3
    weights = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    generator = torch.get_rng_state()
    estimate_batch_statistics(
        network, ToyData(TASKS).split("train"), batch_size=8, num_batches=2, device=DEVICE, seed=3
    )
    assert network.stem[1].momentum == 0.3
    assert network.blocks[0][0][1].momentum == 0.1
    assert all(module.training == training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), generator)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, weights[name])


def test_dropout_plays_no_part_in_the_statistics():
    results = []
    for dropout in (0.0, 0.9):
        network = new_network(dropout)
        estimate_batch_statistics(
            network, ToyData(TASKS).split("train"), batch_size=8, num_batches=2, device=DEVICE, seed=3
        )
        results.append(dict(network.named_buffers()))
    torch.testing.assert_close(*results, rtol=0, atol=0)
