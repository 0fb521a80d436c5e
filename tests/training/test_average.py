import torch
from toys import VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.networks.branched import BranchedNetwork
from nas.training.average import WeightAverage
from nas.tree import BranchTree

TASKS = toy_tasks(2)


def new_network(seed=0):
    return seeded(lambda: BranchedNetwork(VectorBackbone(2), TASKS, BranchTree.shared(names(TASKS), 2)), seed)


def change(network, step):
    """Other weights, and other statistics."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter += torch.sin(torch.arange(parameter.numel()).view_as(parameter) + i + step)
    network(torch.randn(8, 5, generator=torch.Generator().manual_seed(step)))


def test_the_average_follows_the_published_recursion():
    network, decay = new_network(), 0.4
    average = WeightAverage(network, decay)
    expected = {name: value.double() for name, value in copied_state(network).items()}
    for n in range(8):
        change(network, n)
        average.update(network)
        d = min(decay, (1 + n) / (10 + n))
        for name, value in network.state_dict().items():
            expected[name] = d * expected[name] + (1 - d) * value if value.is_floating_point() else value.double()
    assert (1 + 7) / (10 + 7) > decay > 2 / 11
    for name, value in average.network.state_dict().items():
        # Eight steps in single precision.
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
        assert not value.requires_grad
    assert average.network.stem[1].num_batches_tracked == 8
    assert not torch.equal(average.network.stem[1].running_mean, network.stem[1].running_mean)


def test_the_network_that_is_followed_stays_as_it_is():
    network = new_network()
    average = WeightAverage(network, 0.9)
    change(network, 0)
    before, grad = copied_state(network), [parameter.requires_grad for parameter in network.parameters()]
    average.update(network)
    torch.testing.assert_close(copied_state(network), before, rtol=0, atol=0)
    assert [parameter.requires_grad for parameter in network.parameters()] == grad == [True] * len(grad)


def test_complex_weights_are_averaged():
    network = new_network()
    weight = torch.randn(6, 6, dtype=torch.cfloat)
    network.stem.weight = torch.nn.Parameter(weight.clone())
    average = WeightAverage(network, 0.5)
    with torch.no_grad():
        network.stem.weight += 1 + 2j
    average.update(network)
    # After no step the decay is 1 / 10.
    torch.testing.assert_close(average.network.stem.weight, weight + 0.9 * (1 + 2j))
