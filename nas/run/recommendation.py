"""What a front recommends, and why, in words."""

from nas.run.front import Front


def recommendation(front: Front) -> str:
    """The recommended tree's id and the reason; or that no tree is recommended, and why."""
    best = front.best
    if best is None:
        return f"no tree, since {withheld_reason(front)}"
    if best.quality.kind == "measured":
        measured = {point.tree_id for point in front.points if point.quality.kind == "measured"}
        return f"{best.tree_id}, the best by measured quality of {len(measured)}"
    if best.budget is None:
        return f"{best.tree_id}, which the search chose without a budget"
    return f"{best.tree_id}, the best by the estimate within the budgets"


def withheld_reason(front: Front) -> str:
    """Why the points of a front are withheld; the searches may have different reasons."""
    return "; ".join(dict.fromkeys(point.withheld for point in front.points if point.withheld is not None))
