"""An exported network as a module that can be evaluated like the network it was made of."""

from pathlib import Path

from torch import Tensor, nn

from nas.deploy import ExportedModel, as_bytes, open_model
from nas.deploy.bundle import read_bundle_record
from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.tree import BranchTree


class ExportedNetwork(nn.Module):
    """The outputs by task of a bundle, an .onnx or a .pt2, computed on the CPU; it has no weights of its own here.

    One that takes bytes is given those that the inputs were made of, which is the same where data are of 8 bits.

    Args:
        path: of the file or folder.
        backbone: the recipe's, for a bundle whose backbone is not one of `search_spaces`.

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
                "computed, so it cannot be evaluated; export it without --postprocess (postprocess=False)"
            )

    @property
    def tree(self) -> BranchTree:
        return self.model.description.branch_tree

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        taken = self.model.input
        return self.model(as_bytes(inputs, taken.pixels) if taken.takes_pixels and taken.pixels else inputs)


def is_export(path: Path) -> bool:
    """Whether a path is that of an exported network, and not of a checkpoint."""
    return path.is_dir() or path.suffix in (".onnx", ".pt2")
