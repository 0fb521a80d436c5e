"""The strategies that have a name."""

from collections.abc import Callable, Mapping

from nas.errors import no_such
from nas.strategies.affinity import BottomUp, GradientAffinity, Grouping, Lookahead, TwoTask, what_to_share
from nas.strategies.gradient import Gradient, bmtas
from nas.strategies.nni import TPE, Evolution, PolicyRL
from nas.strategies.parents import ParentChoice, ltb
from nas.strategies.proposals import RandomTrees
from nas.strategies.protocol import Strategy
from nas.strategies.similarity import Similarity, SimilaritySettings
from nas.strategies.transfer import Transfer

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "similarity": Similarity,
    "gradient": Gradient,
    "bmtas": bmtas,
    "parent_choice": ParentChoice,
    "ltb": ltb,
    "transfer": Transfer,
    "two_task": TwoTask,
    "grouping": Grouping,
    "gradient_affinity": GradientAffinity,
    "lookahead": Lookahead,
    "what_to_share": what_to_share,
    "bottom_up": BottomUp,
    "random": RandomTrees,
    "evolution": Evolution,
    "tpe": TPE,
    "policy_rl": PolicyRL,
}
"""By name, a function that makes the strategy. Recipes, ``--strategy`` and ``--set strategy=NAME`` use these names."""

PRESETS = {"quick": "similarity", "measured": "transfer", "bmtas": "bmtas", "ltb": "ltb"}
"""By the name of a preset, that of its strategy. In trainings of one network, quick costs about one or two, measured
what ``strategy.trainings`` says, and bmtas about ten. ltb trains for 500 epochs, however long the recipe's are."""


def strategy_named(name: str, own: Mapping[str, Strategy]) -> Strategy:
    """The strategy with a name: one of the recipe's own, or the default settings.

    A measured search that the recipe does not set starts with the recipe's similarity search.

    Raises:
        ValueError: there is none of this name.
    """
    if name in own:
        return own[name]
    if name not in STRATEGIES:
        raise ValueError(no_such("strategy", name, {**own, **STRATEGIES}))
    start = own.get("similarity")
    if name == "transfer" and isinstance(start, SimilaritySettings):
        # The tolerance is about the tree that the similarity search itself recommends.
        unread = {"tolerance"} if start.patience is None else set()
        fields = SimilaritySettings.model_fields.keys() - unread
        return Transfer(start=SimilaritySettings(**{field: getattr(start, field) for field in fields}))
    return STRATEGIES[name]()
