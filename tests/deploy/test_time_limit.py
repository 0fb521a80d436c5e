"""`nas predict --time-limit` ends what would never end, native code included."""

import os
import subprocess
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import open_model
from nas.errors import InputError


@pytest.fixture
def endless(exported, tmp_path):
    """A network whose first output waits for a loop that counts to 2^62."""
    model = onnx.load_model(exported[2] / "network.onnx")
    name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["first" if output == name else output for output in node.output]
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, [])],
        [value("on", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, [])],
    )
    model.graph.initializer.extend(
        [
            helper.make_tensor("trips", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("Loop", ["trips", "yes", "zero"], ["last"], body=body),
            helper.make_node("Add", ["first", "last"], [name]),
        ]
    )
    onnx.save(model, tmp_path / "endless.onnx")
    return tmp_path / "endless.onnx"


@pytest.mark.slow
def test_a_network_without_an_end_is_stopped(endless, exported, tmp_path, capsys):
    np.save(tmp_path / "a.npy", exported[1][0].numpy())
    start = time.monotonic()
    arguments = ["predict", endless, tmp_path / "a.npy", "--out", tmp_path / "out", "--time-limit", 3]
    assert run([str(argument) for argument in arguments]) == 1
    assert (
        capsys.readouterr().err == "error: stopped after 3 s, the --time-limit; files that were written are complete\n"
    )
    # Three seconds, and the time in which a loaded machine starts a process.
    assert time.monotonic() - start < 120
    assert not list((tmp_path / "out").iterdir())
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True)
    assert "time_limit" not in children.stdout


@pytest.mark.slow
def test_what_ends_in_time_is_as_without_a_limit(exported, tmp_path):
    _, inputs, folder = exported
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", inputs.numpy())
    (tmp_path / "in" / "b.png").write_bytes(b"")
    plain = nas.predict(folder / "network.onnx", tmp_path / "in", out=tmp_path / "plain")
    limited = nas.predict(folder / "network.onnx", tmp_path / "in", out=tmp_path / "limited", time_limit=300)
    assert limited.left_out == plain.left_out
    assert limited.num_samples == plain.num_samples == 4
    for path in (tmp_path / "plain").glob("*.npz"):
        with np.load(path) as expected, np.load(tmp_path / "limited" / path.name) as found:
            assert all(np.array_equal(found[task], expected[task]) for task in expected)
    with pytest.raises(InputError, match="is not a picture or array"):
        nas.predict(folder / "network.onnx", tmp_path / "none", out=tmp_path / "limited", time_limit=300)


def test_a_limit_that_is_none_is_refused(exported, tmp_path, capsys):
    for limit in ("0", "-1", "nan", "inf"):
        line = refused(capsys, "predict", exported[2], tmp_path, "--out", tmp_path / "out", f"--time-limit={limit}")
        assert "--time-limit must be a number of seconds above 0" in line
    with pytest.raises(InputError, match="leave `on_batch` out"):
        nas.predict("a.onnx", tmp_path, out=tmp_path / "out", time_limit=1, on_batch=print)


def test_functions_in_a_graph_are_refused(exported, tmp_path):
    """Ten of them that call the next one ten times are ten billion operators."""
    model = onnx.load_model(exported[2] / "network.onnx")
    relu = helper.make_node("Relu", ["x"], ["y"])
    model.functions.append(helper.make_function("own", "twice", ["x"], ["y"], [relu], model.opset_import))
    onnx.save(model, tmp_path / "functions.onnx")
    with pytest.raises(InputError, match="refused, it defines functions of its own"):
        open_model(tmp_path / "functions.onnx")
