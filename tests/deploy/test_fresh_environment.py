"""Exported files run where this project is not: each in a process that can import nothing but its runtime."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

SINGLE_PROCESS = """
import sys
sys.path.append({site!r})
for name in ("nas", "search_spaces", "pydantic", {other!r}):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(name + " can be imported")
"""

RUN_ONNX = """
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({file!r}, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
np.savez({out!r}, **dict(zip(names, session.run(names, {{session.get_inputs()[0].name: np.load({inputs!r})}}))))
"""

RUN_PT2 = """
import json, numpy as np, torch
extra = {{"branched_nas.json": ""}}
module = torch.export.load({file!r}, extra_files=extra).module()
names = [task["name"] for task in json.loads(extra["branched_nas.json"])["tasks"]]
with torch.no_grad():
    outputs = module(torch.from_numpy(np.load({inputs!r})))
np.savez({out!r}, **{{name: output.numpy() for name, output in zip(names, outputs)}})
"""

NUMPY = ["numpy", "numpy.libs"]
# What `pip install torch` brings along.
TORCH = ["torch", "torchgen", "functorch", "sympy", "mpmath", "typing_extensions.py", "filelock", "networkx"]
TORCH += ["jinja2", "markupsafe", "fsspec", *NUMPY]


def run_alone(script, packages, other, tmp_path, file, inputs):
    np.save(tmp_path / "inputs.npy", inputs.numpy())
    site = tmp_path / "site"
    site.mkdir()
    for package in packages:
        (site / package).symlink_to(Path(torch.__file__).parents[1] / package)
    paths = {"file": str(file), "inputs": str(tmp_path / "inputs.npy"), "out": str(tmp_path / "out.npz")}
    text = SINGLE_PROCESS.format(site=str(site), other=other) + script.format(**paths)
    # Isolated, and without the site module: no installed packages, no environment; only what is in this folder.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return {name: torch.from_numpy(array) for name, array in np.load(tmp_path / "out.npz").items()}


def check(outputs, network, inputs):
    with torch.no_grad():
        expected = network(inputs)
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        # Float32 sums in another order, through four layers of small numbers.
        torch.testing.assert_close(output, expected[name], rtol=1e-4, atol=1e-4)


def test_onnx_needs_onnxruntime_and_numpy_only(exported, tmp_path):
    network, inputs, folder = exported
    outputs = run_alone(RUN_ONNX, ["onnxruntime", *NUMPY], "torch", tmp_path, folder / "network.onnx", inputs)
    check(outputs, network, inputs)


def test_pt2_needs_torch_only(exported, tmp_path):
    network, inputs, folder = exported
    outputs = run_alone(RUN_PT2, TORCH, "onnxruntime", tmp_path, folder / "network.pt2", inputs)
    check(outputs, network, inputs)
