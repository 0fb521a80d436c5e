"""The transfer map: which task helps and which hurts which other one, by ranges of blocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nas.display import Displayed
from nas.strategies.transfer.gains import LEVELS, Gain, PairEffects


@dataclass(frozen=True)
class Panel:
    """The gains of all pairs of tasks that share a range of blocks.

    Args:
        name: the blocks in words.
        blocks: their names.
        gains_TT: what the row's task gains if it shares the blocks with the column's task alone; None on the diagonal.
    """

    name: str
    blocks: tuple[str, ...]
    gains_TT: tuple[tuple[Gain | None, ...], ...]


@dataclass(frozen=True, repr=False)
class TransferMap(Displayed):
    """Who helps and who hurts whom: one panel for each range of blocks, and one for all blocks if there are several.

    Args:
        levels: `nas.strategies.transfer.gains.LEVELS`, which a picture explains.
    """

    picture: ClassVar[str | None] = "transfer map"

    tasks: tuple[str, ...]
    panels: tuple[Panel, ...]
    levels: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a gain is [mean, standard deviation] in percent."""
        panels = [{"name": one.name, "blocks": list(one.blocks), "gains_TT": one.gains_TT} for one in self.panels]
        return {"tasks": list(self.tasks), "panels": panels}

    def summary(self) -> str:
        return f"{len(self.tasks)} tasks; {', '.join(panel.name for panel in self.panels)}"

    def records(self) -> list[dict[str, Any]]:
        """What each task gains, in percent of its loss, if it shares the blocks with one other task."""
        return [
            {"blocks": panel.name, "task": task, "with": other, **gain._asdict(), "certainty": gain.certainty}
            for panel in self.panels
            for task, row in zip(self.tasks, panel.gains_TT, strict=True)
            for other, gain in zip(self.tasks, row, strict=True)
            if gain is not None
        ]


MOST_RANGES = 7
"""With the panel of all blocks these are two rows of four."""


def transfer_map(effects: PairEffects, most: int = MOST_RANGES) -> TransferMap:
    """The map of a posterior; more than ``most`` blocks are grouped into ranges, all but the last of equal length."""
    num_blocks = len(effects.blocks)
    length = -(-num_blocks // most)
    ranges = [range(start, min(start + length, num_blocks)) for start in range(0, num_blocks, length)]
    panels = [_panel(effects, blocks, effects.range_name(blocks)) for blocks in ranges]
    if len(panels) > 1:
        panels.append(_panel(effects, range(num_blocks), "all blocks"))
    return TransferMap(effects.tasks, tuple(panels), LEVELS)


def _panel(effects: PairEffects, blocks: range, name: str) -> Panel:
    gains_TT = tuple(
        tuple(None if t == s else effects.as_pair(t, s, blocks) for s in effects.tasks) for t in effects.tasks
    )
    return Panel(name, tuple(effects.blocks[l] for l in blocks), gains_TT)
