"""Every number of nas/howto/maths.md, against its own arithmetic and against the code."""

import ast
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.cost.expected import expected_cost, groups_by_paths, groups_by_subsets
from nas.discretize import discretize, value_of
from nas.networks.supernet.routing import sample_routing
from nas.strategies.transfer import TransferModel
from nas.strategies.transfer.sharing import sharing_of
from nas.training.relative import delta_m
from nas.tree import BranchTree, CostTable, enumerate_trees

TEXT = (Path(__file__).parents[2] / "nas" / "howto" / "maths.md").read_text()
BLOCKS = re.findall(r"^```text\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.splitlines()]
ROWS = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line[:3] == "| `"]
ABC = ("a", "b", "c")


def evaluate(side):
    """The value of a sum in numbers, or None if names occur in it."""
    names = {node.id for node in ast.walk(ast.parse(side, mode="eval")) if isinstance(node, ast.Name)}
    known = {"exp": math.exp, "ln": math.log}
    return eval(side, {"__builtins__": {}}, known) if names <= set(known) else None


def partition(text):
    """``{a b} {c}`` as groups."""
    return tuple(tuple(group.split()) for group in re.findall(r"{(.*?)}", text))


def sides(line):
    return [side.strip() for side in line.split(" = ")]


def rounding(number):
    """Half a unit of the last digit that is written, for results that have been rounded."""
    digits = re.search(r"\.(\d+)", number)
    return 0.5 * 10.0 ** -len(digits[1]) if digits else 0.0


def numbers(line):
    """The sides of a line that are sums in numbers, with what they are worth."""
    return [(side, evaluate(side)) for side in sides(line)[1:] if "{" not in side]


VALUES = {sides(line)[0]: numbers(line)[-1][1] for line in LINES if numbers(line)}
PARTITIONS = {sides(line)[0]: partition(sides(line)[1]) for line in LINES if "{" in sides(line)[1]}


def curve_table():
    stem, first, second, head = ({"macs": VALUES[name]} for name in ("stem", "block_0", "block_1", "head"))
    return CostTable(stem, (first, second), dict.fromkeys(ABC, head), ("first", "second"))


def distances():
    d_LTT = np.zeros((2, 3, 3))
    for l in range(2):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            d_LTT[l, i, j] = d_LTT[l, j, i] = VALUES[f"d_{l}({ABC[i]}, {ABC[j]})"]
    return d_LTT


def value_at(l, groups):
    """The value of a partition at one block."""
    return value_of(BranchTree(ABC, (groups,)), distances()[l : l + 1])


def probabilities():
    return torch.tensor([[VALUES[f"p_{l}({task})"] for task in "st"] for l in range(2)], dtype=torch.float64)


def taken(*path):
    """The probability that somebody takes a path: the paths' form of the expected number, where all else is certain."""
    probs_LTC = probabilities()
    share_T = torch.stack([probs_LTC[l, :, c] for l, c in enumerate(path)]).prod(0)
    # Two candidates: the path, and a second block at which each task that has not taken it is on its own.
    apart_LTC = torch.zeros(1, 2, 3, dtype=torch.float64)
    apart_LTC[0, :, 0] = share_T
    apart_LTC[0, 0, 1] = 1 - share_T[0]
    apart_LTC[0, 1, 2] = 1 - share_T[1]
    return float(groups_by_paths(apart_LTC)[0] - (1 - share_T).sum())


def noisy():
    return tuple(logit - math.log(e) for logit, e in zip(VALUES["logits"], VALUES["e"], strict=True))


def sampled(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "exponential_", lambda self, generator: self.copy_(torch.tensor(VALUES["e"])))
    logits_LTC = torch.tensor([[VALUES["logits"]]], dtype=torch.float64)
    return float(sample_routing(logits_LTC, VALUES["tau"], hard=False, generator=None)[0, 0, 0])


def measured(suffix):
    """Metrics of both tasks."""
    segmentation = {"mean_iou": VALUES[f"mean_iou{suffix}"]}
    return {
        "segmentation": segmentation,
        "depth": {"rmse": VALUES[f"rmse{suffix}"], "delta1": VALUES[f"delta1{suffix}"]},
    }


def gain(*tasks):
    higher = {"segmentation": {"mean_iou": True}, "depth": {"rmse": False, "delta1": True}}
    return delta_m(measured(""), measured("(single)"), {task: higher[task] for task in tasks})


def predicted():
    """What the transfer model says of task a, with the effects of the page as the posterior mean."""
    effect = [[0.0, VALUES[f"b_{l}(a, b)"], VALUES[f"b_{l}(a, c)"]] for l in range(2)]
    mean_TD = torch.zeros(3, 7, dtype=torch.float64)
    mean_TD[0, :6] = torch.tensor(effect).flatten()
    zeros = torch.zeros(3, 7, 7, dtype=torch.float64)
    model = TransferModel(ABC, None, mean_TD, zeros, torch.zeros(3), torch.zeros(0, 3), 0.0, torch.zeros(3), 1.0)
    tree = BranchTree(ABC, ((ABC,), (("a", "b"), ("c",))))
    return float(model.predict([tree])[0][0, 0])


def separate_cost():
    return curve_table().separate_cost()["macs"]


def small_table():
    block = [{"macs": VALUES[f"cost_{l}"]} for l in range(2)]
    heads = {task: {"macs": VALUES[f"cost(head_{task})"]} for task in "st"}
    return CostTable({"macs": VALUES["cost(stem)"]}, block, heads, ("first", "second"))


def results(monkeypatch):
    """By the name of a line, what the code says."""
    probs_LTC = probabilities()
    by_sets, by_paths = groups_by_subsets(probs_LTC), groups_by_paths(probs_LTC)
    curve = discretize(ABC, distances(), curve_table(), "macs")
    best = curve.within(0.6 * separate_cost())
    found = {
        "p": tuple(torch.tensor(VALUES["logits"], dtype=torch.float64).softmax(0).tolist()),
        "g": tuple(-math.log(e) for e in VALUES["e"]),
        "x": noisy(),
        "x / tau": tuple(x / VALUES["tau"] for x in noisy()),
        "routing(first)": sampled(monkeypatch),
        "E[cost]": float(expected_cost(probs_LTC, small_table(), "macs")),
        "curve": tuple((point.cost, point.value) for point in curve),
        "cost(separate networks)": separate_cost(),
        "budget": 0.6 * separate_cost(),
        "cost(best)": best.cost,
        "gain(segmentation)": gain("segmentation"),
        "gain(depth)": gain("depth"),
        "delta_m": gain("segmentation", "depth"),
        "y_a": predicted(),
    }
    for l in range(2):
        found[f"together_{l}"] = 2 - float(by_sets[l])
        found[f"E[N_{l}] by sets"] = float(by_sets[l])
        found[f"E[N_{l}] by paths"] = float(by_paths[l])
        found[f"taken({l})"] = taken(l)
        found |= {f"taken({l}, {c})": taken(l, c) for c in range(2)}
        found |= {name: value_at(l, partition(name)) for name in VALUES if name.startswith(f"value_{l}(")}
    return found


INPUTS = re.compile(
    r"logits|e|tau|choices_\d|p_\d\(.\)|cost_\d|cost\((stem|head_.)\)|d_\d\(., .\)|stem|block_\d|head|b_\d\(a, .\)|"
    r"(mean_iou|rmse|delta1)(\(single\))?"
)


@pytest.mark.parametrize(
    "line", [*LINES, *(f"value = {row[2]}" for row in ROWS), *(f"cost = {row[3]}" for row in ROWS)]
)
def test_all_sides_are_equal(line):
    found = numbers(line)
    assert found or "{" in line
    written, result = found[-1] if found else ("", None)
    for _, value in found[:-1]:
        # In double precision, beside the rounding of the written result.
        np.testing.assert_allclose(value, result, rtol=0, atol=rounding(written) + 1e-12)


def test_every_result_is_what_the_code_says(monkeypatch):
    expected = results(monkeypatch)
    assert {name for name in VALUES if not INPUTS.fullmatch(name)} == set(expected)
    for line in LINES:
        if (name := sides(line)[0]) in expected:
            tolerance = rounding(sides(line)[-1]) if name in ("p", "g", "x", "x / tau", "routing(first)") else 1e-9
            np.testing.assert_allclose(VALUES[name], expected[name], rtol=0, atol=tolerance, err_msg=name)


def test_the_partitions_are_those_of_the_choices():
    tree = BranchTree.from_choices(ABC, [VALUES[f"choices_{l}"] for l in range(3)])
    assert [PARTITIONS[f"P_{l}"] for l in range(3)] == list(tree.partitions)


def test_the_table_has_every_tree_with_its_value_and_cost():
    table, d_LTT = curve_table(), distances()
    trees = [BranchTree(ABC, (partition(first), partition(second))) for first, second, *_ in ROWS]
    assert set(trees) == set(enumerate_trees(ABC, 2))
    assert len(trees) == len(set(trees))
    for tree, (_, _, value, cost) in zip(trees, ROWS, strict=True):
        assert evaluate(sides(value)[-1]) == pytest.approx(value_of(tree, d_LTT), abs=1e-9)
        assert evaluate(sides(cost)[-1]) == table.tree_cost(tree)["macs"]


def test_a_dissimilarity_of_effects_gives_the_mean_gain():
    b_LTT = np.random.default_rng(0).normal(size=(2, 3, 3))
    d_LTT = -(b_LTT + b_LTT.transpose(0, 2, 1)) / 3
    for tree in enumerate_trees(ABC, 2):
        x_TLT = sharing_of([tree], ABC)[0].numpy()
        gain_T = np.einsum("tls,lts->t", x_TLT, b_LTT)
        # Dissimilarities are rounded to 2^-32 of the greatest one.
        assert -value_of(tree, d_LTT) == pytest.approx(gain_T.mean(), abs=1e-9)


def test_no_number_escapes_the_checks():
    prose = re.sub(r"^```.*?^```$|^(    |\| ).*?$|`[^`]*`|\]\(.*?\)|delta1", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r".*\d.*", prose) == []
