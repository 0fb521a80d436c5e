"""The templates by name, and the one that fits some data."""

import importlib
from pathlib import Path

from nas.errors import InputError, no_such
from nas.templates.wanted import Wanted

TEMPLATES = {
    "images": "a folder of pictures with a table (CSV or parquet); columns become tasks",
    "table": "a table (CSV or parquet); some columns are inputs, others become tasks",
    "arrays": "a folder of arrays, {train,val}/{image,...}/0.npy; labels for every pixel become tasks",
}
"""By name, the data that a template is for. The module of the same name writes the recipe."""


def recipe_text(name: str, wanted: Wanted) -> str:
    """The recipe of a template; InputError if the data are not of its kind."""
    text: str = importlib.import_module(f"nas.templates.{name}").write(wanted)
    return text


def template_for(source: Path, name: str | None = None) -> str:
    """The name of the template, checked, or of the one that fits the data.

    Raises:
        InputError: there is no template of this name, nothing at the path, or no template fits.
    """
    from nas.datasets.columns import ENDINGS, find_table, read_table
    from nas.datasets.images_csv.files import names_pictures

    if name is not None and name not in TEMPLATES:
        raise InputError(no_such("template", name, TEMPLATES))
    if not source.exists():
        raise InputError(f"{source}: no such folder or table")
    if name is not None:
        return name
    if (source / "train" / "image").is_dir():
        return "arrays"
    if source.is_file():
        if source.suffix.lower() not in ENDINGS:
            raise InputError(f"{source}: is not a table; its name must end with {', '.join(ENDINGS)}")
        return "table"
    if not any(path.suffix.lower() in ENDINGS for path in source.iterdir()):
        raise InputError(f"{source}: holds neither a table (*.csv, *.tsv, *.parquet) nor train/image/0.npy")
    columns = read_table(find_table(source, None)).columns
    return "images" if any(map(names_pictures, columns.values())) else "table"


def possible_targets(source: Path, name: str | None = None) -> list[str]:
    """The columns, or folders of labels, that can be tasks; errors as in `template_for`."""
    from nas.templates.arrays import label_folders
    from nas.templates.columns_text import read
    from nas.templates.roles import find_roles

    template = template_for(source, name)
    if template == "arrays":
        return label_folders(source)
    return list(find_roles(read(source)[1], pictures=template == "images").kinds)
