"""The recipe for a folder of pictures with a table."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from nas.data.reading import read_picture
from nas.datasets.images_csv.files import find_files
from nas.errors import InputError
from nas.templates import body, columns_text
from nas.templates.backbones import for_pictures
from nas.templates.roles import find_roles
from nas.templates.source_text import call, comment, folder_of, quoted
from nas.templates.wanted import Wanted

_MOST_LOOKED_AT = 32
_SIDES = (32, 128)

_IMPORTS = (
    "from nas.data.augmentation import Augmentation, AugmentedSource, Normalize, RandomFlip",
    "from nas.datasets.columns import Stated",
    "from nas.datasets.images_csv import ImagesCsv",
)

_SOURCE = '''

def pictures(
    folder: Path,
    targets: dict[str, Stated],
    size: tuple[int, int] = SIZE,
    flip: bool = True,
) -> AugmentedSource:
    """The pictures with their labels; ``flip`` mirrors training ones at random."""
{comment}
    source = {source}
    # Set flip to False if a mirrored picture has other labels: text, directions.
    steps = (RandomFlip(), NORMALIZE) if flip else (NORMALIZE,)
    training = Augmentation(steps, source.kinds)
    return AugmentedSource(source, training, Augmentation((NORMALIZE,), source.kinds))

'''


def write(wanted: Wanted) -> str:
    """The recipe's text.

    Raises:
        InputError: the folder has no table, no column names the pictures, or no column can be a task.
    """
    folder, table = columns_text.read(wanted.source)
    roles = find_roles(table, wanted.targets, pictures=True)
    names = list(roles.kinds if wanted.targets is None else wanted.targets)
    if not names:
        reasons = "; ".join(f"{name} {reason}" for name, reason in roles.left_out.items())
        raise InputError(f"{table.path}: no column can be a task: {reasons}")
    others = {name: "was not named as a target" for name in roles.kinds if name not in names}
    assert roles.image is not None
    size, sizes = _size([path for path in find_files(folder, table, roles.image) if path is not None])
    divided, arguments = columns_text.rows(roles)
    named = [f"table={quoted(table.path.name)}", f"image={quoted(roles.image)}", *arguments]
    dense = any(roles.kinds[name] == "mask" for name in names)
    backbone = for_pictures(wanted.backbone, wanted.out, "(3, *SIZE)", dense=dense)
    about = (
        f'What each column holds was inferred from the {len(table)} rows of {table.path.name}: "classes", "yes_no", '
        '"number", "angle" (degrees; never inferred), "mask" (a picture with a class for every pixel), or a tuple of '
        "the names of the classes. Remove what is not to be a task."
    )
    return "".join(
        [
            body.page(wanted.out.name),
            body.imports(_IMPORTS, backbone),
            f"\nFOLDER = {folder_of(folder, wanted.out)}\n\n",
            comment(about) + "\n",
            columns_text.targets(roles, names),
            columns_text.left_out({**roles.left_out, **others}),
            "\n",
            comment(
                f"All pictures are resized to this height and width, multiples of 32; {sizes}. Larger costs more time."
            )
            + "\n",
            f"SIZE = ({size[0]}, {size[1]})\n",
            "# Mean and deviation of ImageNet, with which pretrained weights were trained.\n",
            "NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))\n",
            _SOURCE.format(
                comment=comment(divided, 4), source=call("ImagesCsv", ["folder", "targets", "size=size", *named], 4)
            ),
            body.experiment(
                ["pictures", "folder=FOLDER", "targets=TARGETS"],
                backbone,
                num_training=columns_text.num_training(table, roles),
                steps=150,
                most_batch=32,
            ),
        ]
    )


def _size(files: Sequence[Path]) -> tuple[tuple[int, int], str]:
    """A size near that of the pictures, in multiples of 32; and what their sizes are, in words."""
    chosen = files[:: -(-len(files) // _MOST_LOOKED_AT)]
    sizes = [read_picture(path).size[::-1] for path in chosen]
    low, high = min(sizes), max(sizes)
    found = f"they have {low[0]} x {low[1]}" + (f" to {high[0]} x {high[1]} pixels" if low != high else " pixels")
    height, width = (median(side) for side in zip(*sizes, strict=True))
    scale = min(1.0, _SIDES[1] / max(height, width))
    rows, columns = (min(max(32 * round(side * scale / 32), _SIDES[0]), _SIDES[1]) for side in (height, width))
    return (rows, columns), found
