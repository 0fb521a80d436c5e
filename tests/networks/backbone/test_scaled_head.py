"""Outputs that are moved and scaled to where a task's labels are."""

import torch
from torch import nn

from nas.networks.backbone import PartMaker
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.tree import BranchTree


class Line:
    num_blocks, taps = 1, (0,)

    def make_stem(self):
        return nn.Linear(3, 4)

    def make_block(self, l):
        return nn.Linear(4, 4)

    def make_head(self, task):
        return Last(task.num_outputs)


class Last(nn.Module):
    def __init__(self, num_outputs):
        super().__init__()
        self.out = nn.Linear(4, num_outputs)

    def forward(self, features, size):
        return self.out(features[-1])


def price(**changes):
    return Task(name="price", num_outputs=1, loss="mse", metrics=("rmse",), **changes)


def test_outputs_are_moved_and_scaled():
    networks = []
    for task in (price(), price(center=1000.0, scale=50.0)):
        torch.manual_seed(0)
        networks.append(BranchedNetwork(Line(), [task], BranchTree.shared(["price"], 1)))
    inputs = torch.randn(5, 3)
    plain, scaled = (network(inputs)["price"] for network in networks)
    torch.testing.assert_close(scaled, 1000 + 50 * plain)


def test_a_task_without_center_and_scale_has_the_head_that_the_backbone_made():
    assert isinstance(PartMaker(Line()).head(price()), Last)
    assert isinstance(PartMaker(Line()).head(price(center=1.0)).head, Last)
