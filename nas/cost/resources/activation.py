"""Bytes of activations: an upper bound of the peak of a forward pass at batch 1.

The cost of a part is the peak of its own forward pass: the largest number of bytes, alive at the same time, that the
part has allocated for the results of its operators. Its inputs, its weights and the workspace inside an operator do not
count, and a result that is written in place or is a view of another one allocates nothing. The cost of a tree is the
sum over its parts.

The network of the tree never needs more, in whatever order its parts run: a part that has run holds its output at most,
and that was alive at the part's own peak. It usually needs less (about a third on MobileNetV2), because it frees what a
part needs only inside. The sum is what a budget can limit: a peak of the whole network does not add up over groups.
"""

from nas.cost.resources.resource import Resource, TracedPart


def count_activation(part: TracedPart) -> int:
    """The peak of one forward pass of a part."""
    from nas.cost.peak import peak_bytes

    return peak_bytes(lambda: part.module(*part.inputs))


ACTIVATION = Resource(
    name="activation",
    title="activations (bytes)",
    units=((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "bytes")),
    count=count_activation,
)
