import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import VectorBackbone, names, seeded, toy_batch, toy_tasks
from tree_strategies import trees

from nas.errors import InputError, WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.tasks import task_losses
from nas.training import aggregate, methods
from nas.training.aggregate import NodeAggregation, parameters_by_group
from nas.training.methods import AGGREGATIONS, Aggregation, make_aggregator
from nas.tree import BranchTree

TASKS = toy_tasks(5)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 1, 2, 3]])


def available(name):
    try:
        make_aggregator(name, 2)
    except InputError:
        return False
    return True


METHODS = [
    pytest.param(name, marks=pytest.mark.skipif(not available(name), reason="its solver is not installed"))
    for name in AGGREGATIONS
]


def new_network(tree=TREE):
    # In double precision, so that only a real difference shows.
    return seeded(lambda: BranchedNetwork(VectorBackbone(len(tree.partitions)), TASKS, tree)).double()


def losses_of(network, without=(), seed=0):
    batch = toy_batch(TASKS, without=without, seed=seed)
    batch = batch._replace(
        inputs=batch.inputs.double(),
        labels={n: v.double() if v.is_floating_point() else v for n, v in batch.labels.items()},
    )
    return task_losses([task for task in TASKS if task.name in network.tree.tasks], network(batch.inputs), batch)


def gradients(network):
    return {
        name: None if parameter.grad is None else parameter.grad.clone()
        for name, parameter in network.named_parameters()
    }


def by_node(aggregation, losses, scale=1.0):
    aggregation.add({name: loss * scale for name, loss in losses.items()})
    aggregation.write(scale)


def naive(name, network, without=()):
    """Each task's gradients by a pass of its own, put together for the parameters that the same tasks move."""
    rows = {}
    for task in losses_of(network):
        network.zero_grad()
        losses_of(network)[task].backward()
        rows[task] = gradients(network)
    movers = {}
    for parameter, _ in network.named_parameters():
        tasks = tuple(task for task, row in rows.items() if row[parameter] is not None)
        movers.setdefault(tasks, []).append(parameter)
    expected = {}
    for group, parameters in movers.items():
        tasks = [task for task in group if task not in without]
        if len(tasks) < 2:
            expected |= {p: rows[tasks[0]][p] if tasks else None for p in parameters}
            continue
        matrix = torch.stack([torch.cat([rows[task][p].flatten() for p in parameters]) for task in tasks])
        combined = make_aggregator(name, len(tasks))(matrix)
        combined = combined * len(tasks) if AGGREGATIONS[name].averages else combined
        sizes = [rows[tasks[0]][p].numel() for p in parameters]
        for parameter, part in zip(parameters, combined.split(sizes), strict=True):
            expected[parameter] = part.view_as(rows[tasks[0]][parameter])
    return expected


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert (gradient is None) == (expected[name] is None), name
        if gradient is not None:
            # Sums of a few hundred products in double precision; solvers in between enlarge their rounding.
            torch.testing.assert_close(
                gradient, expected[name], rtol=1e-6, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
            )


@settings(deadline=None, max_examples=30)
@given(trees(tasks=names(TASKS)))
def test_a_parameter_belongs_to_the_tasks_whose_losses_move_it(tree):
    network = new_network(tree)
    groups = {id(p): group for group, parameters in parameters_by_group(network).items() for p in parameters}
    assert sum(map(len, parameters_by_group(network).values())) == len(groups) == len(list(network.parameters()))
    movers = {id(parameter): set() for parameter in network.parameters()}
    for task in tree.tasks:
        network.zero_grad()
        losses_of(network)[task].backward()
        for parameter in network.parameters():
            if parameter.grad is not None:
                movers[id(parameter)].add(task)
    assert {key: set(group) for key, group in groups.items()} == movers


@pytest.mark.parametrize("without", [(), ("t1",), ("t0", "t3", "t4")])
@pytest.mark.parametrize("method", METHODS)
def test_every_node_has_the_aggregate_of_its_own_tasks(method, without):
    network = new_network()
    torch.manual_seed(3)  # PCGrad and others draw the order in which they look at the tasks
    expected = naive(method, network, without)
    network.zero_grad()
    torch.manual_seed(3)
    by_node(NodeAggregation(method, network), losses_of(network, without))
    assert_close(gradients(network), expected)


@settings(deadline=None, max_examples=30)
@given(trees(tasks=names(TASKS)), st.sets(st.sampled_from(names(TASKS)), max_size=4))
def test_the_sum_is_plain_training(tree, without):
    network = new_network(tree)
    losses = losses_of(network, without)
    if not losses:
        return
    torch.stack(list(losses.values())).sum().backward()
    plain = gradients(network)
    network.zero_grad()
    by_node(NodeAggregation("sum", network), losses_of(network, without))
    assert_close(gradients(network), plain)


@pytest.mark.parametrize("method", METHODS)
def test_a_single_task_is_trained_as_ever(method):
    network = new_network(TREE.restricted_to(["t1"]))
    losses_of(network)["t1"].backward()
    plain = gradients(network)
    network.zero_grad()
    by_node(NodeAggregation(method, network), losses_of(network))
    torch.testing.assert_close(gradients(network), plain, rtol=0, atol=0)


@pytest.mark.parametrize("method", [m for m in METHODS if m.values[0] not in ("sum", "graddrop", "nash_mtl", "imtl_g")])
def test_where_gradients_agree_the_result_is_their_sum(method):
    """One learning rate fits all: two tasks with one gradient move what they share as plain training does. (GradDrop
    and Nash-MTL scale in their own way, IMTL-G fails on equal gradients, whose Gramian is singular.)"""
    network = new_network(BranchTree.shared(["t1"], 2))
    loss = losses_of(network)["t1"]
    aggregation = NodeAggregation(method, network)
    aggregation._nodes = {("a", "b"): list(network.parameters())}
    aggregation._parameters = {task: list(network.parameters()) for task in "ab"}
    by_node(aggregation, {"a": loss, "b": 1.0 * loss})
    found = gradients(network)
    network.zero_grad()
    (2.0 * losses_of(network)["t1"]).backward()
    # UPGrad and CAGrad regularise their problems by 1e-4 of the gradients' size.
    for name, gradient in gradients(network).items():
        torch.testing.assert_close(found[name], gradient, rtol=0.5 if method == "cagrad" else 1e-3, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_scale_against_underflow_is_not_seen(method):
    network, results = new_network(), []
    for scale in (1.0, 2.0**12):
        torch.manual_seed(3)
        by_node(NodeAggregation(method, network), losses_of(network), scale)
        results.append({name: gradient / scale for name, gradient in gradients(network).items()})
    # A power of two changes no digit.
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


def test_gradients_of_several_batches_are_added_before_they_are_aggregated():
    network = new_network()
    aggregation = NodeAggregation("mgda", network)
    halves = [losses_of(network, ("t1",), seed=1), losses_of(network, ("t2",), seed=2)]
    for half in halves:
        aggregation.add(half)
    aggregation.write()
    found = gradients(network)
    network.zero_grad()
    first, second = losses_of(network, ("t1",), seed=1), losses_of(network, ("t2",), seed=2)
    whole = {name: sum(half[name] for half in (first, second) if name in half) for name in names(TASKS)}
    by_node(NodeAggregation("mgda", network), whole)
    assert_close(found, gradients(network))


@pytest.mark.parametrize("method", METHODS)
def test_what_an_aggregator_remembers_goes_on_from_a_checkpoint(method, tmp_path):
    from nas.engine.checkpoint import load_tensors, save_tensors

    network = new_network()

    def steps(aggregation, seeds):
        for seed in seeds:
            torch.manual_seed(seed)
            # The sets of tasks that meet change.
            by_node(aggregation, losses_of(network, without=("t1",) if seed % 2 else (), seed=seed))
        return gradients(network)

    undisturbed = steps(NodeAggregation(method, network), range(5))
    first = NodeAggregation(method, network)
    steps(first, range(3))
    save_tensors({"aggregation": first.state_dict()}, tmp_path / "state.pt")
    second = NodeAggregation(method, network)
    second.load_state_dict(load_tensors(tmp_path / "state.pt")["aggregation"])
    torch.testing.assert_close(steps(second, range(3, 5)), undisturbed, rtol=0, atol=0)


def test_gradvac_does_remember():
    network = new_network()
    with_past, without = NodeAggregation("gradvac", network), NodeAggregation("gradvac", network)
    by_node(with_past, losses_of(network, seed=1))
    results = []
    for aggregation in (with_past, without):
        torch.manual_seed(0)
        by_node(aggregation, losses_of(network))
        results.append(gradients(network)["stem.0.weight"])
    assert not torch.equal(*results)


def test_the_memory_of_another_tree_is_refused():
    other = NodeAggregation("gradvac", new_network(BranchTree.shared(names(TASKS), 4)))
    with pytest.raises(InputError, match="the tree has no node of t0,t1/t0,t1"):
        other.load_state_dict({"t0,t1/t0,t1": {}})


def test_a_parameter_that_no_loss_depends_on_has_no_gradient():
    network = new_network()
    unused = torch.nn.Parameter(torch.ones(3))
    network.blocks[1][0].register_parameter("unused", unused)
    by_node(NodeAggregation("mgda", network), losses_of(network))
    assert unused.grad is None
    assert network.blocks[1][0][0].weight.grad is not None


def test_gradients_that_are_not_finite_reach_no_solver(monkeypatch):
    monkeypatch.setattr(aggregate, "make_aggregator", lambda *_: pytest.fail("asked"))
    network = new_network()
    losses = losses_of(network)
    by_node(NodeAggregation("mgda", network), {name: loss * float("inf") for name, loss in losses.items()})
    assert not torch.isfinite(network.stem[0].weight.grad).all()


def test_a_solver_without_an_answer_is_named(monkeypatch):
    def unsolvable(matrix):
        raise ValueError("no solution\nat all")

    monkeypatch.setitem(AGGREGATIONS, "hopeless", Aggregation(lambda torchjd, num_tasks: unsolvable))
    network = new_network()
    with pytest.raises(WorkFailed, match=r"^aggregate=hopeless fails on the gradients of t0, .*: no solution$"):
        by_node(NodeAggregation("hopeless", network), losses_of(network))


@pytest.mark.parametrize(("name", "package"), [("cagrad", "cvxpy"), ("nash_mtl", "cvxpy"), ("upgrad", "quadprog")])
def test_what_a_method_needs_and_lacks_is_said(name, package):
    if available(name):
        pytest.skip("it is installed")
    with pytest.raises(InputError, match=rf"^retrain.aggregate={name}: .*{package}.*pip install"):
        methods.require_methods("none", name)


def test_torchjd_is_needed_by_those_who_ask_for_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    monkeypatch.setitem(sys.modules, "torchjd.scalarization", None)
    methods.require_methods("none", "none")
    for arguments in (("none", "pcgrad"), ("dwa", "none")):
        with pytest.raises(InputError, match=r"needs torchjd\S*, which is not installed: pip install 'branched-nas\["):
            methods.require_methods(*arguments)


class ComplexBackbone(VectorBackbone):
    """Blocks filter with complex weights; those of the first block are not trained."""

    def make_block(self, l):
        return Filter(self.width).requires_grad_(l > 0)


class Filter(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(width // 2 + 1, dtype=torch.cfloat))
        self.bias = torch.nn.Parameter(torch.randn(width))

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.weight, n=x.shape[-1]) + self.bias


@pytest.mark.parametrize("name", METHODS)
def test_complex_and_untrained_weights_are_taken(name):
    network = seeded(lambda: BranchedNetwork(ComplexBackbone(4), TASKS, TREE))
    plain = seeded(lambda: BranchedNetwork(ComplexBackbone(4), TASKS, TREE))
    batch = toy_batch(TASKS)
    aggregation = NodeAggregation(name, network)
    by_node(aggregation, task_losses(TASKS, network(batch.inputs), batch))
    sum(task_losses(TASKS, plain(batch.inputs), batch).values()).backward()
    for (key, found), (_, expected) in zip(network.named_parameters(), plain.named_parameters(), strict=True):
        assert (found.grad is None) == (expected.grad is None), key
        if found.grad is not None:
            assert (found.grad.dtype, found.grad.shape) == (found.dtype, found.shape)
            # A task alone in its node gets its own gradient, whatever the method; "sum" is the plain one everywhere.
            if name == "sum" or key.startswith("heads"):
                torch.testing.assert_close(found.grad, expected.grad)
