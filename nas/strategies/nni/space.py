"""The trees of a problem in NNI's language of search spaces."""

from collections.abc import Callable, Iterable

from nas.cost import format_quantity
from nas.strategies.nni.encoding import Encoding
from nas.strategies.nni.library import (
    Categorical,
    Constraint,
    ConstraintViolation,
    ExecutableModelSpace,
    ModelStatus,
    Mutable,
    MutableDict,
    SampleValidationError,
)
from nas.tree import BranchTree, CostTable

Sample = dict[str, str | int]
"""By label of `Encoding.choices`, what is chosen."""


class OneSample(Constraint):
    """Allows the canonical sample of each tree alone, so that no tree counts twice."""

    def __init__(self, encoding: Encoding) -> None:
        self.label, self.encoding = "one sample of each tree", encoding

    def check_contains(self, sample: Sample) -> SampleValidationError | None:
        canonical = self.encoding.sample(self.encoding.tree(sample))
        chosen = {label: sample[label] for label in canonical}
        return None if chosen == canonical else ConstraintViolation(f"{chosen} is the tree of {canonical}")


class WithinLimit(Constraint):
    """Allows trees that cost at most ``limit``, an amount of the resource."""

    def __init__(self, encoding: Encoding, table: CostTable, resource: str, limit: float) -> None:
        self.label = f"at most {limit:g} {resource}"
        self.encoding, self.table, self.resource, self.limit = encoding, table, resource, limit

    def check_contains(self, sample: Sample) -> SampleValidationError | None:
        cost = self.table.tree_cost(self.encoding.tree(sample))[self.resource]
        if cost <= self.limit:
            return None
        return ConstraintViolation(f"the tree costs {format_quantity(cost, self.resource)}, more than its budget")


class TreeSpace(MutableDict):
    """All trees over some tasks and L blocks, each once; ``freeze(sample)`` gives the `BranchTree`.

    The choices are those of `Encoding`, as labelled Categoricals; ``constraints`` leave out samples.
    """

    def __init__(self, encoding: Encoding, *constraints: Constraint) -> None:
        self.encoding = encoding
        choices = {label: Categorical(values, label=label) for label, values in encoding.choices.items()}
        rules = {rule.label: rule for rule in (OneSample(encoding), *constraints)}
        super().__init__({**choices, **rules})

    def freeze(self, sample: Sample) -> BranchTree:
        self.validate(sample)
        return self.encoding.tree(sample)


class TreeModels(ExecutableModelSpace):
    """A `TreeSpace` as NNI's strategies explore it: any sample of the choices becomes a tree of the space.

    Args:
        fit: changes a tree that the space does not have into one that it has.
    """

    def __init__(self, space: TreeSpace, fit: Callable[[BranchTree], BranchTree]) -> None:
        super().__init__()
        self.space, self.fit = space, fit
        self.evaluator = None
        self.sample: Sample | None = None

    def freeze(self, sample: Sample) -> "TreeModels":
        """The model of one tree, whose sample is the canonical one of the tree."""
        model = TreeModels(self.space, self.fit)
        model.sample = self.space.encoding.sample(self.fit(self.space.encoding.tree(sample)))
        model.space.validate(model.sample)
        model.status = ModelStatus.Frozen
        return model

    @property
    def tree(self) -> BranchTree:
        """The tree of a frozen model."""
        assert self.sample is not None, "the space is not frozen"
        return self.space.freeze(self.sample)

    def check_contains(self, sample: Sample) -> SampleValidationError | None:
        for choice in self.leaf_mutables(lambda _: True):
            if (wrong := choice.check_contains(sample)) is not None:
                return wrong
        return None

    def leaf_mutables(self, is_leaf: Callable[[Mutable], bool]) -> Iterable[Mutable]:
        """The choices; constraints are left out, since every sample is changed into one that keeps them."""
        return (each for each in self.space.leaf_mutables(is_leaf) if not isinstance(each, Constraint))
