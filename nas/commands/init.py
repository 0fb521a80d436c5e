"""`nas init`: write a recipe for your data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.cost import smallest_budget
from nas.errors import InputError
from nas.files import write_text_atomically
from nas.recipe import load_recipe
from nas.run import measure_parts
from nas.templates import Wanted, recipe_text, template_for


@dataclass(frozen=True)
class WrittenRecipe:
    """A recipe that was written.

    Args:
        path: its file.
        tasks: the names of the tasks.
        smallest_budget: the cost of the fully shared network, as a share of that of separate ones.
    """

    path: Path
    tasks: tuple[str, ...]
    smallest_budget: float

    def to_dict(self) -> dict[str, Any]:
        return {"recipe": str(self.path), "tasks": list(self.tasks), "smallest_budget": self.smallest_budget}


def init(
    source: str | Path,
    *,
    template: str | None = None,
    targets: Sequence[str] | None = None,
    backbone: str | None = None,
    out: str | Path = "recipe.py",
) -> WrittenRecipe:
    """Write a recipe for data, with what was found in them as comments. `check` and `search` accept it as it is.

    The recipe is loaded once, with its data and its backbone; if this fails, no file is left.

    Args:
        source: a folder of pictures with a table, a table, or a folder of arrays.
        template: a name of `nas.templates.TEMPLATES`; by default the one that fits.
        targets: the columns, or folders of labels, that become tasks. By default all that can be tasks; a table
            without pictures needs them.
        backbone: a name of `nas.templates.backbones.BACKBONES`, or MODULE:ATTRIBUTE, a class or function without
            arguments that makes a backbone or a torch module. The module is imported, from the recipe's folder too.
        out: the recipe's file, which must not exist.

    Raises:
        InputError: the file exists, the data are of no known kind or hold no tasks, or the recipe does not load.
    """
    path = Path(out)
    if path.suffix != ".py":
        raise InputError(f"`out={path}`: a recipe is a Python file (*.py)")
    if path.exists():
        raise InputError(f"{path}: exists; name another file with `out=FILE`, or remove it")
    wanted = Wanted(Path(source), path, targets, backbone)
    write_text_atomically(path, recipe_text(template_for(wanted.source, template), wanted))
    try:
        experiment = load_recipe(path)
        table = measure_parts(experiment).table
    except BaseException:
        path.unlink()
        raise
    resource = experiment.goal.resource
    share = smallest_budget(table, resource) / table.separate_cost()[resource]
    return WrittenRecipe(path, experiment.task_names, share)
