"""`nas init`: a recipe for data as people have them, which check and search accept as it is."""

import ast
import io
import subprocess
import sys

import numpy as np
import pytest
from datasets.fixtures_npy import write_nyuv2
from datasets.fixtures_photos import write_photos

from nas.cli.main import run
from nas.recipe import load_recipe

SMALL = ("strategy.epochs=1", "strategy.batch_size=8", "strategy.candidates=plain", "device=cpu", "num_threads=1")


def changes():
    return [part for change in SMALL for part in ("--set", change)]


def is_formatted(path):
    """Whether linters and formatters have nothing to say, with short and with long lines."""
    for words in ("check --select=E,F,W,I,UP,B,SIM,C4", "format --check", "format --check --line-length=120"):
        command = [sys.executable, "-m", "ruff", *words.split(), "--isolated", "--no-cache", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return True


def write_houses(folder, **more):
    rng = np.random.default_rng(0)
    columns = {
        "id": range(60),
        "district": rng.choice(["north", "south"], 60),
        "area": rng.uniform(20, 200, 60).round(1),
        "price": rng.uniform(1e5, 9e5, 60).round(),
        "sold": rng.choice(["yes", "no"], 60),
        **more,
    }
    folder.mkdir()
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "houses.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys, *arguments):
    assert run(["init", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_pictures_with_a_table(here, capsys):
    write_photos(here / "photos", 48, size=(32, 32))
    assert run(["init", "photos"]) == 0
    said = capsys.readouterr().out
    assert "recipe.py: tasks species, weight_g, ill, outline" in said
    assert "next: nas check recipe.py" in said
    text = (here / "recipe.py").read_text()
    for words in ('"weight (g)": "number"', "3 classes: ash, elm, oak", '"outline": "mask"', '"file" names the pict'):
        assert words in text
    assert is_formatted("recipe.py")
    # It goes with its data to another folder.
    (here / "moved").mkdir()
    for name in ("photos", "recipe.py"):
        (here / name).rename(here / "moved" / name)
    assert load_recipe(here / "moved" / "recipe.py").data.args["folder"] == here / "moved" / "photos"


def test_only_the_named_columns_become_tasks(here, capsys):
    write_photos(here / "photos", 48, size=(32, 32))
    assert run(["init", "photos", "--targets", "species", "ill", "--out", "two.py", "--json"]) == 0
    assert '"species",\n    "ill"' in capsys.readouterr().out
    assert '"outline" was not named as a target' in (here / "two.py").read_text()
    assert "did you mean 'species'?" in refusal(capsys, "photos", "--targets", "specis", "--out", "three.py")


def test_a_table(here, capsys):
    write_houses(here / "houses")
    assert "--targets is missing: which columns are to be predicted? There are district, area, price" in refusal(
        capsys, "houses"
    )
    assert run(["init", "houses/houses.csv", "--targets", "price,sold"]) == 0
    text = (here / "recipe.py").read_text()
    assert 'INPUTS = [\n    "district",\n    "area",\n]' in text
    assert '"id" is named like an id' in text
    assert is_formatted("recipe.py")
    assert run(["check", "recipe.py", *changes()]) == 0


def test_arrays(here):
    write_nyuv2(here / "rooms", num_train=16, size=(32, 64))
    assert run(["init", "rooms"]) == 0
    text = (here / "recipe.py").read_text()
    for words in ('ClassMaps("label", 13)', 'NumberMaps("depth", 1, "depth")', 'NumberMaps("normal", 3, "normals")'):
        assert words in text
    assert is_formatted("recipe.py")
    experiment = load_recipe(here / "recipe.py")
    assert experiment.task_names == ("depth", "label", "normal")
    assert experiment.input_shape == (3, 32, 64)


NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
"""


def test_a_module_of_ones_own(here, capsys):
    write_photos(here / "photos", 48, size=(32, 32))
    (here / "own_net_of_mine.py").write_text(NET)
    assert run(["init", "photos", "--targets", "species", "outline", "--backbone", "own_net_of_mine:Net"]) == 0
    assert is_formatted("recipe.py")
    backbone = load_recipe(here / "recipe.py").backbone()
    assert backbone.block_names == ("2", "4")
    assert run(["check", "recipe.py", *changes()]) == 0
    capsys.readouterr()
    assert "own_net_of_mine:Nett" in refusal(capsys, "photos", "--backbone", "own_net_of_mine:Nett", "--out", "b.py")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a folder of pictures with a table"),
        (["nowhere"], "nowhere: no such folder or table"),
        (["photos", "--template", "imags"], "there is no template 'imags'; did you mean 'images'?"),
        (["photos", "--template", "arrays"], "image: no such folder"),
        (["photos", "--backbone", "resnt"], "--backbone: there is no backbone 'resnt'; did you mean 'resnet18'?"),
        (["photos", "--backbone", "a b:c"], "write MODULE:ATTRIBUTE"),
        (["photos", "--out", "recipe.txt"], "--out recipe.txt: a recipe is a Python file"),
        (["photos/images/0.png"], "is not a table"),
        (["photos/images"], "holds neither a table"),
    ],
)
def test_wrong_input_is_refused_and_writes_nothing(arguments, words, here, capsys):
    write_photos(here / "photos", 8)
    assert words in refusal(capsys, *arguments)
    assert not list(here.glob("recipe*"))


def test_it_never_overwrites_and_leaves_no_recipe_that_fails(here, capsys):
    write_photos(here / "photos", 48, size=(32, 32))
    (here / "recipe.py").write_text("mine")
    assert "recipe.py: exists; name another file with --out FILE" in refusal(capsys, "photos")
    assert (here / "recipe.py").read_text() == "mine"
    (here / "photos" / "images" / "7.png").unlink()
    assert "7.png: no such file" in refusal(capsys, "photos", "--out", "other.py")
    assert not (here / "other.py").exists()


def test_texts_of_a_table_stay_texts(here):
    """Names and cells with quotes, line breaks and backslashes become neither code nor other texts."""
    column = 'a"""\nimport os\\'
    write_houses(here / "houses", kind=[f'"\x1b\nraise SystemExit(1)\r{i % 2}"' for i in range(60)])
    table = here / "houses" / "houses.csv"
    table.write_text(table.read_text().replace("district", '"' + column.replace('"', '""') + '"', 1))
    assert run(["init", "houses", "--targets", "price", "kind", "--out", "it's.py"]) == 0
    text = (here / "it's.py").read_text()
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {name.name for node in imported for name in node.names}.isdisjoint({"os"})
    assert column in load_recipe(here / "it's.py").data.args["inputs"]
    assert all(line.isprintable() for line in text.splitlines())
    assert is_formatted("it's.py")


def test_a_terminal_is_asked(here, capsys, monkeypatch):
    write_houses(here / "houses")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("houses\nprice, sold\n"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run(["init"]) == 0
    said = capsys.readouterr().out
    assert "These can be tasks: district, area, price, sold" in said
    assert load_recipe(here / "recipe.py").task_names == ("price", "sold")


def write_shapes(folder, num=200):
    """Small pictures of dark and bright squares, whose side and brightness can be seen."""
    from PIL import Image

    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = ["file,shade,side"]
    for i in range(num):
        side, bright = int(rng.integers(4, 24)), bool(rng.integers(2))
        picture = rng.integers(100, 140, (32, 32, 3))
        picture[4 : 4 + side, 4 : 4 + side] += 90 if bright else -90
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / f"{i}.png")
        lines.append(f"{i}.png,{'bright' if bright else 'dark'},{side}.5")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_from_a_folder_of_pictures_to_a_shown_tree_with_the_recipe_as_it_is(here, capsys):
    write_shapes(here / "shapes")
    for command in (["init", "shapes"], ["check", "recipe.py"], ["search", "recipe.py", "--out", "found"]):
        assert run(command) == 0, command
    capsys.readouterr()
    assert run(["show", "found"]) == 0
    assert "shade" in capsys.readouterr().out
