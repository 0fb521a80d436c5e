"""The library's messages name parameters; the command line replaces them by the flags of the running command."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from small_digits import RECIPE, refused

import nas
from nas.cli.flags import flags_of, with_flags
from nas.cli.main import app
from nas.launch import jobs

PACKAGE = Path(nas.__file__).parent

NAMES = {
    "check": nas.check,
    "profile": nas.profile,
    "search": nas.search,
    "show": nas.show,
    "front": nas.front,
    "explain": nas.explain,
    "data": nas.data_sheet,
    "init": nas.init,
    "retrain": nas.retrain,
    "evaluate": nas.evaluate,
    "compare": nas.compare,
    "export": nas.export,
    "predict": nas.predict,
    "submit": jobs.submit,
    "fetch": jobs.fetch,
}
"""The function that each command calls."""

WITHOUT = {("submit", "max_bytes"), ("submit", "verb")}
"""Parameters without an option of the same name: --max-size is in MiB, and the verb is an argument."""


@pytest.mark.parametrize("command", NAMES)
def test_an_option_has_the_name_of_the_parameter_that_it_sets(command):
    parameters = [
        name
        for name, parameter in inspect.signature(NAMES[command]).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and not name.startswith("on_")
    ]
    flags = flags_of(command, app)
    assert parameters
    for name in parameters:
        assert name in flags or (command, name) in WITHOUT, name


CASES = {
    "worst": (lambda run: nas.choose(run, worst=-1), ["show", "RUN", "--worst=-1"], "`worst`", "--worst"),
    "within": (
        lambda run: nas.show(run, tree="shared", within=0.5),
        ["show", "RUN", "--tree", "shared", "--within", "0.5"],
        "`tree` names a tree, but `within`",
        "--tree names a tree, but --within",
    ),
    "changes": (
        lambda run: nas.data_sheet("digits", "x.png", changes={"seed": 1}),
        ["data", "digits", "--out", "x.png", "--set", "seed=1"],
        "only a recipe has fields for `changes`",
        "only a recipe has fields for --set",
    ),
    "margin": (
        lambda run: nas.compare(run, margin=-1),
        ["compare", "RUN", "--require-safe=-1"],
        "`margin` is how many percent",
        "--require-safe is how many percent",
    ),
    "size": (lambda run: nas.profile(RECIPE, size=-3), ["profile", RECIPE, "--size=-3"], "`size=-3`", "--size -3"),
    "recipe": (
        lambda run: nas.predict("x.onnx", run, out=run, changes={"seed": 1}),
        ["predict", "x.onnx", "RUN", "--out", "RUN", "--set", "seed=1"],
        "name it with `recipe=FILE`",
        "name it with --recipe FILE",
    ),
    "time_limit": (
        lambda run: nas.predict("x.onnx", run, out=run, time_limit=-1),
        ["predict", "x.onnx", "RUN", "--out", "RUN", "--time-limit=-1"],
        "`time_limit` must be",
        "--time-limit must be",
    ),
    "preprocess": (
        lambda run: nas.export(run, format="bundle", preprocess=True),
        ["export", "RUN", "--format", "bundle", "--preprocess"],
        "does not support `preprocess`; leave it out",
        "does not support --preprocess; leave it out",
    ),
    "runtimes": (
        lambda run: nas.profile(RECIPE, latency=run / "x.json", batch_size=0),
        ["profile", RECIPE, "--latency", "x.json", "--batch", "0"],
        "needs `batch_size` of at least 1 and `rounds`",
        "needs --batch of at least 1 and --rounds",
    ),
    "search": (
        lambda run: nas.search(run, out=run),
        ["search", "RUN", "--out", "RUN"],
        "the folder with `out=FOLDER` (`resume=True` continues the run)",
        "the folder with --out FOLDER (--resume continues the run)",
    ),
    "retrain": (
        lambda run: nas.retrain(RECIPE),
        ["retrain", RECIPE],
        "name one with `tree`: ",
        "name one with --tree: ",
    ),
    "fetch": (
        lambda run: jobs.fetch("name", out=run),
        ["fetch", "name", "--out", "RUN"],
        "name the storage with `storage=URI`",
        "name the storage with --storage URI",
    ),
    "submit": (
        lambda run: jobs.submit(RECIPE, address="head:8265", storage="/store", verb="compare"),
        ["submit", "compare", RECIPE, "--address", "head:8265", "--storage", "/store"],
        "a stored run: `run=NAME`",
        "a stored run: --run NAME",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_python_names_the_parameter_and_the_command_line_its_flag(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    call, arguments, in_python, in_terminal = CASES[case]
    run = tmp_path / "run"
    run.mkdir()
    (run / "experiment.json").write_text("{}")
    with pytest.raises(nas.InputError, match=re.escape(in_python)):
        call(run)
    line = refused(capsys, *(str(run) if word == "RUN" else word for word in arguments))
    assert in_terminal in line
    assert "`" not in line


def test_only_options_of_the_running_command_are_replaced():
    message = "`worst`, `resume=True`, `out=a b.png`, `split=`, `nas submit`, `worst"
    assert with_flags(message, "show", app) == "--worst, `resume=True`, --out a b.png, `split=`, `nas submit`, `worst"
    assert with_flags(message, "search", app) == "`worst`, --resume, --out a b.png, `split=`, `nas submit`, `worst"
    assert with_flags(message, "no-command", app) == message


def texts_of_messages(tree):
    """Constant texts within calls of errors and loggers."""
    for node in ast.walk(tree):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name.endswith(("InputError", "WorkFailed", "StorageFailed")) or name.startswith("_LOGGER."):
            pieces = {piece for inner in ast.walk(node) if isinstance(inner, ast.JoinedStr) for piece in inner.values}
            for inner in (inner for inner in ast.walk(node) if inner not in pieces):
                if isinstance(inner, ast.JoinedStr):
                    yield "".join(p.value if isinstance(p, ast.Constant) else "..." for p in inner.values)
                elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.value


def test_messages_of_the_library_name_flags_only_in_complete_commands():
    complete = re.compile(r"nas [a-z]+[^;:,()]*")
    for path in PACKAGE.rglob("*.py"):
        # `parse_overrides` reads what --set was given.
        if path.is_relative_to(PACKAGE / "cli") or path == PACKAGE / "recipe" / "overrides.py":
            continue
        for text in texts_of_messages(ast.parse(path.read_text())):
            rest = complete.sub("", text).replace("docker run --shm-size", "")
            assert not re.search(r"(?<![\w-])--[a-z]", rest), (path, text)
