"""Which dimension of a block's features holds the channels, where the backbone says so."""

from collections.abc import Sequence

from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone


def stated_channel_dims(backbone: Backbone) -> tuple[int, ...] | None:
    """The backbone's ``channel_dim`` for each block; None where it has none or it is None.

    Raises:
        InputError: it is neither a dimension nor one for each block. Dimension 0 holds the samples.
    """
    stated = getattr(backbone, "channel_dim", None)
    if stated is None:
        return None
    dims = tuple(stated) if isinstance(stated, Sequence) else (stated,) * backbone.num_blocks
    if len(dims) != backbone.num_blocks or any(type(dim) is not int or dim == 0 for dim in dims):
        raise InputError(
            f"backbone {type(backbone).__name__}: channel_dim must be the dimension of the features that holds the "
            f"channels (1 for [batch, channels, ...], -1 for [batch, ..., channels]), or one for each of the "
            f"{backbone.num_blocks} blocks; found {stated!r}"
        )
    return dims
