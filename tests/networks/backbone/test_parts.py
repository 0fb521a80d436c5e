"""What a backbone's parts may not be: shared, lazy, impossible to copy. One sentence, from every command alike."""

import copy
import threading

import pytest
import torch
from small_images import ImageBackbone, image_experiment
from torch import nn
from toys import VectorBackbone, toy_tasks

import nas
from nas.errors import InputError
from nas.networks.backbone import PartMaker, check_backbone, copied
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet
from nas.tree import BranchTree

TASKS = toy_tasks(2)


class Kept(VectorBackbone):
    """Parts of one network that is kept, as pretrained ones are; ``give`` says what a call gives of it."""

    def __init__(self, give=lambda part: part, which=("stem", "block", "head")):
        super().__init__()
        own = VectorBackbone()
        blocks = [own.make_block(l) for l in range(3)]
        heads = {task.name: own.make_head(task) for task in TASKS}
        object.__setattr__(self, "parts", {"stem": own.make_stem(), "block": blocks, "head": heads})
        object.__setattr__(self, "give", lambda kind, part: give(part) if kind in which else copy.deepcopy(part))

    def make_stem(self):
        return self.give("stem", self.parts["stem"])

    def make_block(self, l):
        return self.give("block", self.parts["block"][l])

    def make_head(self, task):
        return self.give("head", self.parts["head"][task.name])


def assigned(part):
    """A new module over the memory of the old one's weights."""
    made = copy.deepcopy(part)
    made.load_state_dict(part.state_dict(), assign=True)
    return made


def shares_a_buffer(part):
    made = copy.deepcopy(part)
    for norm, own in zip(made.modules(), part.modules(), strict=True):
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_mean = own.running_mean
    return made


class Tied(VectorBackbone):
    """Blocks 0 and 2 have one weight."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "weight", nn.Parameter(torch.randn(6, 6)))

    def make_block(self, l):
        block = super().make_block(l)
        if l != 1:
            block[0].weight = self.weight
        return block


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (Kept(), r"two calls of make_stem\(\) give modules with the same 0\.weight"),
        (Kept(which="block"), r"two calls of make_block\(0\) give modules with the same 0\.weight"),
        (Kept(which="head"), r"two calls of make_head\(t0\) give modules with the same linear\.weight"),
        (Kept(assigned, which="block"), r"two calls of make_block\(0\) give modules with the same 0\.weight"),
        (
            Kept(shares_a_buffer, which="block"),
            r"two calls of make_block\(0\) give modules with the same 1\.running_mean",
        ),
        (Tied(), r"make_block\(0\) and make_block\(2\) give modules with the same 0\.weight"),
    ],
)
def test_parts_that_share_a_tensor_are_refused_with_both_names(backbone, message):
    with pytest.raises(InputError, match=message):
        check_backbone(backbone, TASKS)


def test_a_networks_parts_are_looked_at_too():
    """Python code that makes networks itself is refused where two parts of one network share weights."""
    tree = BranchTree.separate(("t0", "t1"), 3)
    for make in (
        lambda backbone: BranchedNetwork(backbone, TASKS, tree),
        lambda backbone: Supernet(backbone, TASKS, equal_start=False),
    ):
        make(Kept(copy.deepcopy))
        with pytest.raises(InputError, match=r"two calls of make_block\(0\) give modules with the same"):
            make(Kept(which="block"))
    # One instance of each block, which share nothing.
    BranchedNetwork(Kept(), TASKS, BranchTree.shared(("t0", "t1"), 3))


def test_parts_without_tensors_and_tensors_that_one_part_has_twice_are_no_sharing():
    class Allowed(VectorBackbone):
        relu = nn.ReLU()

        def make_block(self, l):
            block = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
            block[1].weight = block[0].weight
            return self.relu if l == 1 else block

    check_backbone(Allowed(), TASKS)


def test_parts_on_the_meta_device_share_nothing():
    with torch.device("meta"):
        check_backbone(VectorBackbone(), TASKS)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(6)), r"make_block\(0\) gives LazyLinear, whose 0\.weight .*write Linear"),
        (lambda: nn.LazyBatchNorm1d(), r"gives LazyBatchNorm1d, whose weight .*write BatchNorm1d"),
        (lambda: torch.relu, r"make_block\(0\) must give a torch module; found builtin_function_or_method"),
        (lambda: Locked(), r"the module of make_block\(0\) cannot be copied .*cannot pickle '_thread.lock'"),
    ],
)
def test_what_cannot_be_a_part(block, message):
    class Mine(VectorBackbone):
        def make_block(self, l):
            return block()

    with pytest.raises(InputError, match=message):
        check_backbone(Mine(), TASKS)


class Locked(nn.Linear):
    def __init__(self):
        super().__init__(6, 6)
        self.lock = threading.Lock()


def test_nothing_to_train_is_refused():
    class Fixed(VectorBackbone):
        def make_stem(self):
            return super().make_stem().requires_grad_(False)

        make_block = make_head = lambda self, _: nn.Identity()

    with pytest.raises(InputError, match="none of its parts has a parameter to train"):
        check_backbone(Fixed(), TASKS)


@pytest.mark.parametrize("channel_dim", [0, "last", 1.0, (1, 1), (1, 0, 1), True])
def test_a_channel_dim_that_is_none_is_refused(channel_dim):
    class Mine(VectorBackbone):
        pass

    Mine.channel_dim = channel_dim
    with pytest.raises(InputError, match="channel_dim must be"):
        check_backbone(Mine(), TASKS)


class Shared(ImageBackbone):
    kept = ImageBackbone().make_block(0)

    def make_block(self, l):
        return self.kept


def test_every_command_refuses_alike(tmp_path):
    experiment = image_experiment(Shared)
    tree = tmp_path / "tree.json"
    nas.tree.write_tree(BranchTree.shared(("kind", "size"), 3), tree)
    messages = set()
    for command in (
        lambda: nas.profile(experiment),
        lambda: nas.check(experiment),
        lambda: nas.search(experiment, out=tmp_path / "run"),
        lambda: nas.retrain(experiment, tree=tree, out=tmp_path / "retrained"),
    ):
        with pytest.raises(InputError) as error:
            command()
        messages.add(str(error.value))
    assert len(messages) == 1
    assert "make_block(0) and make_block(1) give modules with the same 0.weight" in messages.pop()
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "retrained").exists()


@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_copy_of_a_module_that_keeps_what_it_computed(norm):
    module = nn.Sequential(norm(nn.Linear(4, 4)), nn.ReLU())
    inputs = torch.randn(3, 4)
    module(inputs)
    other = copied(module).eval()
    assert torch.equal(other(inputs), module.eval()(inputs))
    module[0].register_forward_hook(lambda *_: pytest.fail("the copy runs the original"))
    other.train()(inputs).sum().backward()
    # Trained apart: the copy's weights have gradients, the original's have none.
    assert all(parameter.grad is not None for parameter in other.parameters())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_maker_names_the_call_of_a_lazy_head():
    class Mine(VectorBackbone):
        def make_head(self, task):
            return nn.LazyLinear(task.num_outputs)

    maker = PartMaker(Mine())
    maker.stem()
    with pytest.raises(InputError, match=r"make_head\(t1\) gives LazyLinear.* inside make_head$"):
        maker.head(TASKS[1])
