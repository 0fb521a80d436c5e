"""Tests estimators of groupings on published results: what pairs of tasks say about larger groups.

    .venv/bin/python tools/published_groupings.py FOLDER

FOLDER has ``standley2020/*.csv`` (github.com/tstandley/taskgrouping) and ``mtgnet2022/*.csv``
(github.com/ShawnKS/MTG-Net): the results of networks for many groups of tasks. Gains are in percent: of the loss of the
task's own network (Standley), or as published (MTG-Net). From the groups of two alone, three estimators predict the
others:

- mean: a task's mean gain with the others (`nas.discretize.grouping.gains_by_pairs`);
- 2/|G|: their sum times 2/|G|, the form of the exact programme;
- sum: their sum.

The first table has the rank correlation (Spearman) of predicted and measured total gain over all groups of three and
more tasks, and the greatest error of a mean gain. The second has the measured total gain of the grouping that is best
by each estimator with at most K groups, beside the best measured one, a single group, and the mean over all groupings
of measured groups where these can be enumerated.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from nas.discretize.allowed import Bools
from nas.discretize.grouping import best_groupings, gains_by_pairs
from nas.discretize.lattice import Floats
from nas.tree import set_partitions

ENUMERATED = 8
"""Number of tasks up to which all groupings are averaged."""


@dataclass(frozen=True)
class Table:
    """Published results: which tasks each group has, and the gain of each task in it, [G, T]; 0 outside the group."""

    name: str
    groups_GT: Bools
    gain_GT: Floats

    @property
    def pair_TT(self) -> Floats:
        """What a network shared with task s alone brings task t, [t, s]."""
        pair_TT = np.zeros((self.groups_GT.shape[1],) * 2)
        for group_T, gain_T in zip(self.groups_GT, self.gain_GT, strict=True):
            if group_T.sum() == 2:
                t, s = np.flatnonzero(group_T)
                pair_TT[t, s], pair_TT[s, t] = gain_T[t], gain_T[s]
        return pair_TT

    def predictions(self) -> dict[str, Floats]:
        """By estimator, the predicted total gain of each group."""
        size_G = self.groups_GT.sum(axis=1)
        mean_G = gains_by_pairs(self.groups_GT, self.pair_TT)
        return {"mean": mean_G, "2/|G|": mean_G * 2.0 * (size_G - 1) / size_G, "sum": mean_G * (size_G - 1)}


def standley(path: Path) -> Table:
    """Losses of the networks of full size; the first column is the network's cost."""
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    full = [[float(cell) if cell else np.nan for cell in row[1:]] for row in rows if float(row[0]) == 1.0]
    loss_GT = np.array(full)
    groups_GT = ~np.isnan(loss_GT)
    alone_T = np.array([loss_GT[(groups_GT.sum(axis=1) == 1) & groups_GT[:, t], t][0] for t in range(len(loss_GT[0]))])
    return Table(path.stem, groups_GT, np.where(groups_GT, 100.0 * (1.0 - np.nan_to_num(loss_GT) / alone_T), 0.0))


def mtgnet(groups: Path, gains: Path) -> Table:
    return Table(gains.stem, np.loadtxt(groups, delimiter=",") == 1.0, 100.0 * np.loadtxt(gains, delimiter=","))


def tables(folder: Path) -> Iterator[Table]:
    for path in sorted((folder / "standley2020").glob("*.csv")):
        # The others were stopped early, as the authors' own estimate.
        if not path.stem.endswith(("_20", "_at4")):
            yield standley(path)
    for group, gain in (("ETTm1_x", "ETTm1_y"), ("taskonomy_x", "taskonomy"), ("mimic_x", "mimic_y_valid")):
        yield mtgnet(folder / "mtgnet2022" / f"{group}.csv", folder / "mtgnet2022" / f"{gain}.csv")


def correlation_row(table: Table) -> str:
    larger_G = table.groups_GT.sum(axis=1) > 2
    total_G = table.gain_GT.sum(axis=1)[larger_G]
    cells = []
    for predicted_G in table.predictions().values():
        error = np.abs(predicted_G[larger_G] - total_G) / table.groups_GT.sum(axis=1)[larger_G]
        cells.append(f"{spearmanr(predicted_G[larger_G], total_G).statistic:.2f} ({error.max():.1f})")
    return f"| {table.name} | {table.groups_GT.shape[1]} | {larger_G.sum()} | {' | '.join(cells)} |"


def choice_row(table: Table, most: int) -> str:
    total_G = table.gain_GT.sum(axis=1)
    measured = {tuple(group_T.tolist()): total for group_T, total in zip(table.groups_GT, total_G, strict=True)}

    def value(predicted_G: Floats) -> float:
        fitting = [labels_T for _, labels_T in best_groupings(table.groups_GT, predicted_G) if labels_T.max() < most]
        labels_T = fitting[-1]
        return float(sum(measured[tuple((labels_T == group).tolist())] for group in range(labels_T.max() + 1)))

    num_tasks = table.groups_GT.shape[1]
    everything = measured[(True,) * num_tasks]
    chosen = [value(predicted_G) for predicted_G in table.predictions().values()]
    average = f"{_mean_grouping(measured, num_tasks, most):.1f}" if num_tasks <= ENUMERATED else ""
    cells = [*(f"{gain:.1f}" for gain in (*chosen, value(total_G), everything)), average]
    return f"| {table.name} | {most} | {' | '.join(cells)} |"


def _mean_grouping(measured: dict[tuple[bool, ...], float], num_tasks: int, most: int) -> float:
    """The mean total gain of all groupings with at most so many groups."""
    totals = []
    for partition in set_partitions(num_tasks):
        groups = [tuple(t in group for t in range(num_tasks)) for group in partition]
        if len(groups) <= most:
            totals.append(sum(measured[group] for group in groups))
    return float(np.mean(totals))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    known = list(tables(parser.parse_args().folder))
    print("| table | tasks | groups | mean | 2/\\|G\\| | sum |\n| --- | --- | --- | --- | --- | --- |")
    for table in known:
        print(correlation_row(table), flush=True)
    print("\n| table | K | mean | 2/\\|G\\| | sum | best | one group | all groupings |\n" + "| --- " * 8 + "|")
    for table in known:
        for most in (2, 3):
            print(choice_row(table, most), flush=True)


if __name__ == "__main__":
    main()
