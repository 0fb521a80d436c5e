import pytest
import torch
from torchmetrics.functional import mean_absolute_error, mean_squared_error
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score
from toys import DEVICE, NUM_CLASSES, ToyData, VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.data import batches
from nas.errors import InputError
from nas.network import BranchedNetwork
from nas.tasks import METRICS, Task
from nas.training import estimate_batch_statistics, evaluate
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


def test_a_task_without_any_label_is_named():
    data = ToyData(TASKS).split("test")
    data.present["t1"][:] = False
    with pytest.raises(InputError, match=r"no sample to evaluate on has a label of \['t1'\]"):
        evaluate(new_network(), TASKS, data, batch_size=8, device=DEVICE)


def test_two_measures_of_one_name_are_refused():
    twice = (lambda task: METRICS["mae"](task), lambda task: METRICS["rmse"](task))
    tasks = (Task(name="t1", num_outputs=2, loss="mse", metrics=twice), *TASKS[::2])
    with pytest.raises(InputError, match="task t1 has two measures called '<lambda>'"):
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
