"""What an export format is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from nas.deploy.description import Description
from nas.deploy.samples import Samples
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork

Run = Callable[[Tensor], Sequence[Tensor]]
"""A batch -> one output for each task, in the order of the description's tasks."""


@dataclass(frozen=True)
class Export:
    """A trained network to be written in a format.

    Args:
        network: on the CPU, in evaluation mode.
        make_backbone: builds the backbone that its parts come from.
        description: its description; a format fills in ``verified``, and what it changes of ``input``.
        samples: inputs on which the written network is compared with this one.
        preprocess: the written network takes bytes and scales them itself.
        postprocess: the written network gives answers (`nas.deploy.answers`).
        draw: draws the tree into a file; false if that needs a library that is missing.
        on_verified: called when the export is complete and verified, before it gets its name.
    """

    network: BranchedNetwork
    make_backbone: Callable[[], Backbone]
    description: Description
    samples: Samples
    preprocess: bool
    postprocess: bool
    draw: Callable[[Description, Path], bool]
    on_verified: Callable[[], None]


class ExportFormat(Protocol):
    """A way to write a network and to open it again."""

    @property
    def name(self) -> str:
        """For ``--format``, and in the description."""

    @property
    def suffix(self) -> str:
        """How its files end, ".onnx" for instance; empty for a folder."""

    @property
    def options(self) -> frozenset[str]:
        """Which of "preprocess", "postprocess" and "int8" it can take into account."""

    def write(self, export: Export, path: Path) -> Description:
        """Write a network, open what was written, and compare the two; only then the file or folder gets its name.

        Returns:
            the description as it was written.

        Raises:
            InputError: the network cannot be written in this format, or the path not written to.
            WorkFailed: what was written gives other outputs than the network; it is not kept.
        """

    def load(self, path: Path, backbone: Backbone | None) -> tuple[Run, Description]:
        """The function and the description in a file or folder. The file is not trusted: no code in it is run.

        Args:
            path: it exists.
            backbone: the user's own, for a format that needs it.

        Raises:
            InputError: it was not written in this format, or is refused.
        """
