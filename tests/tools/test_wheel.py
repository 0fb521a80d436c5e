"""The wheel has all that `nas` needs, and what the Dockerfile copies is enough to build it."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIES = re.findall(r"^COPY (.*) (\S+)$", (ROOT / "tools/docker/Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.slow
def test_a_wheel_of_what_the_dockerfile_copies_runs_without_the_project(tmp_path):
    for sources, target in COPIES:
        for source in sources.split():
            place = tmp_path / target.lstrip("/")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "wheels", "./source"]
    subprocess.run([*pip, *build], cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "fresh"], cwd=tmp_path, check=True)
    fresh = tmp_path / "fresh" / "bin"
    subprocess.run([fresh / "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    # All other packages are those of this environment; their .pth files, and so this project, are not read from there.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "fresh" / "lib" / version / "site-packages"
    (site / "shared.pth").write_text(sysconfig.get_path("purelib"))

    def said(*words):
        done = subprocess.run([fresh / words[0], *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    assert said("python", "-c", "import nas, search_spaces; print(nas.__file__)").startswith(str(site))
    assert said("nas", "--version").startswith("branched-nas ")
    assert "images" in said("nas", "init", "--list")
    assert "strategy.epochs = 20" in said("nas", "settings", "similarity")
