"""Parts that write to their inputs give what parts that do not give: outputs, gradients, statistics."""

import dataclasses

import pytest
import torch
from small_images import ImageBackbone, image_experiment
from torch import nn
from toys import IN_FEATURES, VectorBackbone, copied_state, seeded, toy_tasks

import nas
from nas.cost import measure_costs
from nas.errors import InputError
from nas.networks.backbone import PartRunner
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet, one_hot_routing
from nas.tree import BranchTree

TASKS = toy_tasks(2)


class Scale(nn.Module):
    """x * 1.5 + 0.1, or the same in place, by operators on a slice and on the whole."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace

    def forward(self, x):
        if not self.inplace:
            return torch.cat([x[:, :2] * 1.5 + 0.1, x[:, 2:] + 0.1], dim=1)
        x[:, :2] = x[:, :2] * 1.5
        x += 0.1
        return x


WRITERS = {
    "relu": lambda inplace: nn.ReLU(inplace=inplace),
    "dropout": lambda inplace: nn.Dropout(0.5, inplace=inplace),
    "operators": Scale,
    "scale then relu": lambda inplace: nn.Sequential(Scale(inplace), nn.ReLU(inplace=inplace)),
}


@dataclasses.dataclass(frozen=True)
class Writing(VectorBackbone):
    """Stem, blocks and heads begin with something that may work in place; heads read every block."""

    writer: str = "relu"
    inplace: bool = False

    @property
    def taps(self):
        return tuple(range(self.num_blocks))

    def make_stem(self):
        return nn.Sequential(WRITERS[self.writer](self.inplace), nn.Linear(IN_FEATURES, self.width))

    def make_block(self, l):
        return nn.Sequential(
            WRITERS[self.writer](self.inplace), nn.Linear(self.width, self.width), nn.BatchNorm1d(self.width)
        )

    def make_head(self, task):
        return WritingHead(self, task)


class WritingHead(nn.Module):
    def __init__(self, backbone, task):
        super().__init__()
        self.begin = WRITERS[backbone.writer](backbone.inplace)
        self.linear = nn.Linear(backbone.width * backbone.num_blocks, task.num_outputs)

    def forward(self, features, size):
        return self.linear(torch.cat([self.begin(feature) for feature in features], dim=1))


def results(network, *arguments, steps=2):
    """Outputs and gradients of two training steps and of an evaluation, and what the buffers are afterwards."""
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for training in [True] * steps + [False]:
            network.train(training)
            inputs = torch.randn(6, IN_FEATURES)
            before = inputs.clone()
            outputs = network(inputs, *arguments)
            network.zero_grad()
            sum((output + output.square()).sum() for output in outputs.values()).backward()
            found.append((outputs, {name: parameter.grad for name, parameter in network.named_parameters()}))
            assert torch.equal(inputs, before)
    return found, copied_state(network)


@pytest.mark.parametrize("routing", ["soft", "one hot"])
@pytest.mark.parametrize(
    ("writer", "candidates", "checkpoint"),
    [
        *((writer, "plain", checkpoint) for writer in WRITERS for checkpoint in (False, True)),
        ("operators", "batched", False),
    ],
)
def test_a_supernet_of_parts_that_write_is_one_of_parts_that_do_not(writer, routing, candidates, checkpoint):
    if routing == "soft":
        routing_LTC = torch.full((3, 2, 2), 0.5, requires_grad=True)
    else:
        routing_LTC = one_hot_routing([[0, 1], [1, 0], [0, 1]], 2)
    found = []
    for inplace in (False, True):
        supernet = seeded(
            lambda inplace=inplace: Supernet(Writing(writer=writer, inplace=inplace), TASKS, equal_start=False)
        )
        supernet.set_execution(candidates=candidates, checkpoint_activations=checkpoint)
        found.append(results(supernet, routing_LTC))
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("separate_from", [0, 1, 3])
def test_a_branched_network_of_parts_that_write_is_one_of_parts_that_do_not(writer, separate_from):
    together, apart = (("t0", "t1"),), (("t0",), ("t1",))
    tree = BranchTree(("t0", "t1"), tuple(apart if l >= separate_from else together for l in range(3)))
    found = [
        results(seeded(lambda inplace=inplace: BranchedNetwork(Writing(writer=writer, inplace=inplace), TASKS, tree)))
        for inplace in (False, True)
    ]
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("writer", WRITERS)
def test_costs_are_the_same(writer):
    plain, written = (
        measure_costs(Writing(writer=writer, inplace=inplace), TASKS, (IN_FEATURES,)) for inplace in (False, True)
    )
    assert plain.table == written.table


def test_batched_candidates_that_write_are_batched():
    supernet = Supernet(Writing(inplace=True), TASKS, equal_start=False)
    supernet.set_execution(candidates="batched")
    supernet(torch.randn(4, IN_FEATURES), torch.full((3, 2, 2), 0.5))
    assert all(list(block._traces.values()) != [None] and block._traces for block in supernet._batched)


class Spy(nn.Module):
    """Keeps its input; writes to it in the modes that are named."""

    def __init__(self, writes_in=()):
        super().__init__()
        self.writes_in = writes_in

    def forward(self, x):
        self.seen = x
        return x.relu_() if self.training in self.writes_in else x.relu()


def test_only_parts_that_write_are_given_copies_and_only_in_the_mode_in_which_they_do():
    run, reader, writer = PartRunner(), Spy(), Spy(writes_in=[True])
    features = torch.randn(2, 3)
    for _ in range(3):
        for block, part in enumerate((reader, writer)):
            for training in (True, False):
                run.block(block, part.train(training), features)
    assert run.block(0, reader.train(), features) is not None
    assert reader.seen is features
    run.block(1, writer.train(), features)
    assert writer.seen is not features
    run.block(1, writer.eval(), features)
    assert writer.seen is features


@pytest.mark.parametrize("inference_first", [True, False])
def test_inference_mode_tells_writers_too(inference_first):
    run, writer, reader = PartRunner(), Spy(writes_in=[False]).eval(), Spy().eval()
    features = -torch.ones(2, 3)
    for inference in (inference_first, not inference_first):
        with torch.inference_mode(inference):
            for given in (features, features.clone()):
                for _ in range(2):
                    assert torch.equal(run.block(0, writer, given), torch.zeros(2, 3))
                    run.block(1, reader, given)
                    assert torch.equal(given, features)
    assert torch.equal(features, -torch.ones(2, 3))
    assert reader.seen is given


def test_a_block_that_writes_only_at_times_is_refused():
    run, part, features = PartRunner(), Spy(), torch.randn(2, 3)
    run.block(4, part, features)
    part.writes_in = [True]
    with pytest.raises(InputError, match="block 4 writes to its input at some calls and not at others"):
        run.block(4, part, features)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda x: (x, x), "block 1 gives tuple; features must be one tensor"),
        (lambda x: x.long(), "block 1 gives torch.int64"),
        (lambda x: torch.complex(x, x), "block 1 gives torch.complex64"),
        (lambda x: x.repeat(2, 1), r"block 1 gives \[8, 6\] for a batch of 4"),
        (lambda x: x.sum(1), r"block 1 gives \[4\] for a batch of 4"),
    ],
)
@pytest.mark.parametrize("candidates", ["plain", "batched"])
def test_what_a_block_gives_in_training_alone_is_looked_at(gives, message, candidates):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 6)

        def forward(self, x):
            return gives(self.linear(x)) if self.training else self.linear(x)

    class Mine(VectorBackbone):
        def make_block(self, l):
            return Odd() if l == 1 else super().make_block(l)

    supernet = Supernet(Mine(), TASKS)
    supernet.set_execution(candidates=candidates)
    routing_LTC = torch.full((3, 2, 2), 0.5)
    supernet.eval()(torch.randn(4, IN_FEATURES), routing_LTC)
    with pytest.raises(InputError, match=message):
        supernet.train()(torch.randn(4, IN_FEATURES), routing_LTC)


def test_a_head_that_nothing_trains_is_refused():
    class Mine(VectorBackbone):
        def make_head(self, task):
            class Constant(nn.Linear):
                def forward(self, features, size):
                    return torch.zeros(len(features[0]), 2)

            return Constant(2, 2)

    network = BranchedNetwork(Mine(), TASKS, BranchTree.shared(("t0", "t1"), 3))
    with pytest.raises(InputError, match="the head of t0 gives outputs that depend on neither"):
        network(torch.randn(4, IN_FEATURES))


class BreaksItsGradient(ImageBackbone):
    """What torch cannot differentiate: ReLU keeps its output, and dropout overwrites it."""

    def make_block(self, l):
        return nn.Sequential(super().make_block(l), nn.Dropout(0.5, inplace=True))


@pytest.mark.parametrize("strategy", ["similarity", "gradient"])
def test_a_gradient_that_is_overwritten_is_one_sentence_of_check(strategy):
    # Recomputed activations hide it from the search, but not from the retraining.
    changes = {"strategy": strategy, "strategy.checkpoint_activations": True}
    with pytest.raises(InputError, match="changes in place what an earlier one has kept"):
        nas.check(image_experiment(BreaksItsGradient, **changes))


class BeginsInPlace(ImageBackbone):
    inplace = True

    def make_block(self, l):
        return nn.Sequential(
            nn.ReLU(inplace=self.inplace), nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        )


class BeginsApart(BeginsInPlace):
    inplace = False


@pytest.mark.parametrize("routing", [pytest.param("soft", marks=pytest.mark.slow), "one_path"])
def test_a_whole_way_through_in_place_has_the_results_of_one_that_is_not(tmp_path, routing):
    """Search by gradient, retraining, and the exported network."""
    found = []
    for name, backbone in (("in_place", BeginsInPlace), ("apart", BeginsApart)):
        experiment = image_experiment(backbone, **{"strategy": "gradient", "strategy.routing": routing})
        run = nas.search(experiment, out=tmp_path / name)
        trained = nas.retrain(tmp_path / name, recipe=experiment)
        exported = nas.export(tmp_path / name, recipe=experiment, format="bundle")
        assert exported.description.verified.num_samples > 0
        found.append((run.trial(0).store.checkpoints.latest()["logits_LTC"], trained.test, exported.description.tasks))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    assert found[0][1:] == found[1][1:]


class Fourier(ImageBackbone):
    """Blocks filter their features by complex weights, as FNO and GFNet do."""

    def make_block(self, l):
        return Filter()


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(6, 4, 3, dtype=torch.cfloat))
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x):
        return x + torch.fft.irfft2(torch.fft.rfft2(self.norm(x)) * self.weight, s=x.shape[-2:])


@pytest.mark.slow
@pytest.mark.parametrize("format", ["bundle", "pt2", "onnx"])
def test_complex_weights_go_the_whole_way(tmp_path, format):
    changes = {"strategy": "gradient", "retrain.ema": 0.9, "retrain.aggregate": "pcgrad", "retrain.clip_norm": 1.0}
    experiment = image_experiment(Fourier, **changes)
    nas.check(experiment)
    nas.search(experiment, out=tmp_path / "run")
    nas.retrain(tmp_path / "run", recipe=experiment, start="inherited")
    exported = nas.export(tmp_path / "run", recipe=experiment, format=format)
    assert exported.description.verified.num_samples > 0


@pytest.mark.slow
@pytest.mark.parametrize("format", ["bundle", "pt2", "onnx"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weight_norms_go_the_whole_way(tmp_path, format):
    class Mine(ImageBackbone):
        def make_block(self, l):
            norm = (nn.utils.weight_norm, nn.utils.spectral_norm, nn.utils.parametrizations.weight_norm)[l]
            return nn.Sequential(norm(nn.Conv2d(6, 6, 3, padding=1)), nn.ReLU())

    experiment = image_experiment(Mine, **{"strategy": "gradient", "retrain.ema": 0.9})
    nas.search(experiment, out=tmp_path / "run")
    nas.retrain(tmp_path / "run", recipe=experiment, start="inherited")
    exported = nas.export(tmp_path / "run", recipe=experiment, format=format)
    assert exported.description.verified.num_samples > 0
