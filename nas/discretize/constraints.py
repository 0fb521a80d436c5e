"""Constraints on trees: which tasks must share, which must not, and how much a task may add."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, model_validator

from nas.fields import Settings


class _Group(Settings):
    tasks: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _distinct(self) -> "_Group":
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"names each task once; found {list(self.tasks)}")
        return self


class Together(_Group):
    """Tasks that must share all blocks up to and including ``through_block`` (by default the last block)."""

    through_block: NonNegativeInt | None = None


class Apart(_Group):
    """Tasks that may share no block with each other from ``from_block`` on; earlier blocks are not constrained."""

    from_block: NonNegativeInt = 0


def _as_group(value: Any) -> Any:
    return {"tasks": value} if isinstance(value, list | tuple) else value


class Constraints(Settings):
    """Constraints on discretisation; every tree from `discretize` keeps them all.

    Blocks count from 0. A plain list of tasks is a group with the default block.

    Args:
        together: groups of tasks that must share: lists of names, or {"tasks": names, "through_block": number}.
        apart: groups in which no two tasks may share: lists of names, or {"tasks": names, "from_block": number}.
        shared_prefix: how many of the first blocks all tasks share.
        frozen_prefix: whether neither the search nor any training changes the weights of the stem and of the shared
            prefix. Their weights should be pretrained.
        own_cost: for some tasks, a limit on what the task adds to the network: the blocks that it alone uses, and its
            head. A share in (0, 1] of the cost of the task's own complete network, or an absolute amount of the
            counted resource. (All paths from stem to head cost the same but for the heads, so a limit on the cost of a
            task's path would not constrain the tree.)

    >>> Constraints(apart=[["depth", "edge"]], together=[{"tasks": ["semseg", "parts"], "through_block": 2}]).apart
    (Apart(tasks=('depth', 'edge'), from_block=0),)
    """

    together: tuple[Annotated[Together, BeforeValidator(_as_group)], ...] = ()
    apart: tuple[Annotated[Apart, BeforeValidator(_as_group)], ...] = ()
    shared_prefix: NonNegativeInt = 0
    frozen_prefix: bool = False
    own_cost: Mapping[str, Annotated[PositiveFloat, Field(allow_inf_nan=False)]] = {}

    @model_validator(mode="after")
    def _something_to_freeze(self) -> "Constraints":
        if self.frozen_prefix and not self.shared_prefix:
            raise ValueError("frozen_prefix freezes the shared prefix; say how long it is (shared_prefix)")
        return self

    @property
    def empty(self) -> bool:
        """Whether every tree is allowed."""
        return not (self.together or self.apart or self.shared_prefix or self.own_cost)
