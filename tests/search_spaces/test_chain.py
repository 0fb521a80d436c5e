"""What is not a chain of submodules is refused, with the reason in one line."""

from collections.abc import Callable

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import InputError
from search_spaces.chain import cut


def unit(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU())


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = unit(3, 4), unit(4, 4), unit(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.c(self.b(a) + a)


class SkipFromInput(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)) + x.mean())


class Twice(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.b(self.a(x))))


class Branches(Skip):
    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.c(a) + self.b(a)


class Uncalled(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.a(x))


class ControlFlow(Skip):
    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        if x.mean() > 0:  # not a chain: the line that the message names
            x = self.b(x)
        return self.c(x)


class Mode(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(F.dropout(self.b(self.a(x)), 0.5, self.training))


class InPlace(Skip):
    def forward(self, x: Tensor) -> Tensor:
        x = self.b(self.a(x))
        x.relu_()
        return self.c(x)


class TwoInputs(Skip):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.c(self.b(self.a(x + y)))


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.c = Pair(), unit(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.a(x)
        return self.c(first + second)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class SharedNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.c = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.norm(self.b(self.norm(self.a(x)))))


def tied() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    module[2].weight = module[1].weight
    return module


def same_module() -> nn.Module:
    layer = nn.Conv2d(3, 3, 1)
    return nn.Sequential(nn.Identity(), layer, layer)


@pytest.mark.parametrize(
    ("make", "names", "message"),
    [
        (Skip, ["a", "b", "c"], r"Skip: a connection skips the cut at b: a\(x\) is used after it by add\(b, a\)"),
        (SkipFromInput, ["a", "b", "c"], r"SkipFromInput: .* cut at a: the input x is used after it by mean\(x\)"),
        (Twice, ["a", "b", "c"], r"Twice: forward calls b 2 times"),
        (Uncalled, ["a", "b", "c"], r"Uncalled: forward calls b 0 times"),
        (Skip, ["b", "a", "c"], r"Skip: name stem and blocks in the order of their calls: a, b, c"),
        (Branches, ["a", "c", "b"], r"Branches: the output of c does not reach b"),
        (
            ControlFlow,
            ["a", "b", "c"],
            r"ControlFlow cannot be traced at .*test_chain\.py, line \d+: .*control flow",
        ),
        (Mode, ["a", "b", "c"], r"Mode: forward has dropout\(.*True.*\) in training and dropout\(.*False.*\) in eval"),
        (InPlace, ["a", "b", "c"], r"InPlace: relu_\(b\) changes a value in place and its result is not used"),
        (TwoInputs, ["a", "b", "c"], r"TwoInputs: c depends on the inputs x, y: a backbone has exactly one"),
        (Several, ["a", "c"], r"Several: a returns several values"),
        (SharedNorm, ["a", "b", "c"], r"SharedNorm: the parts b and c share norm\.weight"),
        (tied, ["0", "1", "2"], r"Sequential: the parts 1 and 2 share 1\.weight and 2\.weight"),
        (same_module, ["0", "1", "2"], r"Sequential: 2 and 1 are the same module"),
        (Skip, ["a", "b", "d"], r"Skip has no submodule 'd'; its children are: a, b, c"),
        (Skip, ["a", "b", "b"], r"Skip: b is named twice"),
        (Skip, ["a", "b", "b.1"], r"Skip: b\.1 is inside b"),
    ],
)
def test_what_is_not_a_chain_is_refused_with_its_reason(
    make: Callable[[], nn.Module], names: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        cut(make(), names)
    assert "\n" not in str(caught.value)


def test_the_place_that_cannot_be_traced_is_the_users_line() -> None:
    with pytest.raises(InputError) as caught:
        cut(ControlFlow(), ["a", "b", "c"])
    number = int(str(caught.value).split(", line ")[1].split(":")[0])
    with open(__file__) as source:
        assert "the line that the message names" in source.readlines()[number - 1]


def test_a_skip_that_both_ends_share_a_part_with_is_no_skip() -> None:
    """The advice of the message: the same module, cut elsewhere."""
    assert len(cut(Skip(), ["a", "c"])) == 2
