import pytest
import torch
from pydantic import ValidationError
from torch import nn

from nas.engine.compute import ComputeSettings
from nas.errors import InputError

CPU = torch.device("cpu")


class Network(nn.Module):
    """Parts as those of a supernet: a stem, blocks in lists of lists, heads by name."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(4, 4, 3), nn.Sequential(nn.ReLU())])])
        self.heads = nn.ModuleDict({"t": nn.Linear(4, 2)})

    def forward(self, x):
        return {"t": self.heads["t"](self.blocks[0][1](self.blocks[0][0](self.stem(x))).mean(dim=(2, 3)))}


def test_defaults_change_nothing():
    settings, network, inputs = ComputeSettings(), Network(), torch.randn(2, 3, 8, 8)
    before = {name: (id(tensor), tensor.stride()) for name, tensor in network.named_parameters()}
    assert settings.prepare(network) is network
    assert {name: (id(tensor), tensor.stride()) for name, tensor in network.named_parameters()} == before
    assert settings.inputs(inputs) is inputs
    outputs = network(inputs)
    with settings.autocast(CPU):
        assert torch.equal(network(inputs)["t"], outputs["t"])
    assert settings.outputs(outputs)["t"] is outputs["t"]
    assert settings.scaler(CPU).scale(outputs["t"]) is outputs["t"]


def test_a_disabled_scaler_steps_like_the_optimizer():
    parameter = nn.Parameter(torch.ones(2))
    optimizer, scaler = torch.optim.SGD([parameter], lr=0.5), ComputeSettings(precision="bfloat16").scaler(CPU)
    scaler.scale(parameter.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert parameter.tolist() == [0.5, 0.5]
    assert scaler.state_dict() == {}


def test_bfloat16_runs_in_it_and_gives_float32():
    settings, network = ComputeSettings(precision="bfloat16"), Network()
    inputs = torch.randn(2, 3, 8, 8)
    with settings.autocast(CPU):
        outputs = network(inputs)
    assert outputs["t"].dtype == torch.bfloat16
    assert settings.outputs(outputs)["t"].dtype == torch.float32
    # Eight bits of mantissa, so each of a handful of roundings is off by up to 2^-8 of values of about one.
    torch.testing.assert_close(settings.outputs(outputs), network(inputs), rtol=0.1, atol=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


@pytest.mark.parametrize("use", ["autocast", "scaler"])
def test_float16_needs_a_cuda_device(use):
    with pytest.raises(
        InputError, match=r"compute.precision: float16 needs a CUDA device, this one is cpu; use bfloat16"
    ):
        getattr(ComputeSettings(precision="float16"), use)(CPU)


def test_channels_last_is_for_images_and_convolutions():
    settings, network = ComputeSettings(channels_last=True), Network()
    expected = network(inputs := torch.randn(2, 3, 8, 8))
    settings.prepare(network)
    assert network.stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert settings.inputs(inputs).is_contiguous(memory_format=torch.channels_last)
    assert settings.inputs(vectors := torch.randn(2, 3)) is vectors
    # Sums of 36 single-precision products in another order.
    torch.testing.assert_close(network(settings.inputs(inputs)), expected, rtol=1e-4, atol=1e-5)


def test_every_part_is_compiled_for_itself_and_no_name_changes(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    network = Network()
    names = list(network.state_dict())
    ComputeSettings(compile=True).prepare(network)
    assert compiled == [network.stem, *network.blocks[0], network.heads["t"]]
    assert list(network.state_dict()) == names


def test_compilation_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/g++")
    with pytest.raises(InputError, match=r"compute.compile: found no C.. compiler .*/nowhere/g"):
        ComputeSettings(compile=True).prepare(Network())


@pytest.mark.parametrize("fields", [{"precision": "float64"}, {"fast": True}])
def test_what_is_not_a_setting_is_refused(fields):
    with pytest.raises(ValidationError):
        ComputeSettings(**fields)
