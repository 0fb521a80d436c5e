"""What a user asks a template for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wanted:
    """What a recipe is to be written for.

    Args:
        source: a folder, or a table.
        out: the recipe's file, which decides how the recipe names the source.
        targets: the columns that become tasks; None leaves the choice to the template.
        backbone: a name of `nas.templates.backbones.BACKBONES`, or MODULE:ATTRIBUTE; None is the template's default.
    """

    source: Path
    out: Path
    targets: Sequence[str] | None = None
    backbone: str | None = None
