"""Pretrained weights from a local file: a state dict with torchvision's names, as .pth or .safetensors."""

import logging
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from nas.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadReport:
    """The names in a file of weights, compared with those of the backbone.

    Attributes:
        path: the file.
        loaded: names in both.
        unmatched: names only in the file, such as the classifier's.
        missing: names only in the backbone; these tensors keep their random start.
    """

    path: Path
    loaded: tuple[str, ...]
    unmatched: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.path}: {len(self.loaded)} tensors loaded"
            f"; {len(self.unmatched)} of the file not used: {', '.join(self.unmatched) or 'none'}"
            f"; {len(self.missing)} of the backbone not in the file: {', '.join(self.missing) or 'none'}"
        )


class PretrainedWeights:
    """A state-dict file that is read once and loaded into the parts of a backbone.

    Args:
        path: the file; it is opened at the first `load_into`.
        make_parts: makes the parts that the file describes, by the prefix of their names in the file. It is called
            once, on the meta device, to get names and shapes.
        library: whose names the file has, for messages.
    """

    def __init__(
        self, path: Path, make_parts: Callable[[], Mapping[str, nn.Module]], library: str = "torchvision"
    ) -> None:
        self.path = path
        self.library = library
        self._make_parts = make_parts

    def load_into(self, part: nn.Module, prefix: str) -> None:
        """Copy the file's values into a part whose names in the file begin with ``prefix``.

        Raises:
            InputError: at the first call, if the file cannot be read or does not fit the backbone.
        """
        loaded = set(self.report.loaded)
        own = {name: self._tensors[prefix + name] for name in part.state_dict() if prefix + name in loaded}
        part.load_state_dict(own, strict=False)

    @cached_property
    def report(self) -> LoadReport:
        """Which names of the file are used; the first call logs this in one line."""
        with torch.device("meta"):
            parts = self._make_parts()
        shapes = {
            prefix + name: tensor.shape for prefix, part in parts.items() for name, tensor in part.state_dict().items()
        }
        loaded = tuple(name for name in shapes if name in self._tensors)
        for name in loaded:
            if (found := self._tensors[name].shape) != shapes[name]:
                raise InputError(
                    f"{self.path}: {name} has shape {list(found)}, this backbone needs {list(shapes[name])}: "
                    "give the weights of the same architecture and width"
                )
        if not loaded:
            raise InputError(
                f"{self.path}: none of its names, such as {next(iter(self._tensors), '(it has none)')}, is one of this "
                f"backbone's, such as {next(iter(shapes))}: give a state dict with {self.library}'s names"
            )
        report = LoadReport(
            self.path,
            loaded,
            unmatched=tuple(name for name in self._tensors if name not in shapes),
            # A counter that BatchNorm uses only if its momentum is None, and that old files do not have.
            missing=tuple(
                name for name in shapes if name not in self._tensors and not name.endswith("num_batches_tracked")
            ),
        )
        logger.log(logging.WARNING if report.missing else logging.INFO, "%s", report)
        return report

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return read_state_dict(self.path)


class StartsFromFile(ABC):
    """A backbone whose parts start from a file of weights if its field ``weights`` names one."""

    weights: Path | None

    @abstractmethod
    def pretrained_parts(self) -> Mapping[str, nn.Module]:
        """New parts, by the prefix of their names in the file."""

    def started(self, part: nn.Module, prefix: str) -> nn.Module:
        """The part, with the file's values if there is a file."""
        if self._pretrained:
            self._pretrained.load_into(part, prefix)
        return part

    @property
    def weights_report(self) -> LoadReport | None:
        """The names of ``weights`` that are used, not used, and missing; None without ``weights``."""
        return self._pretrained.report if self._pretrained else None

    @cached_property
    def _pretrained(self) -> PretrainedWeights | None:
        return PretrainedWeights(Path(self.weights), self.pretrained_parts) if self.weights else None


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read names and tensors from a .pth, .pt or .safetensors file; nothing in the file is executed.

    Raises:
        InputError: the file is missing, damaged, not a state dict, or a pickle of other objects; the message names it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of pretrained weights: download it first, or leave out `weights`")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise InputError(f"{path}: damaged or not a safetensors file ({_first_sentence(error)})") from None
    if path.suffix not in (".pth", ".pt"):
        raise InputError(f"{path}: weights are read from .pth, .pt or .safetensors, not {path.suffix or 'this'}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # torch's own message is not shown, since it advises to load without this protection.
        raise InputError(
            f"{path}: not a state dict but a pickle of other objects, refused because loading it can run its code, "
            "or damaged: save model.state_dict() instead"
        ) from None
    # A damaged pickle can make the unpickler fail in any way.
    except Exception as error:
        raise InputError(f"{path}: damaged or not a file of torch.save ({_first_sentence(error)})") from None
    if not isinstance(content, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()
    ):
        raise InputError(f"{path}: not a state dict (names to tensors): save model.state_dict()")
    return dict(content)


def _first_sentence(error: Exception) -> str:
    return str(error).split(". ")[0].strip() or type(error).__name__
