"""The dimension that holds the channels of a block's features, as stated by the backbone."""

from collections.abc import Sequence

from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone


def stated_channel_dims(backbone: Backbone) -> tuple[int, ...] | None:
    """The backbone's ``channel_dim``, one for each block; None if it states none.

    Raises:
        InputError: it is neither a dimension nor one for each block; or it is 0, the dimension of the samples.
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
