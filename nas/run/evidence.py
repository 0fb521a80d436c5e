"""What a search knows about two tasks at each block: one function for each kind of file that a search keeps.

A source is a function ``(trial, tree, pairs) -> Section | None``. It returns None if the trial lacks its file. To add
one, write the function and list it in `SOURCES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import InputError
from nas.files import read_record
from nas.run.costs import read_table
from nas.run.trial_folder import TrialFolder
from nas.strategies.confidence import confidence, grade
from nas.strategies.gradient.logits_record import FILE, LogitsRecord
from nas.strategies.parents.record import FILE as PARENTS
from nas.strategies.parents.record import ParentsRecord
from nas.strategies.similarity.dissimilarity import FILE as SIMILARITY
from nas.strategies.similarity.dissimilarity import read_dissimilarity
from nas.strategies.transfer.exchange import Exchange
from nas.strategies.transfer.gains import Gain
from nas.strategies.transfer.record import TransferRecord
from nas.strategies.transfer.transfer_map import TransferMap, transfer_map
from nas.tree import BranchTree

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two tasks in a tree.

    Args:
        tasks: their names.
        blocks: names of the L blocks.
        num_shared: number of blocks that they share, which are the first ones.
        price_L: cost of one more instance of each block and all later ones, as a share of separate networks: what it
            costs to separate the tasks from this block on.
    """

    tasks: tuple[str, str]
    blocks: tuple[str, ...]
    num_shared: int
    price_L: tuple[float, ...]

    @property
    def parted_at(self) -> str | None:
        """The first block that they do not share; None if they share all."""
        return self.blocks[self.num_shared] if self.num_shared < len(self.blocks) else None

    def sentence(self, finding: str, block: int) -> str:
        """How much they share, a finding about a block, and what separating them from this block on costs.

        Args:
            block: the block at which they part; one of the shared blocks if they share all.
        """
        names, price = " and ".join(self.tasks), f"{100 * self.price_L[block]:.2g} % of separate networks"
        if self.parted_at is None:
            return f"{names} share every block; {finding}, and separating them from there on would cost {price}"
        upto = f"up to {self.blocks[self.num_shared - 1]}" if self.num_shared else "only the stem"
        return f"{names} share {upto}; {finding}, and separating them costs {price}"

    def telling_block(self, apart_L: Floats) -> int:
        """The block at which they part; if they share all, the one where ``apart_L`` speaks most for parting."""
        return self.num_shared if self.num_shared < len(self.blocks) else int(np.argmax(apart_L))


@dataclass(frozen=True)
class PairEvidence:
    """What a source says about a pair.

    Args:
        tasks: their names.
        rows: for each block its name, whether the pair shares it in the tree, the source's numbers, and the price of
            separating the pair from this block on.
        summary: the row of the pair in a table of all pairs.
        sentence: what the source says, in one line or several.
    """

    tasks: tuple[str, str]
    rows: tuple[Mapping[str, Any], ...]
    summary: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True)
class Section:
    """What a source says about all pairs.

    Args:
        source: its name, for programs.
        about: what its numbers are, for people.
        caption: what the summaries are, for people.
        gains: what each task of the tree gains over its single-task network, if the source knows.
    """

    source: str
    about: str
    pairs: tuple[PairEvidence, ...]
    caption: str = "block: the first one not shared, or the one that speaks most for parting"
    gains: Mapping[str, Gain] = field(default_factory=dict)


Source = Callable[[TrialFolder, BranchTree, Sequence[Pair]], Section | None]


def of_features(trial: TrialFolder, tree: BranchTree, pairs: Sequence[Pair]) -> Section | None:
    """Distances of features between own copies (``similarity.json``): of two tasks, and of one task (the floor)."""
    if not (trial.path / SIMILARITY).is_file():
        return None
    measured = read_dissimilarity(trial.path)
    evidence = []
    for pair in pairs:
        index = (slice(None), *_places(pair, measured.tasks, len(measured.floor_LTT), trial))
        distance_L, floor_L = measured.dissimilarity_LTT[index], measured.floor_LTT[index]
        error_L = None if measured.error_LTT is None else measured.error_LTT[index]
        excess_L = distance_L - floor_L
        columns = {"distance": distance_L, "floor": floor_L, "excess": excess_L}
        if error_L is not None:
            columns["error"] = error_L
        l = pair.telling_block(excess_L)
        size = f"{distance_L[l]:.2g} (one copy of each task has no noise floor)"
        if error_L is not None:
            times = (
                f"{distance_L[l] / floor_L[l]:.2g} times the" if floor_L[l] > 0 else f"{distance_L[l]:.2g} without a"
            )
            size = f"{times} noise floor ({certainty(excess_L[l], error_L[l])})"
        sentence = pair.sentence(f"at {pair.blocks[l]} their features differ by {size}", l)
        rows = _rows(pair, columns)
        evidence.append(PairEvidence(pair.tasks, rows, rows[l], sentence))
    about = f"distance of features between own copies ({measured.measure}); the floor is that of two copies of one task"
    return Section("similarity", about, tuple(evidence))


def of_logits(trial: TrialFolder, tree: BranchTree, pairs: Sequence[Pair]) -> Section | None:
    """Probabilities that two tasks choose the same candidate, by the logits of a search (``logits.json``)."""
    if not (trial.path / FILE).is_file():
        return None
    record = read_record(trial.path / FILE, LogitsRecord)
    probs_LTC = record.probs_LTC
    chance = 1.0 / probs_LTC.shape[2]
    evidence = []
    for pair in pairs:
        s, t = _places(pair, record.tasks, len(probs_LTC), trial)
        same_L = (probs_LTC[:, s] * probs_LTC[:, t]).sum(axis=-1)
        l = pair.telling_block(-same_L)
        finding = f"at {pair.blocks[l]} they choose the same candidate with probability {same_L[l]:.2f}"
        columns = {"same": same_L, "chance": np.full_like(same_L, chance), "together": np.cumprod(same_L)}
        sentence = pair.sentence(f"{finding} (chance {chance:.2f})", l)
        rows = _rows(pair, columns)
        evidence.append(PairEvidence(pair.tasks, rows, rows[l], sentence))
    about = (
        "probability that two tasks choose the same candidate at a block (same), and at it and all blocks before it "
        "(together), by the logits; chance is that of uniform logits"
    )
    return Section("logits", about, tuple(evidence))


def of_parents(trial: TrialFolder, tree: BranchTree, pairs: Sequence[Pair]) -> Section | None:
    """Probabilities that two tasks descend from the same node, by the logits of a search (``parents.json``)."""
    if not (trial.path / PARENTS).is_file():
        return None
    record = read_record(trial.path / PARENTS, ParentsRecord)
    together_LTT = np.array(record.together)
    # Tasks that share a block share the ones before it, so chance is about those that part after the block.
    later_LTT = np.concatenate([together_LTT[1:], np.zeros_like(together_LTT[:1])])
    evidence = []
    for pair in pairs:
        index = (slice(None), *_places(pair, record.tasks, len(together_LTT), trial))
        same_L, later_L = together_LTT[index], later_LTT[index]
        chance_L = later_L + (1.0 - later_L) / np.array(record.nodes)
        l = pair.telling_block(-same_L)
        finding = f"at {pair.blocks[l]} they have the same node with probability {same_L[l]:.2f}"
        sentence = pair.sentence(f"{finding} (chance {chance_L[l]:.2f})", l)
        rows = _rows(pair, {"same": same_L, "chance": chance_L})
        evidence.append(PairEvidence(pair.tasks, rows, rows[l], sentence))
    about = (
        "probability that two tasks descend from the same node of a block (same), by the logits; chance is that of "
        "uniform logits at this block, and of the search's own logits at later ones"
    )
    return Section("parents", about, tuple(evidence))


def of_trainings(trial: TrialFolder, tree: BranchTree, pairs: Sequence[Pair]) -> Section | None:
    """What two tasks do to each other by sharing blocks, as trainings of trees say (``transfer.json``)."""
    record = read_transfer(trial)
    if record is None or (effects := record.pair_effects) is None:
        return None
    evidence = []
    for pair in pairs:
        _places(pair, record.tasks, len(record.blocks), trial)
        exchange = Exchange(effects, tree, pair.tasks, pair.num_shared)
        first, second = exchange.by_block
        rows = _rows(pair, {"first": first, "second": second})
        evidence.append(PairEvidence(pair.tasks, rows, exchange.summary, exchange.sentence))
    num_trees, noise = len({row.tree for row in record.trainings}), record.noise.values()
    about = (
        f"what sharing blocks does to the first and the second task of a pair, in % of their losses (± standard "
        f"deviation; ** certain, * likely), by trainings of {num_trees} trees"
    )
    if noise:
        about += f", whose results vary by {min(noise):.1f} to {max(noise):.1f} % from training to training"
    gains = record.gains_of(tree)
    if gains is None:
        about += (
            "; it neither trained this tree nor found it on its curve, so what its tasks gain together is not known"
        )
    caption = (
        "first, second: by the blocks shared in the tree, in its groups; all: if the two tasks alone shared all blocks"
    )
    return Section("transfer", about, tuple(evidence), caption, gains or {})


def read_transfer(trial: TrialFolder) -> TransferRecord | None:
    """What the trial of a measured search measured and learned; None if it was another search."""
    path = trial.path / "transfer.json"
    return read_record(path, TransferRecord) if path.is_file() else None


def read_transfer_map(trial: TrialFolder) -> TransferMap | None:
    """Which task helps and hurts which; None if the trial's search has not measured it."""
    record = read_transfer(trial)
    effects = None if record is None else record.pair_effects
    return None if effects is None else transfer_map(effects)


SOURCES: tuple[Source, ...] = (of_features, of_logits, of_parents, of_trainings)
"""All kinds of evidence, in the order in which they are shown."""


def certainty(excess: float, error: float) -> str:
    """How sure it is that a distance is above the noise floor, or below it, in a word or two."""
    found = grade(confidence(abs(excess), error))
    return f"{found} below it" if excess < 0 and found != "toss-up" else str(found)


def _places(pair: Pair, tasks: Sequence[str], num_blocks: int, trial: TrialFolder) -> tuple[int, int]:
    """The rows of a pair's tasks."""
    if not set(pair.tasks) <= set(tasks) or len(pair.blocks) != num_blocks:
        raise InputError(
            f"{trial.path}: is about {num_blocks} blocks and the tasks {', '.join(map(str, tasks))}; the tree has "
            f"{len(pair.blocks)} blocks and tasks {' and '.join(pair.tasks)}"
        )
    first, second = (list(tasks).index(task) for task in pair.tasks)
    return first, second


def _rows(pair: Pair, columns: Mapping[str, Floats | Sequence[Gain]]) -> tuple[Mapping[str, Any], ...]:
    lists = {name: values if isinstance(values, Sequence) else values.tolist() for name, values in columns.items()}
    lists["price"] = pair.price_L
    return tuple(
        {"block": block, "shared": l < pair.num_shared, **{name: values[l] for name, values in lists.items()}}
        for l, block in enumerate(pair.blocks)
    )


def pairs_of(tree: BranchTree, tasks: Sequence[str], trial: TrialFolder, resource: str) -> tuple[Pair, ...]:
    """Every pair of some tasks of a tree; InputError if the trial's costs are not of this tree."""
    price_L = _prices(trial, resource, tree)
    return tuple(Pair(pair, tree.blocks, _num_shared(tree, pair), price_L) for pair in combinations(tasks, 2))


def _prices(trial: TrialFolder, resource: str, tree: BranchTree) -> tuple[float, ...]:
    """The share of separate networks' cost that each block and all later ones have."""
    table = read_table(trial.costs)
    fits = len(table.blocks) == len(tree.blocks) and set(tree.tasks) <= set(table.heads)
    if not fits or resource not in table.resources:
        raise InputError(f"{trial.costs}: lacks tasks or blocks of tree {tree.id}, or costs in {resource}")
    cost_L = [block[resource] for block in table.blocks]
    separate = table.separate_cost()[resource] or 1.0
    return tuple(sum(cost_L[l:]) / separate for l in range(len(cost_L)))


def _num_shared(tree: BranchTree, tasks: tuple[str, str]) -> int:
    """The number of blocks that two tasks share in a tree."""
    return sum(any(set(tasks) <= set(group) for group in partition) for partition in tree.partitions)
