"""What a job takes along, and what stays."""

from pathlib import Path

import pytest

from nas.errors import InputError
from nas.launch.jobs.packing import pack, project_root

ROOT = Path(__file__).parents[3]


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "project"
    (folder / "runs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    return folder


def own(package) -> set[str]:
    """The user's files of a package."""
    return {path for path in package.files if not path.startswith(("nas/", "search_spaces/", "tools/"))} - {
        "setup.cfg",
        "pyproject.toml",
    }


def test_local_imports_go_along_wherever_they_are_written(project):
    write(
        project,
        {
            "runs/mine.py": "import base\nfrom lib.models import Net\ndef experiment():\n    import late\n",
            "runs/base.py": "import json, torch\n",
            "runs/late.py": "",
            "runs/unused.py": "",
            "lib/__init__.py": "",
            "lib/models.py": "from . import parts\nimport far.away\n",
            "lib/parts.py": "",
            "far/away.py": "",
            "elsewhere.py": "",
        },
    )
    (project / "lib" / "widths.json").write_text("[16]")
    package = pack(project / "runs" / "mine.py")
    assert package.recipe == "runs/mine.py"
    assert own(package) == {
        "runs/mine.py",
        "runs/base.py",
        "runs/late.py",
        "lib/__init__.py",
        "lib/models.py",
        "lib/parts.py",
        "lib/widths.json",
        "far/away.py",
    }


def test_a_module_that_is_imported_by_a_call_goes_along(project):
    text = "import importlib\nbase = importlib.import_module('lib.base')\nother = __import__('other')\n"
    write(project, {"runs/mine.py": text, "lib/base.py": "", "other.py": "from . import unknown\n", "unused.py": ""})
    assert own(pack(project / "runs" / "mine.py")) == {"runs/mine.py", "lib/base.py", "other.py"}


def test_a_module_beside_the_recipe_comes_before_one_at_the_root(project):
    write(project, {"runs/mine.py": "import base", "runs/base.py": "", "base.py": "import other", "other.py": ""})
    assert own(pack(project / "runs" / "mine.py")) == {"runs/mine.py", "runs/base.py"}


def test_imports_in_a_circle_end(project):
    write(project, {"runs/mine.py": "import a", "runs/a.py": "import b", "runs/b.py": "import a, mine"})
    assert own(pack(project / "runs" / "mine.py")) == {"runs/mine.py", "runs/a.py", "runs/b.py"}


def test_the_projects_own_code_goes_along_and_nothing_else_of_it(tmp_path):
    package = pack(ROOT / "runs" / "digits.py")
    for path in ("nas/__main__.py", "nas/launch/jobs/probe.py", "search_spaces/digits.py", "setup.cfg"):
        assert path in package.files
    assert "tools/constraints.txt" in package.files
    folders = {path.split("/")[0] for path in package.files}
    assert folders == {"nas", "search_spaces", "tools", "runs", "setup.cfg", "pyproject.toml"}
    assert own(package) == {"runs/digits.py"}
    assert not any("__pycache__" in path for path in package.files)
    package.write(tmp_path / "packed")
    assert (tmp_path / "packed" / "runs" / "digits.py").read_bytes() == (ROOT / "runs" / "digits.py").read_bytes()


def test_run_folders_environments_and_hidden_files_stay(project):
    write(
        project,
        {
            "runs/mine.py": "import lib",
            "lib/__init__.py": "",
            "lib/out/r1/notes.py": "",
            "lib/venv/x.py": "",
            "lib/build/x.py": "",
        },
    )
    write(project / "lib", {".hidden/x.py": ""})
    (project / "lib" / "out" / "r1" / "experiment.json").write_text("{}")
    (project / "lib" / "venv" / "pyvenv.cfg").write_text("")
    assert own(pack(project / "runs" / "mine.py")) == {"runs/mine.py", "lib/__init__.py"}


def test_what_is_too_large_is_named_with_its_largest_files(project):
    write(project, {"runs/mine.py": "import lib", "lib/__init__.py": ""})
    (project / "lib" / "weights.bin").write_bytes(bytes(3 * 2**20))
    (project / "lib" / "more.bin").write_bytes(bytes(2 * 2**20))
    with pytest.raises(InputError) as caught:
        pack(project / "runs" / "mine.py", max_bytes=4 * 2**20)
    assert r"lib/weights.bin (3.0 MiB), lib/more.bin (2.0 MiB)" in str(caught.value)
    assert "takes at most 4 MiB along" in str(caught.value)


def test_a_recipe_without_a_project_has_its_folder_as_root(tmp_path, monkeypatch):
    folder = tmp_path / "loose"
    write(folder, {"mine.py": "import base", "base.py": "", "deep/other.py": ""})
    # Whatever this machine has above the temporary folder.
    monkeypatch.setattr("nas.launch.jobs.packing._ROOT_MARKS", ("no such mark",))
    assert project_root(folder / "mine.py") == folder
    assert own(pack(folder / "mine.py")) == {"mine.py", "base.py"}


def test_a_local_file_that_is_no_python_is_named_with_its_line(project):
    write(project, {"runs/mine.py": "import base", "runs/base.py": "x = 1\ndef ("})
    with pytest.raises(InputError, match=r"base\.py:2: not Python"):
        pack(project / "runs" / "mine.py")


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such recipe"):
        pack(tmp_path / "gone.py")
