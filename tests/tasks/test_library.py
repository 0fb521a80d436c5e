"""An installed package that keeps torchmetrics from being imported is named in a sentence."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import nas.tasks.library
from nas.errors import InputError


def _install(folder: Path, name: str, version: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    record = folder / f"{name}-{version}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(
    "error",
    [
        'RuntimeError("operator torchvision::nms does not exist")',
        'OSError("libtorchvision.so: undefined symbol: _ZN3c10")',
        "ImportError(\"cannot import name 'nms' from 'torch'\")",
        "AttributeError(\"module 'torch' has no attribute 'nms'\")",
    ],
)
def test_a_torchvision_of_another_build_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    _install(tmp_path, "torchvision", "0.1.2", f"raise {error}")
    _install(tmp_path, "torchmetrics", "1.0", "import torchvision")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torchmetrics", "torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    kind = error.partition("(")[0]
    with pytest.raises(InputError, match=rf"torchvision 0\.1\.2 cannot be imported \({kind}: .*belongs to torch"):
        runpy.run_path(nas.tasks.library.__file__)


@pytest.mark.slow
def test_commands_tell_it_without_a_traceback(tmp_path: Path) -> None:
    _install(tmp_path, "torchvision", "0.1.2", 'raise RuntimeError("operator torchvision::nms does not exist")')
    paths = os.pathsep.join((str(Path(nas.tasks.library.__file__).parents[2]), str(tmp_path)))
    answer = subprocess.run(
        [sys.executable, "-m", "nas", "check", "recipe.py"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert "torchvision 0.1.2 cannot be imported" in line
