"""Recipes whose own code fails: what fails is named with its line, before anything is written if that is possible."""

import json

import pytest
from small_digits import refused

from nas.cli.main import run

GOOD = """
import torch
import torchmetrics
from torch import nn
from nas import CompareSettings, Experiment, Goal, Gradient, Task, TrainingSettings, lazy

class Head(nn.Module):
    def __init__(self, num_outputs):
        super().__init__()
        self.linear = nn.Linear(8, num_outputs)

    def forward(self, features, size):
        return self.linear(features[-1])

class Backbone:
    num_blocks = 2
    taps = (1,)

    def make_stem(self):
        return nn.Linear(4, 8)

    def make_block(self, l):
        return nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def make_head(self, task):
        return Head(task.num_outputs)

class Numbers:
    def __len__(self):
        return 24

    def __getitem__(self, i):
        return torch.full((4,), i / 24), {"kind": torch.tensor(i % 3), "size": torch.tensor([float(i)])}

class Source:
    def split(self, name):
        return Numbers()

kind = Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",))
size = Task(name="size", num_outputs=1, loss="mse", metrics=("rmse",))

def make(backbone=Backbone, data=Source, tasks=(kind, size), **fields):
    return Experiment(
        tasks=tasks, backbone=lazy(backbone), data=lazy(data), input_shape=(4,), num_threads=1,
        goal=Goal(budgets=(0.9,)), strategy=Gradient(epochs=2, batch_size=8),
        retrain=TrainingSettings(epochs=1, batch_size=8), compare=CompareSettings(seeds=(0,), random_trees=0),
        **fields,
    )
"""


def backbone(body: str) -> str:
    return f"class Mine(Backbone):\n    {body}\ndef experiment():\n    return make(backbone=Mine)\n"


def sample(body: str, **fields: object) -> str:
    named = "".join(f", {name}={value!r}" for name, value in fields.items())
    return (
        f"class Mine(Numbers):\n    def __getitem__(self, i):\n        {body}\n"
        f"class MySource:\n    def split(self, name):\n        return Mine()\n"
        f"def experiment():\n    return make(data=MySource{named})\n"
    )


def size_task(definition: str, **fields: str) -> str:
    named = {"loss": "'mse'", "metrics": "('rmse',)"} | fields
    task = f"Task(name='size', num_outputs=1, loss={named['loss']}, metrics={named['metrics']})"
    return f"{definition}\ndef experiment():\n    return make(tasks=(kind, {task}))\n"


@pytest.fixture
def recipe(tmp_path):
    def write(text: str):
        path = tmp_path / "mine.py"
        path.write_text(GOOD + text)
        return path

    return write


def test_the_recipe_that_these_break_works(recipe, tmp_path, capsys):
    path = recipe("def experiment():\n    print('hello')\n    return make()\n")
    for command in (["profile", path], ["check", path], ["search", path, "--out", tmp_path / "run"]):
        capsys.readouterr()
        assert run([str(word) for word in (*command, "--json")]) == 0
        # What a recipe prints is no result.
        captured = capsys.readouterr()
        json.loads(captured.out)
        assert "hello" in captured.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (backbone("def __init__(self): raise KeyError('weights')"), ["Mine: KeyError: 'weights' (", "mine.py:"]),
        (backbone("def __init__(self): raise SystemExit(3)"), ["Mine: SystemExit: 3"]),
        (backbone("taps = None"), ["Mine"]),
        (backbone("taps = property(lambda self: 1 / 0)"), ["Mine: ZeroDivisionError"]),
        (backbone("def make_block(self, l): raise IndexError('x')"), ["Mine", "IndexError: x (", "mine.py:"]),
        (backbone("def make_block(self, l): return None"), ["make_block(0) must give a torch module; found NoneType"]),
        (backbone("def make_block(self, l): return nn.Linear(7, 8)"), ["does not run on an input of shape [4]"]),
        (backbone("def make_head(self, task): return lambda f, s: f"), ["make_head(kind) must give a torch module"]),
        (backbone("def make_stem(self): return nn.LSTM(4, 8)"), ["make_stem() must give one tensor; found tuple"]),
        (backbone("def make_stem(self): torch.zeros(10**13)"), ["does not run on an input", "allocate memory"]),
        ("def experiment():\n    return make(data=lambda: open('/nowhere'))\n", ["FileNotFoundError", "mine.py:"]),
        (
            "class S:\n  def split(self, n): return {'train': Numbers()}[n]\ndef experiment(): return make(data=S)",
            ["KeyError"],
        ),
        (
            "class S:\n    def split(self, name): return []\ndef experiment(): return make(data=S)",
            ["split 'train' is empty"],
        ),
        (sample("return torch.zeros(4)"), ["a sample is a pair"]),
        (sample("return [0.0] * 4, {}"), ["inputs must be tensors"]),
        (sample("return torch.zeros(4).double(), {}"), ["torch.float32", "found torch.float64"]),
        (sample("return torch.zeros(5), {}"), ["inputs have shape [5]", "input_shape [4]"]),
        (sample("return torch.zeros(4), {'kind': 'dog'}"), ["label of kind", "found str"]),
        (size_task("def mine(task): raise TypeError('m')", metrics="(mine,)"), ["task size", "metric mine: TypeError"]),
        (
            size_task("def mine(task):\n    return torchmetrics.MeanMetric()", metrics="(mine,)"),
            ["metric mine of task size does not say whether higher is better"],
        ),
    ],
)
def test_what_fails_before_the_first_step_leaves_nothing_behind(recipe, tmp_path, text, words, capsys):
    path, out = recipe(text), tmp_path / "run"
    for command in (["check", path], ["search", path, "--out", out]):
        message = refused(capsys, *command)
        assert all(word in message for word in words), message
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            sample("1 / (i - 13); return super().__getitem__(i)"),
            ["data: ZeroDivisionError", "mine.py:", "in sample 13 of split 'train'"],
        ),
        (
            sample("1 / (i - 13); return super().__getitem__(i)", num_workers=1),
            ["data: ZeroDivisionError", "mine.py:", "in sample 13 of split 'train'"],
        ),
        (sample("return torch.zeros(4), {'kind': torch.tensor(i)}"), ["kind", "class|Target"]),
        (
            sample("return torch.zeros(4), {'kind': torch.tensor(1.5), 'size': torch.ones(1)}"),
            ["task kind", "integer labels"],
        ),
        (
            sample("return torch.zeros(4), {'kind': torch.tensor([1]), 'size': torch.ones(1)}"),
            ["task kind", "shape"],
        ),
        (
            sample("return torch.zeros(4), {'size': torch.zeros(1 + i % 2)}"),
            ["label of size of sample ", "of split 'train' has"],
        ),
        (sample("return torch.zeros(4 + i), {}"), ["input of sample ", "of split 'train' has shape"]),
        (size_task("def mine(o, l): raise TypeError('l')", loss="mine"), ["task size", "TypeError: l (", "mine.py:"]),
        (size_task("def mine(o, l): return (o - l) ** 2", loss="mine"), ["task size", "without dimensions"]),
        (size_task("def mine(o, l): return 1.0", loss="mine"), ["task size", "found float"]),
        (backbone("def make_head(self, task): return Head(2)"), ["task kind", "labels"]),
        (
            backbone("def make_block(self, l): return nn.Flatten(0) if l else nn.Linear(8, 8)"),
            ["block 1 gives [", "features must be one tensor [batch, channels, ...]"],
        ),
    ],
)
def test_what_fails_in_the_work_is_named_too(recipe, tmp_path, text, words, capsys):
    path = recipe(text)
    messages = [refused(capsys, "check", path)]
    assert run(["search", str(path), "--out", str(tmp_path / "run")]) == 2
    messages.append(capsys.readouterr().err.splitlines()[-1])
    for message in messages:
        assert all(any(word in message for word in either.split("|")) for either in words), message
        assert "Traceback" not in message


def test_labels_that_are_all_nan_are_none(recipe, capsys):
    nothing = "{'kind': torch.tensor(i % 3), 'size': torch.tensor([float('nan')])}"
    message = refused(capsys, "check", recipe(sample(f"return torch.zeros(4), {nothing}")))
    assert "no sample has a label of size with a value" in message


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("MemoryError()", "out of memory; lower the batch size"),
        ("RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')", "out of memory; lower the batch size"),
        ("OSError(28, 'No space left on device', '/cache')", "/cache: No space left on device"),
        ("RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed.')", "lower num_workers"),
    ],
)
def test_what_the_machine_lacks_is_exit_status_1_in_one_line(recipe, tmp_path, failure, words, capsys):
    path = recipe(sample(f"raise {failure}"))
    assert run(["search", str(path), "--out", str(tmp_path / "run")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
