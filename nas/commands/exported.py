"""An exported network as a module that can be evaluated like the network it was made of."""

from pathlib import Path

from torch import Tensor, nn

from nas.deploy import ExportedModel, open_model
from nas.errors import InputError
from nas.tree import BranchTree


class ExportedNetwork(nn.Module):
    """The outputs by task of a bundle, an .onnx or a .pt2, computed on the CPU; it has no weights of its own here.

    Raises:
        InputError: the file is refused, takes bytes of pixels, or gives answers, which losses cannot take.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.model: ExportedModel = open_model(path)
        if self.model.input.takes_pixels or self.model.description.answers:
            what = "takes bytes of pixels" if self.model.input.takes_pixels else "gives answers, not a task's outputs"
            raise InputError(f"{path}: {what}, so it cannot be evaluated; export it without pre- and postprocessing")

    @property
    def tree(self) -> BranchTree:
        return self.model.description.branch_tree

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return self.model(inputs)


def is_export(path: Path) -> bool:
    """Whether a path is that of an exported network, and not of a checkpoint."""
    return path.is_dir() or path.suffix in (".onnx", ".pt2")
