"""An exported network as a module, so that it is evaluated like a trained network."""

from pathlib import Path

from torch import Tensor, nn

from nas.deploy.bundle import read_bundle_record
from nas.deploy.formats import format_of
from nas.deploy.model import ExportedModel, open_model
from nas.deploy.samples import as_bytes
from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.tree import BranchTree


class ExportedNetwork(nn.Module):
    """Runs a bundle, an .onnx or a .pt2 on the CPU and returns its outputs by task; the module has no parameters.

    A graph that takes pixels as bytes gets the pixels that the inputs were made from; for data with 8 bits that is
    exact.

    Args:
        path: the file, or the folder of a bundle.
        backbone: the recipe's backbone, for a bundle whose backbone is not one of `search_spaces`.

    Raises:
        InputError: the file is refused, or returns predictions, from which losses cannot be computed.
    """

    def __init__(self, path: Path, backbone: Backbone) -> None:
        super().__init__()
        is_own = path.is_dir() and not read_bundle_record(path).backbone.known
        self.model: ExportedModel = open_model(path, backbone=backbone if is_own else None)
        if self.model.description.answers:
            raise InputError(
                f"{path}: was exported with post-processing and returns predictions, from which no loss can be "
                "computed, so it cannot be evaluated; export again with postprocess=False"
            )

    @property
    def tree(self) -> BranchTree:
        return self.model.description.branch_tree

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        taken = self.model.input
        return self.model(as_bytes(inputs, taken.pixels) if taken.takes_pixels and taken.pixels else inputs)


def is_export(path: Path) -> bool:
    """Whether a path names an exported network rather than a checkpoint."""
    return format_of(path) is not None
