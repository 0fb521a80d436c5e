"""Amounts of resources in words."""


def format_quantity(value: float, resource: str) -> str:
    """As `nas.cost.format_quantity`, which is imported here because it loads torch, and drawing a tree needs none."""
    from nas.cost import format_quantity as in_words

    return in_words(value, resource)
