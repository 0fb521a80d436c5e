"""The recipe for a table whose columns are inputs and tasks."""

from nas.datasets.table_csv import TableCsv
from nas.errors import InputError
from nas.templates import body, columns_text
from nas.templates.backbones import BackboneCode, own
from nas.templates.roles import find_roles
from nas.templates.source_text import comment, folder_of, quoted
from nas.templates.wanted import Wanted

_IMPORTS = ("from nas.datasets.columns import Stated", "from nas.datasets.table_csv import TableCsv")


def write(wanted: Wanted) -> str:
    """The recipe's text.

    Raises:
        InputError: the table cannot be read, no targets are named, or they leave no input.
    """
    folder, table = columns_text.read(wanted.source)
    if not wanted.targets:
        raise InputError(
            f"{table.path}: `targets` is missing: which columns are to be predicted? There are "
            f"{', '.join(find_roles(table, pictures=False).kinds)}"
        )
    roles = find_roles(table, wanted.targets, pictures=False)
    inputs = [name for name in roles.kinds if name not in wanted.targets]
    divided, arguments = columns_text.rows(roles)
    kinds = {name: roles.kinds[name] for name in wanted.targets}
    source = TableCsv(folder, kinds, inputs=inputs, table=table.path.name, split=roles.split, group=roles.group)
    mlp = ("MLP", f"num_features={source.num_features}", "width=64", "depth=4")
    note = (
        f"The inputs are {source.num_features} numbers: one for each column of numbers, one for each text of a "
        "column of texts, and one more for a column with empty cells."
    )
    backbone = BackboneCode(("from search_spaces import MLP",), mlp, note)
    if wanted.backbone is not None and wanted.backbone != "mlp":
        backbone = own(wanted.backbone, wanted.out, f"({source.num_features},)", dense=False)
    named = ("folder=FOLDER", "targets=TARGETS", "inputs=INPUTS", f"table={quoted(table.path.name)}", *arguments)
    about = (
        f'What each column holds was inferred from the {len(table)} rows of {table.path.name}: "classes", "yes_no", '
        '"number", "angle" (degrees; never inferred), or a tuple of the names of the classes.'
    )
    return "".join(
        [
            body.page(wanted.out.name),
            body.imports(_IMPORTS, backbone),
            f"\nFOLDER = {folder_of(folder, wanted.out)}\n\n",
            comment(about) + "\n",
            columns_text.targets(roles, wanted.targets),
            comment("What the tasks are predicted from. Remove what is not known when a prediction is made.") + "\n",
            "INPUTS = [\n" + "".join(f"    {quoted(name)},\n" for name in inputs) + "]\n",
            columns_text.left_out(roles.left_out),
            body.experiment(
                ["TableCsv", *named],
                backbone,
                num_training=columns_text.num_training(table, roles),
                steps=1000,
                most_batch=64,
                note=divided,
            ),
        ]
    )
