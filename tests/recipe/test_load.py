"""A recipe that does not work says where and why; nothing else comes out."""

from pathlib import Path

import pytest

from nas.errors import InputError
from nas.recipe import load_recipe

ROOT = Path(__file__).parents[2]

GOOD = """
from nas import Experiment, lazy
from nas.datasets.digits import digit_tasks

def experiment():
    return Experiment(tasks=digit_tasks(), backbone=lazy(dict), data=lazy(dict), input_shape=(1, 12, 20))
"""


def test_the_digits_recipe_does_no_work():
    experiment = load_recipe(ROOT / "runs" / "digits.py", {"strategy.epochs": 2})
    assert experiment.strategy.epochs == 2
    assert experiment.task_names == ("left", "right", "sum", "larger", "ink", "restore")


def test_a_variant_imports_the_recipe_beside_it(tmp_path):
    (tmp_path / "base_recipe.py").write_text(GOOD)
    variant = tmp_path / "variant.py"
    variant.write_text(
        "from base_recipe import experiment as base\n"
        "def experiment():\n    return base().with_fields({'strategy.epochs': 7})\n"
    )
    assert load_recipe(variant).strategy.epochs == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def experiment(:\n", ":1: SyntaxError"),
        ("import nothing_like_this\n", ":1: ModuleNotFoundError"),
        ("x = 1\n", "no function experiment"),
        ("experiment = 3\n", "no function experiment"),
        ("def experiment():\n    return 3\n", "found int"),
        ("def experiment():\n    raise KeyError('k')\n", ":2: KeyError"),
        ("def experiment(x):\n    return x\n", "TypeError"),
        ("import sys\nsys.exit(0)\n", ":2: SystemExit"),
        ("def experiment():\n    return experiment()\n", "RecursionError"),
        (GOOD.replace("input_shape=(1, 12, 20)", "input_shape=(0,)"), "input_shape"),
        (GOOD.replace("tasks=digit_tasks()", "tasks=digit_tasks() * 2"), "must be distinct"),
        (GOOD.replace("tasks=digit_tasks()", "tasks=digit_tasks(), speed=9"), "speed"),
    ],
)
def test_a_broken_recipe_is_named_with_its_line(tmp_path, text, words):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load_recipe(path)
    assert str(raised.value).startswith(str(path))
    assert words in str(raised.value)


def test_missing_folder_and_other_files(tmp_path):
    for path in (tmp_path / "none.py", tmp_path, tmp_path / "x" / "y.py"):
        with pytest.raises(InputError, match="no such recipe"):
            load_recipe(path)
    (tmp_path / "r.txt").write_text(GOOD)
    with pytest.raises(InputError, match="Python file"):
        load_recipe(tmp_path / "r.txt")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.py"):
        load_recipe(tmp_path / "bytes.py")
