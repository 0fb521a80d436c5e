"""How often searches find the expected structure of the synthetic tasks of Learning to Branch (runs/ltb_synthetic.py).

    .venv/bin/python tools/synthetic_structure.py [--seeds 5] [--strategies NAME ...] [--out FILE]

Every strategy searches once for each setting and seed, without a budget, so it chooses the cost of its tree. Results
are kept in FILE, one line each; nothing finished is computed again. The trainings are short: `STRATEGIES` has the
epochs, of 20 steps each. "agreement" is the adjusted Rand index of the last block's groups with the three functions,
or with cos-sinc and square in the setting "hierarchy" (1 is equality, 0 chance).
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, get_args

from sklearn.metrics import adjusted_rand_score
from torch import device, set_num_threads

from nas.datasets.function_tasks import Setting, has_structure
from nas.recipe import load_recipe
from nas.run import RunFolder, TrialParts
from nas.run.evaluator import problem_of
from nas.tree import BranchTree

RECIPE = Path(__file__).parents[1] / "runs" / "ltb_synthetic.py"

STRATEGIES: dict[str, dict[str, Any]] = {
    "ltb": {"strategy": "ltb", "strategy.epochs": 40},
    "parent_choice": {"strategy": "parent_choice", "strategy.epochs": 40, "strategy.discretize": "argmax"},
    # Three candidates, as many as nodes, and one weight step for all tasks, which cost less than published.
    "bmtas": {
        "strategy": "bmtas",
        "strategy.epochs": 20,
        "strategy.num_candidates": 3,
        "strategy.weight_step": "joint",
        "strategy.reset_optimizers": False,
    },
    "similarity": {"strategy": "similarity", "strategy.epochs": 10},
}
"""By name, changes to the recipe."""


def search(setting: Setting, name: str, seed: int, folder: Path) -> dict[str, Any]:
    """The result of a search, as a line of the file has it."""
    experiment = sys.modules["_recipe_ltb_synthetic"].synthetic_experiment(setting, seed).with_fields(STRATEGIES[name])
    problem = problem_of(experiment, TrialParts.build(experiment), RunFolder(folder), device("cpu"))
    problem.store.folder.mkdir(parents=True, exist_ok=True)
    started = time.process_time()
    (found,) = experiment.strategy.search(problem).trees
    tree = found.tree
    return {
        "setting": setting,
        "strategy": name,
        "seed": seed,
        "found": has_structure(tree, setting),
        "agreement": agreement(tree, setting),
        "groups": tree.num_groups,
        "last": tree.partitions[-1],
        "seconds": round(time.process_time() - started, 1),
    }


def agreement(tree: BranchTree, setting: Setting) -> float:
    """The adjusted Rand index of the last block's groups with the expected ones."""
    names = [task.rpartition("_")[0] for task in tree.tasks]
    expected = {"share": [""] * len(names), "cluster": names, "hierarchy": [str(name == "square") for name in names]}
    return float(adjusted_rand_score(expected[setting], tree.choices_LT[-1]))


def report(results: list[dict[str, Any]]) -> str:
    lines = ["| setting | strategy | found | agreement | groups | CPU s |", "| --- | --- | --- | --- | --- | --- |"]
    for setting in get_args(Setting):
        for name in STRATEGIES:
            rows = [row for row in results if (row["setting"], row["strategy"]) == (setting, name)]
            if rows:
                mean, seconds = (sum(row[key] for row in rows) / len(rows) for key in ("agreement", "seconds"))
                groups = ", ".join("-".join(map(str, row["groups"])) for row in rows)
                found = f"{sum(row['found'] for row in rows)} of {len(rows)}"
                lines.append(f"| {setting} | {name} | {found} | {mean:.2f} | {groups} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategies", nargs="+", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--out", type=Path, default=Path("runs/out/synthetic_structure.jsonl"))
    given = parser.parse_args()
    load_recipe(RECIPE)
    set_num_threads(1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    results = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.is_file() else []
    done = {(row["setting"], row["strategy"], row["seed"]) for row in results}
    for seed in range(given.seeds):
        for setting in get_args(Setting):
            for name in given.strategies:
                if (setting, name, seed) not in done:
                    folder = given.out.with_suffix("") / f"{setting}-{name}-{seed}"
                    results.append(search(setting, name, seed, folder))
                    with given.out.open("a") as file:
                        file.write(json.dumps(results[-1]) + "\n")
    print(report(results))


if __name__ == "__main__":
    main()
