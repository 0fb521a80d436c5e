"""The supernet of parent choice: at hard routings the network of a tree, with the gradients of the formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import IN_FEATURES, VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet, one_hot_parents, sample_parents
from nas.strategies.inherit import copy_parts
from nas.tasks import Task
from nas.tree import ancestors, tree_from_parents
from search_spaces import DigitsBackbone, MobileNetV2

DIGIT_TASKS = (
    Task(name="left", num_outputs=3, loss="cross_entropy", metrics=("accuracy",)),
    Task(name="ink", num_outputs=1, loss="mse", metrics=("rmse",)),
    Task(name="restore", num_outputs=1, loss="mse", metrics=("rmse",)),
)


@st.composite
def routed(draw):
    """Numbers of nodes, choices of parents, and a seed."""
    nodes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    readers = [*nodes[1:], draw(st.integers(1, 4))]
    rows = [draw(st.lists(st.integers(0, j - 1), min_size=k, max_size=k)) for j, k in zip(nodes, readers, strict=True)]
    return nodes, rows, draw(st.integers(0, 99))


def new_supernet(backbone, tasks, nodes, seed=0):
    # Double precision, so that what is equal is equal to 1e-7 whatever the order of a sum.
    return seeded(lambda: ParentSupernet(backbone, tasks, nodes).double(), seed)


def random_inputs(shape, seed):
    return torch.randn(6, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def weighted_outputs(outputs, seed=0):
    """A loss that every output counts in, each with its own weight."""
    generator = torch.Generator().manual_seed(seed)
    return sum(
        (output * torch.randn(output.shape, dtype=output.dtype, generator=generator)).sum()
        for _, output in sorted(outputs.items())
    )


def soft_routings(nodes, num_tasks, seed, scale=1.0):
    generator, readers = torch.Generator().manual_seed(seed), [*nodes[1:], num_tasks]
    return [
        (scale * torch.randn(k, j, generator=generator, dtype=torch.float64)).softmax(-1)
        for k, j in zip(readers, nodes, strict=True)
    ]


def check_equal_networks(backbone, tasks, shape, nodes, rows, seed, training=True):
    supernet = new_supernet(backbone, tasks, nodes, seed).train(training)
    tree = tree_from_parents(names(tasks), rows)
    network = BranchedNetwork(backbone, tasks, tree).double().train(training)
    chosen = [
        [ancestors(rows)[l][names(tasks).index(group[0])] for group in partition]
        for l, partition in enumerate(tree.partitions)
    ]
    copy_parts(network, supernet, chosen)
    inputs = random_inputs(shape, seed)
    mixed, branched = supernet(inputs, one_hot_parents(rows, nodes)), network(inputs)
    assert list(mixed) == list(branched) == list(names(tasks))
    torch.testing.assert_close(mixed, branched, rtol=0, atol=0)
    weighted_outputs(mixed).backward()
    weighted_outputs(branched).backward()
    of_instances = {
        f"blocks.{l}.{j}.{name}": parameter.grad
        for l, row in enumerate(chosen)
        for instance, j in zip(network.blocks[l], row, strict=True)
        for name, parameter in instance.named_parameters()
    } | {name: p.grad for name, p in network.named_parameters() if not name.startswith("blocks")}
    for name, parameter in supernet.named_parameters():
        if name in of_instances:
            torch.testing.assert_close(parameter.grad, of_instances[name], msg=name)
        else:
            assert parameter.grad is None, name


@settings(deadline=None, max_examples=50)
@given(routed(), st.booleans())
def test_a_hard_routing_is_the_branched_network(case, training):
    """Its heads read the first and the last block."""
    nodes, rows, seed = case
    backbone, tasks = VectorBackbone(len(nodes)), toy_tasks(len(rows[-1]))
    check_equal_networks(backbone, tasks, (IN_FEATURES,), nodes, rows, seed, training)


@pytest.mark.parametrize("rows", [[[0, 1], [1, 0, 1], [0, 0, 1], [2, 2, 0]], [[1, 1], [0, 0, 0], [0, 1, 1], [2, 1, 0]]])
def test_a_hard_routing_is_the_branched_network_of_images(rows):
    backbone = DigitsBackbone((4, 4, 6, 6), strided=(2,), dense_tasks=("restore",))
    check_equal_networks(backbone, DIGIT_TASKS, (1, 9, 11), (2, 2, 3, 3), rows, seed=1)


def test_a_hard_routing_is_the_branched_network_with_a_tap_in_the_middle():
    backbone, nodes = MobileNetV2(width=0.25), (2,) * 18
    rows = [[(l + k) % 2 for k in range(2)] for l in range(17)] + [[0, 1, 0]]
    dense = tuple(task.model_copy(update={"loss": "mse", "metrics": ("rmse",), "dense": True}) for task in DIGIT_TASKS)
    check_equal_networks(backbone, dense, (3, 33, 35), nodes, rows, seed=2)


def naive_outputs(supernet, inputs, routings):
    """Word for word, every node of every block, and for each task the composed routing at each tap."""
    features = [supernet.stem(inputs)] * supernet.nodes[0]
    tapped = {name: [] for name in supernet.task_names}
    for l, block in enumerate(supernet.blocks):
        outputs = [node(feature) for node, feature in zip(block, features, strict=True)]
        composed = routings[l]
        for later in routings[l + 1 :]:
            composed = later @ composed
        if l in supernet.taps:
            for t, name in enumerate(supernet.task_names):
                tapped[name].append(sum(w * y for w, y in zip(composed[t], outputs, strict=True)))
        features = [sum(w * y for w, y in zip(row, outputs, strict=True)) for row in routings[l]]
    return {name: supernet.heads[name](tuple(tapped[name]), inputs.shape[2:]) for name in supernet.task_names}


@settings(deadline=None, max_examples=20)
@given(routed())
def test_soft_routings_mix_the_parents(case):
    nodes, rows, seed = case
    tasks = toy_tasks(len(rows[-1]))
    supernet = new_supernet(VectorBackbone(len(nodes)), tasks, nodes, seed)
    routings, inputs = soft_routings(nodes, len(tasks), seed), random_inputs((IN_FEATURES,), seed)
    torch.testing.assert_close(supernet(inputs, routings), naive_outputs(supernet, inputs, routings))


def gradients(supernet, routings, loss):
    supernet.zero_grad()
    found = torch.autograd.grad(loss, [*routings, *supernet.parameters()], allow_unused=True)
    zeros = [torch.zeros_like(tensor) for tensor in (*routings, *supernet.parameters())]
    return [zero if tensor is None else tensor for tensor, zero in zip(found, zeros, strict=True)]


@settings(deadline=None, max_examples=30)
@given(routed())
def test_unread_entries_have_the_gradient_of_the_whole_mixture(case):
    """One-hot routings: weights and routings get the gradients of a mixture in which all nodes run."""
    nodes, rows, seed = case
    tasks = toy_tasks(len(rows[-1]))
    supernet = new_supernet(VectorBackbone(len(nodes)), tasks, nodes, seed)
    inputs = random_inputs((IN_FEATURES,), seed)
    routings = [routing.double().requires_grad_() for routing in one_hot_parents(rows, nodes)]
    straight = supernet(inputs, routings, unread_gradients=True)
    expected = naive_outputs(supernet, inputs, routings)
    torch.testing.assert_close(straight, expected)
    here = gradients(supernet, routings, weighted_outputs(straight))
    there = gradients(supernet, routings, weighted_outputs(expected))
    for found, wanted in zip(here, there, strict=True):
        torch.testing.assert_close(found, wanted)


@settings(deadline=None, max_examples=30)
@given(routed())
def test_without_them_the_chosen_entries_keep_their_gradient(case):
    nodes, rows, seed = case
    tasks = toy_tasks(len(rows[-1]))
    supernet = new_supernet(VectorBackbone(len(nodes)), tasks, nodes, seed)
    inputs = random_inputs((IN_FEATURES,), seed)
    routings = [routing.double().requires_grad_() for routing in one_hot_parents(rows, nodes)]
    one_path = gradients(supernet, routings, weighted_outputs(supernet(inputs, routings)))
    whole = gradients(supernet, routings, weighted_outputs(naive_outputs(supernet, inputs, routings)))
    for routing, found, wanted in zip(routings, one_path, whole, strict=False):
        torch.testing.assert_close(found, wanted * routing.detach())
    for found, wanted in zip(one_path[len(nodes) :], whole[len(nodes) :], strict=True):
        torch.testing.assert_close(found, wanted)


def count_runs(supernet):
    runs = []
    for l, block in enumerate(supernet.blocks):
        for j, node in enumerate(block):
            node.register_forward_hook(lambda *_, key=(l, j): runs.append(key))
    return runs


def test_only_active_nodes_run_unless_unread_gradients_are_wanted():
    tasks, nodes, rows = toy_tasks(3), (2, 3, 2), [[0, 1, 0], [2, 0], [0, 0, 0]]
    supernet, inputs = new_supernet(VectorBackbone(3), tasks, nodes), random_inputs((IN_FEATURES,), 0)
    hard = one_hot_parents(rows, nodes)
    # Before their first run parts are tried once; that does not count.
    supernet(inputs, hard)
    runs = count_runs(supernet)
    supernet(inputs, hard)
    assert runs == [(0, 0), (1, 2), (2, 0)]
    runs.clear()
    trained = [routing.double().requires_grad_() for routing in hard]
    supernet(inputs, trained)
    assert runs == [(0, 0), (1, 2), (2, 0)]
    runs.clear()
    supernet(inputs, hard, unread_gradients=True)
    assert runs == [(0, 0), (1, 2), (2, 0)]
    runs.clear()
    supernet(inputs, trained, unread_gradients=True)
    assert sorted(runs) == [(l, j) for l, num_nodes in enumerate(nodes) for j in range(num_nodes)]


def test_named_tasks_run_only_their_nodes_and_give_the_same():
    tasks, nodes, rows = toy_tasks(3), (2, 3), [[0, 1, 0], [2, 0, 1]]
    supernet, inputs = new_supernet(VectorBackbone(2), tasks, nodes).eval(), random_inputs((IN_FEATURES,), 0)
    routings = one_hot_parents(rows, nodes)
    whole, runs = supernet(inputs, routings), count_runs(supernet)
    some = supernet(inputs, routings, ["t2", "t0"])
    assert list(some) == ["t2", "t0"]
    assert sorted(runs) == [(0, 0), (0, 1), (1, 1), (1, 2)]
    torch.testing.assert_close(some, {name: whole[name] for name in some}, rtol=0, atol=0)


def test_recomputed_activations_give_the_same_step():
    tasks, nodes = toy_tasks(3), (2, 3)
    routings = [routing.requires_grad_() for routing in soft_routings(nodes, 3, seed=0)]
    found = []
    for checkpoint in (False, True):
        supernet = new_supernet(VectorBackbone(2), tasks, nodes)
        supernet.set_execution(checkpoint_activations=checkpoint)
        loss = weighted_outputs(supernet(random_inputs((IN_FEATURES,), 0), routings))
        found.append((gradients(supernet, routings, loss), copied_state(supernet)))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_samples_are_one_hot_and_pass_the_soft_gradient():
    logits = [torch.zeros(3, 2, requires_grad=True), torch.zeros(4, 3, requires_grad=True)]
    routings = sample_parents(logits, (2, 3), 2.0, generator=torch.Generator().manual_seed(0))
    for routing, rows in zip(routings, logits, strict=True):
        assert routing.shape == rows.shape
        assert set(routing.flatten().tolist()) == {0.0, 1.0}
        assert routing.sum(dim=-1).tolist() == [1.0] * len(rows)
        (slope,) = torch.autograd.grad(routing[:, 0].sum(), rows)
        assert bool((slope[:, 0] > 0).all())


def test_nodes_are_those_of_the_blocks():
    with pytest.raises(InputError, match="the backbone has 3 blocks; found numbers of nodes for 2"):
        ParentSupernet(VectorBackbone(3), toy_tasks(2), (2, 2))
