"""A multi-layer perceptron for tables: one sample is a row of numbers."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.heads import LinearHead

Norm = Literal["batch", "layer"]


@dataclass(frozen=True)
class MLP:
    """A linear layer to the width as stem, then L blocks of one linear layer each: inputs [B, num_features].

    A block is ``dropout(relu(norm(linear(x))))``, to which a residual block adds x. Heads are linear layers on the last
    block's features, with outputs [B, num_outputs].

    Args:
        num_features: numbers in a row.
        width: of all blocks.
        depth: the number of blocks, L.
        norm: "batch" (BatchNorm), "layer" (LayerNorm) or None.
        dropout: the probability that a value becomes zero in training.
        residual: whether each block adds its input to its output.

    Raises:
        InputError: a number is below 1, or ``norm`` is unknown. From ``make_head``: a task has ``dense=True``.

    >>> import torch
    >>> from nas.tasks import Task
    >>> backbone = MLP(num_features=5, width=16)
    >>> price = Task(name="price", num_outputs=1, loss="mse", metrics=("rmse",))
    >>> features = backbone.make_block(0)(backbone.make_stem()(torch.zeros(2, 5)))
    >>> backbone.make_head(price)((features,), ()).shape
    torch.Size([2, 1])
    """

    num_features: int
    width: int = 64
    depth: int = 4
    norm: Norm | None = "batch"
    dropout: float = 0.0
    residual: bool = False

    def __post_init__(self) -> None:
        for name in ("num_features", "width", "depth"):
            if (found := getattr(self, name)) < 1:
                raise InputError(f"MLP: {name} is {found}, must be at least 1")
        if self.norm not in (*get_args(Norm), None):
            raise InputError(f"MLP: norm is {self.norm!r}, must be 'batch', 'layer' or None")
        if not 0 <= self.dropout < 1:
            raise InputError(f"MLP: dropout is {self.dropout}, must be at least 0 and below 1")

    @property
    def num_blocks(self) -> int:
        return self.depth

    @property
    def taps(self) -> tuple[int, ...]:
        return (self.num_blocks - 1,)

    @property
    def channel_dim(self) -> int:
        return 1

    def make_stem(self) -> nn.Module:
        return nn.Linear(self.num_features, self.width)

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        return MLPBlock(self.width, self.norm, self.dropout, self.residual)

    def make_head(self, task: Task) -> nn.Module:
        if task.dense:
            raise InputError(
                f"MLP: the task {task.name} has dense=True, but a row of a table has no pixels: set dense=False"
            )
        return LinearHead(self.width, task.num_outputs)


class MLPBlock(nn.Module):
    """dropout(relu(norm(linear(x)))), plus x if it is residual: [B, width] to [B, width]."""

    def __init__(self, width: int, norm: Norm | None, dropout: float, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.linear = nn.Linear(width, width, bias=norm is None)
        # Before ReLU, half of the values of weights ~ N(0, 2 / width) pass, so the scale of the features is kept.
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")
        self.norm: nn.Module = {None: nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm](width)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BD: Tensor) -> Tensor:
        y_BD: Tensor = self.dropout(self.relu(self.norm(self.linear(x_BD))))
        return x_BD + y_BD if self.residual else y_BD
