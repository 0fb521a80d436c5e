"""The names of a backbone's blocks, as stated by the backbone."""

from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from nas.tree.partition import check_names, short_list


def block_names(backbone: Backbone) -> tuple[str, ...]:
    """The backbone's ``block_names``; ``block0``, ``block1``, ... if it states none.

    Raises:
        InputError: they are not printable, distinct, or one for each block.
    """
    stated = getattr(backbone, "block_names", None)
    if stated is None:
        return tuple(f"block{l}" for l in range(backbone.num_blocks))
    names = (stated,) if isinstance(stated, str) else tuple(stated)
    try:
        check_names(names, "block")
    except InputError as error:
        raise InputError(f"backbone {type(backbone).__name__}: block_names: {error}") from error
    if len(names) != backbone.num_blocks:
        raise InputError(
            f"backbone {type(backbone).__name__}: block_names must be a name for each of the {backbone.num_blocks} "
            f"blocks; found {short_list(names)}"
        )
    return names
