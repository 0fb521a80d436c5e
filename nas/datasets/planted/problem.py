"""The description of a planted problem: a tree, the teacher network with this tree, and the amount of data."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nas.errors import InputError
from nas.tree import BranchTree

Kind = Literal["dense", "conv"]

_LABELS = string.digits + string.ascii_letters


@dataclass(frozen=True)
class PlantedProblem:
    """A teacher with a known tree, and how many noisy samples of its outputs there are.

        h_0 = x ~ N(0, I),   h_l = tanh(W_l,g h_{l-1} + b_l,g) for the task's group g at block l,   y_t = V_t h_L

    where ``W ~ N(0, weight_sd^2 / fan_in)`` and ``b ~ N(0, bias_sd^2)`` are drawn once for each group and block, and
    ``V ~ N(0, 1 / width)`` once for each task. All fields are plain values, which a recipe can record and change.

    Args:
        labels: the tree: one text per block, separated by slashes, with one character per task. Tasks share a block if
            their characters are equal at this and all earlier blocks: "00/01" is two tasks that part at the second.
        kind: "dense" has fully connected blocks; "conv" has 3x3 convolutions, padded with zeros.
        input_width: features, or channels, of the input.
        width: features, or channels, of every block.
        image_size: height and width of the input of a "conv" problem; not used by "dense".
        pooled: for "conv": if true, heads read the mean over the positions and give [num_outputs], from which a student
            learns little, since the inputs are noise. If false, heads give an image [num_outputs, H, W].
        weight_sd, bias_sd: standard deviations of the blocks' weights (times the root of the fan-in) and biases.
        num_outputs: number of outputs of each task.
        noise: standard deviation of the noise on the labels, which themselves have deviation 1; independent for each
            task, on all splits except the test split.
        num_train, num_architecture, num_validation, num_test: sizes of the splits.
        missing: for each task, the share of labels that are missing at random, on all splits except the test split;
            empty for none.

    Raises:
        InputError: a field is out of its range, or ``labels`` do not describe a tree.
    """

    labels: str
    kind: Kind = "dense"
    input_width: int = 8
    width: int = 8
    image_size: tuple[int, int] = (6, 6)
    pooled: bool = False
    weight_sd: float = 1.5
    bias_sd: float = 0.3
    num_outputs: int = 4
    noise: float = 0.5
    num_train: int = 768
    num_architecture: int = 256
    num_validation: int = 256
    num_test: int = 2048
    missing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        # A record or the command line gives lists.
        object.__setattr__(self, "image_size", tuple(self.image_size))
        object.__setattr__(self, "missing", tuple(self.missing))
        rows = self.labels.split("/")
        _require(len(rows[0]) > 0 and len({len(row) for row in rows}) == 1, "labels", "as long at each block", self)
        _require(self.kind in ("dense", "conv"), "kind", "'dense' or 'conv'", self)
        _require(len(self.image_size) == 2 and min(self.image_size) >= 1, "image_size", "two sizes of at least 1", self)
        for name in ("input_width", "width", "num_outputs"):
            _require(getattr(self, name) >= 1, name, "at least 1", self)
        for name in ("num_train", "num_architecture", "num_validation", "num_test"):
            _require(getattr(self, name) >= 2, name, "at least 2", self)
        _require(self.weight_sd > 0, "weight_sd", "above 0", self)
        for name in ("bias_sd", "noise"):
            _require(getattr(self, name) >= 0, name, "at least 0", self)
        shares = len(self.missing) in (0, len(rows[0])) and all(0 <= share < 1 for share in self.missing)
        _require(shares, "missing", f"empty or {len(rows[0])} shares in [0, 1), one a task", self)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the T tasks: ``t0``, ``t1``, ..."""
        return tuple(f"t{t}" for t in range(len(self.labels.partition("/")[0])))

    @property
    def tree(self) -> BranchTree:
        rows = self.labels.split("/")
        return BranchTree.from_choices(self.tasks, [[ord(character) for character in row] for row in rows])

    @property
    def num_blocks(self) -> int:
        return self.labels.count("/") + 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: [input_width], or [input_width, H, W]."""
        return (self.input_width, *(self.image_size if self.kind == "conv" else ()))


def write_labels(choices_LT: Sequence[Sequence[int]]) -> str:
    """The text of a tree from the index of each task's group, [L, T].

    Raises:
        InputError: more groups than there are characters for them, 62.

    >>> write_labels([[0, 0, 0], [0, 0, 1]])
    '000/001'
    """
    if (most := max(map(max, choices_LT)) + 1) > len(_LABELS):
        raise InputError(f"a planted tree has at most {len(_LABELS)} groups at a block; found {most}")
    return "/".join("".join(_LABELS[choice] for choice in row) for row in choices_LT)


def _require(holds: bool, name: str, rule: str, problem: PlantedProblem) -> None:
    if not holds:
        raise InputError(f"{name} of a planted problem must be {rule}; found {getattr(problem, name)!r}")
