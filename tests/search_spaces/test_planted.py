"""The student of planted problems is a backbone, costs what its layers cost, and can be its teacher."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from nas.cost import measure_costs
from nas.datasets.planted import PlantedData, PlantedProblem, Teacher, conv_problem, planted_tasks, tree_a
from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet, own_copy_routing
from nas.tasks import task_losses
from search_spaces import PlantedBackbone

SMALL = {"num_train": 8, "num_architecture": 2, "num_validation": 2, "num_test": 8}
DENSE = tree_a(**SMALL)
CONV = conv_problem(input_width=3, width=5, image_size=(4, 6), **SMALL)
POOLED = conv_problem(pooled=True, **SMALL)


def _student(problem: PlantedProblem, **fields) -> PlantedBackbone:
    return PlantedBackbone(
        problem.num_blocks,
        problem.kind,
        **{"width": problem.width, "input_width": problem.input_width, "pooled": problem.pooled, **fields},
    )


def test_it_is_a_backbone() -> None:
    backbone = PlantedBackbone(5)
    assert isinstance(backbone, Backbone)
    assert backbone.num_blocks == 5
    assert backbone.taps == (4,)


def test_every_block_starts_from_the_weights_of_a_file(tmp_path: Path) -> None:
    assert PlantedBackbone(3).weights_report is None
    blocks = nn.ModuleList(PlantedBackbone(3).make_block(l) for l in range(3))
    safetensors.torch.save_file(blocks.state_dict(), tmp_path / "blocks.safetensors")
    backbone = PlantedBackbone(3, weights=tmp_path / "blocks.safetensors")
    for l in (0, 2):
        for made in (backbone.make_block(l), backbone.make_block(l)):
            torch.testing.assert_close(made.state_dict(), blocks[l].state_dict(), rtol=0, atol=0)
    assert backbone.weights_report is not None
    assert not backbone.weights_report.missing


@pytest.mark.parametrize("problem", [DENSE, CONV, POOLED])
@pytest.mark.parametrize("fields", [{}, {"width": 11}, {"norm": True}])
def test_every_loss_takes_the_outputs_and_every_parameter_gets_a_gradient(problem: PlantedProblem, fields) -> None:
    tasks = planted_tasks(problem)
    network = BranchedNetwork(_student(problem, **fields), tasks, problem.tree)
    batch = PlantedData(problem).split("train").__getitems__(range(8))
    outputs = network(batch.inputs)
    assert all(outputs[task].shape == batch.labels[task].shape for task in problem.tasks)
    torch.stack(list(task_losses(tasks, outputs, batch).values())).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("problem", [DENSE, CONV, POOLED])
def test_with_the_teachers_weights_it_is_the_teacher(problem: PlantedProblem) -> None:
    network = BranchedNetwork(_student(problem), planted_tasks(problem), problem.tree)
    teacher = Teacher(problem, 0)
    with torch.no_grad():
        for instances, blocks in zip(network.blocks, teacher._blocks, strict=True):
            for instance, (weight, bias) in zip(instances, blocks.values(), strict=True):
                instance[0].weight.copy_(weight)
                instance[0].bias.copy_(bias)
        for task, head in network.heads.items():
            mean, deviation = teacher._means[task].flatten(), teacher._deviations[task].flatten()
            weight = teacher._heads[task] / deviation[:, None]
            head.out.weight.copy_(weight.reshape(head.out.weight.shape))
            head.out.bias.copy_(-mean / deviation)
    split = PlantedData(problem, 0).split("test")
    for task, outputs in network(split.inputs).items():
        # Four float32 layers of sums of up to 72 products of order one, in another order.
        torch.testing.assert_close(outputs, split.labels[task], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("problem", "first", "block", "head"),
    [
        (tree_a(input_width=3, width=5), 3 * 5, 5 * 5, 5 * 4),
        (CONV, 9 * 3 * 5 * 24, 9 * 5 * 5 * 24, 5 * 4 * 24),
        (POOLED, 9 * 8 * 8 * 36, 9 * 8 * 8 * 36, 8 * 4),
    ],
)
@pytest.mark.parametrize("norm", [False, True])
def test_blocks_and_heads_cost_their_layers_and_the_stem_nothing(problem, first, block, head, norm) -> None:
    profile = measure_costs(_student(problem, norm=norm), planted_tasks(problem), problem.input_shape)
    assert profile.stem.macs == profile.stem.params == 0
    assert [part.macs for part in profile.blocks] == [first, block, block, block]
    assert all(part.macs == head for part in profile.heads.values())


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_a_norm_lies_between_a_layer_without_bias_and_its_tanh(kind: str) -> None:
    layer, norm, tanh = PlantedBackbone(kind=kind, norm=True).make_block(1)
    assert layer.bias is None
    assert isinstance(norm, nn.BatchNorm1d if kind == "dense" else nn.BatchNorm2d)
    assert isinstance(tanh, nn.Tanh)
    assert [type(part) for part in PlantedBackbone(norm=False).make_block(0)] == [nn.Linear, nn.Tanh]


def test_it_makes_a_supernet() -> None:
    tasks = planted_tasks(CONV)
    supernet = Supernet(_student(CONV, norm=True), tasks, None, equal_start=True, affine_last_norm=False)
    outputs = supernet(torch.zeros(2, *CONV.input_shape), own_copy_routing(4, 6, 6), [task.name for task in tasks])
    assert {output.shape for output in outputs.values()} == {(2, 4, 4, 6)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "linear"}, "kind of PlantedBackbone must be 'dense' or 'conv'; found 'linear'"),
        ({"num_blocks": 0}, "num_blocks of PlantedBackbone must be at least 1; found 0"),
        ({"width": 0}, "width .* found 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PlantedBackbone(**arguments)  # type: ignore[arg-type]
