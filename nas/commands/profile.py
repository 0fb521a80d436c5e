"""`nas profile`: count or measure what an experiment's networks cost; needs no data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.cost import PartCost, Profile
from nas.deploy.latency import LatencyReport, profile_latency
from nas.deploy.runtimes import find_runtimes
from nas.display import Displayed
from nas.errors import InputError
from nas.networks.branched import check_fits
from nas.run import measure_parts, resolve_device, use_threads
from nas.run.opened_run import Recipe, open_experiment
from nas.tree import BranchTree, read_tree
from nas.tree.quantities import plain_quantity


@dataclass(frozen=True)
class NetworkCost:
    """A network's totals: ``amounts`` of counted resources; ``activation_bytes`` is per sample, for training."""

    amounts: Mapping[str, float]
    macs_by_operator: Mapping[str, int]
    activation_bytes: int

    @classmethod
    def total(cls, parts: Sequence[PartCost]) -> "NetworkCost":
        by_operator: dict[str, int] = {}
        for part in parts:
            for operator, count in part.by_operator.items():
                by_operator[operator] = by_operator.get(operator, 0) + count
        return cls(
            {name: sum(part.amounts[name] for part in parts) for name in parts[0].amounts},
            by_operator,
            sum(part.activation_bytes for part in parts),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.amounts,
            "macs_by_operator": dict(self.macs_by_operator),
            "activation_bytes": self.activation_bytes,
        }


@dataclass(frozen=True, repr=False)
class CostReport(Displayed):
    """What the networks of an experiment cost.

    Args:
        blocks, heads: by name.
        single: complete networks for one task, by task.
        separate: T complete single-task networks.
        unsupported: number of calls of operators that have no count.
        uncounted: those among them that have MACs, each with its module.
        tree: the network of the tree that was named.
        latency: what was measured, if it was wanted.
    """

    input_shape: tuple[int, ...]
    stem: NetworkCost
    blocks: Mapping[str, NetworkCost]
    heads: Mapping[str, NetworkCost]
    single: Mapping[str, NetworkCost]
    shared: NetworkCost
    separate: NetworkCost
    unsupported: Mapping[str, int]
    uncounted: Sequence[str]
    tree: NetworkCost | None = None
    latency: LatencyReport | None = None

    @property
    def parts(self) -> dict[str, NetworkCost]:
        """Stem, blocks and heads, by name."""
        return {"stem": self.stem, **self.blocks, **{f"head {name}": head for name, head in self.heads.items()}}

    @property
    def networks(self) -> dict[str, NetworkCost]:
        """All whole networks, by name."""
        tree = {} if self.tree is None else {"tree": self.tree}
        single = {f"single {name}": network for name, network in self.single.items()}
        return {**single, "shared": self.shared, **tree, "separate": self.separate}

    def to_dict(self) -> dict[str, Any]:
        return {
            "input_shape": list(self.input_shape),
            "stem": self.stem.to_dict(),
            "blocks": [{"name": name, **block.to_dict()} for name, block in self.blocks.items()],
            "heads": {name: head.to_dict() for name, head in self.heads.items()},
            "single": {name: network.to_dict() for name, network in self.single.items()},
            "shared": self.shared.to_dict(),
            "separate": self.separate.to_dict(),
            "unsupported": dict(self.unsupported),
            "uncounted": list(self.uncounted),
            **({} if self.tree is None else {"tree": self.tree.to_dict()}),
            **({} if self.latency is None else {"latency": self.latency.to_dict()}),
        }

    def summary(self) -> str:
        shared, separate = (plain_quantity(cost.amounts["macs"], "MACs") for cost in (self.shared, self.separate))
        return f"{len(self.blocks)} blocks; shared {shared}, separate {separate}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each part, and for each whole network."""
        return [
            {"part": name, **cost.amounts, "activation_bytes": cost.activation_bytes}
            for name, cost in {**self.parts, **self.networks}.items()
        ]


def profile(
    recipe: Recipe,
    *,
    tree: str | Path | None = None,
    size: int | None = None,
    latency: str | Path | None = None,
    runtimes: Sequence[str] | None = None,
    batch_size: int | None = None,
    rounds: int | None = None,
    changes: Mapping[str, Any] | None = None,
) -> CostReport:
    """Costs of every part, and totals of single-task networks, the shared tree, separate networks and a tree.

    With ``latency``, it also measures latencies, on the experiment's device and with its number of threads: of every
    part, for a table that searches with budgets in milliseconds need (``goal.resource="ms"``, ``latency=FILE``), and of
    whole networks. The report says how far the sums of the parts are from the measured networks.

    Args:
        recipe: a recipe file or an Experiment; its data are not read.
        tree: a tree file; its blocks correspond to the backbone's by position, and it needs no cost.
        size: height and width of the input instead of the experiment's own.
        latency: where to write the table of the parts' latencies.
        runtimes: what runs the networks: "eager", "compiled" or "onnxruntime" (on the CPU). The first one also runs the
            parts, so the table is of this runtime; more are for comparison. By default "eager".
        batch_size: samples of a timed call, by default 1.
        rounds: timed calls of each part and network, by default 20.

    Raises:
        InputError: bad recipe or tree; the backbone does not run at that size; what to time is said without
            ``latency``.
    """
    timing = {"runtimes": runtimes, "batch_size": batch_size, "rounds": rounds}
    if latency is None and (unread := [name for name, value in timing.items() if value is not None]):
        raise InputError(f"`{unread[0]}` is for measured latencies; add `latency=FILE`, or leave it out")
    experiment = open_experiment(recipe, changes)
    if size is not None:
        if size < 1 or len(experiment.input_shape) != 3:
            raise InputError(f"`size={size}`: must be positive, and needs an input_shape of (channels, height, width)")
        experiment = experiment.with_fields({"input_shape": (experiment.input_shape[0], size, size)})
    measured = measure_parts(experiment)
    names = experiment.task_names
    found = None if tree is None else read_tree(Path(tree))
    if found is not None:
        check_fits(found, len(measured.blocks), names)
    timed = None
    if latency is not None:
        use_threads(experiment.num_threads)
        table, timed = profile_latency(
            experiment,
            found,
            runtimes=find_runtimes(("eager",) if runtimes is None else runtimes),
            batch_size=1 if batch_size is None else batch_size,
            rounds=20 if rounds is None else rounds,
            device=resolve_device(experiment.device),
        )
        table.write(Path(latency))
    return CostReport(
        input_shape=tuple(measured.input_shape),
        stem=NetworkCost.total([measured.stem]),
        blocks={
            name: NetworkCost.total([block]) for name, block in zip(measured.block_names, measured.blocks, strict=True)
        },
        heads={name: NetworkCost.total([head]) for name, head in measured.heads.items()},
        single={name: _network(measured, BranchTree.shared([name], len(measured.blocks))) for name in names},
        shared=_network(measured, BranchTree.shared(names, len(measured.blocks))),
        separate=NetworkCost.total(
            [part for name in names for part in (measured.stem, *measured.blocks, measured.heads[name])]
        ),
        unsupported=measured.unsupported,
        uncounted=measured.uncounted,
        tree=None if found is None else _network(measured, found),
        latency=timed,
    )


def _network(measured: Profile, tree: BranchTree) -> NetworkCost:
    parts = [measured.stem]
    for block, num_groups in zip(measured.blocks, tree.num_groups, strict=True):
        parts += [block] * num_groups
    return NetworkCost.total([*parts, *(measured.heads[task] for task in tree.tasks)])
