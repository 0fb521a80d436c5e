"""`nas export --int8`: a quantised model beside the .onnx, and what it lost."""

import importlib
import json

import numpy as np
import onnx
import pytest
import torch
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import TaskRecord
from nas.deploy.quantization import check_outputs, quantize
from nas.errors import InputError, WorkFailed

export_int8 = importlib.import_module("nas.commands.export_int8")
ONLY = ("--tasks", "left,restore")


def export(trained, out, *arguments):
    return run(["export", str(trained), "--format", "onnx", "--int8", *ONLY, "--out", str(out), *arguments])


@pytest.fixture(scope="module")
def done(trained, tmp_path_factory):
    """The float model, the int8 model beside it, and what the command says of them."""
    out = tmp_path_factory.mktemp("int8") / "model.onnx"
    return nas.export(trained, format="onnx", tasks=["left", "restore"], out=out, int8=True, calibration=20)


def test_an_int8_model_is_written_beside_the_float_one(trained, done):
    int8 = done.int8
    assert int8.path == done.path.with_name("model.int8.onnx")
    assert sorted(path.name for path in done.path.parent.iterdir()) == ["model.int8.onnx", "model.onnx"]
    assert nas.open_model(int8.path).description == int8.description
    record = json.loads((trained / "exports" / "model.int8.onnx.json").read_text())
    assert record == int8.description.model_dump(mode="json")
    graph = onnx.load_model(int8.path).graph
    assert not any(node.domain for node in graph.node), "no operators of onnxruntime's own"
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    read = [node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in weights]
    of_filters = [node for node in read if weights[node.input[0]].ndim == 4]
    assert of_filters
    for node in of_filters:
        filters, scales = weights[node.input[0]], weights[node.input[1]]
        assert filters.dtype == np.int8
        assert scales.shape == filters.shape[:1], "one scale for each output channel"


def test_metrics_of_both_models_are_those_that_evaluate_measures(trained, done):
    quantized = done.int8.description.quantized
    assert (quantized.num_samples, quantized.split) == (20, "test")
    assert quantized.float_metrics == nas.evaluate(trained, checkpoint=done.path).measured
    assert quantized.int8_metrics == nas.evaluate(trained, checkpoint=done.int8.path).measured
    assert done.int8.description.measured.metrics == quantized.int8_metrics
    assert quantized.int8_metrics != quantized.float_metrics
    assert quantized.float_ms.median > 0
    assert quantized.int8_ms.median > 0
    assert "onnxruntime on cpu, 1 thread" in quantized.device


def test_an_int8_model_is_compared_with_the_float_one(trained, done):
    """Its MACs are counted like those of any graph, and its outputs are near, but not within an export's tolerance."""
    whole, int8 = nas.open_model(done.path), nas.open_model(done.int8.path)
    verified = int8.description.verified
    assert verified.macs == whole.description.verified.macs == whole.description.cost["macs"]
    assert verified.uncounted == ()
    samples = nas.deploy.draw_samples(nas.run.opened_run.open_run(trained).experiment, 8).inputs
    for task, expected in whole(samples).items():
        difference = (int8(samples)[task] - expected).abs().max().item()
        assert verified.deviation[task] == pytest.approx(difference)
        # An int8 number has an error of 1/256 of its range, and the network has five layers of them.
        assert 1e-4 < difference / expected.abs().max().item() < 0.2


def test_an_int8_model_predicts(done, tmp_path):
    generator = np.random.default_rng(0)
    np.save(tmp_path / "pair.npy", generator.standard_normal((1, 12, 20)).astype(np.float32))
    predicted = nas.predict(done.int8.path, tmp_path / "pair.npy", out=tmp_path / "out")
    assert predicted.num_samples == 1
    assert (tmp_path / "out" / "predictions.csv").is_file()


def test_what_is_printed(trained, tmp_path, capsys):
    assert export(trained, tmp_path / "model.onnx", "--preprocess") == 0
    printed = capsys.readouterr().out
    # The small training split has 64 samples.
    assert "model.int8.onnx\nint8, calibrated on 64 samples of the training split; largest deviation" in printed
    assert "test split, float -> int8:\n  left: loss " in printed
    assert "latency: " in printed
    assert nas.open_model(tmp_path / "model.int8.onnx").input.takes_pixels
    assert export(trained, tmp_path / "model.onnx", "--calibration", "3", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["int8"]["quantized"]["num_samples"] == 3
    assert record["int8"]["path"] == str(tmp_path / "model.int8.onnx")
    assert record["quantized"] is None


def test_without_a_number_128_samples_calibrate(trained, tmp_path, monkeypatch):
    asked = []

    def stop(experiment, num_samples):
        asked.append(num_samples)
        raise InputError("enough")

    monkeypatch.setattr(export_int8, "draw_calibration", stop)
    assert export(trained, tmp_path / "model.onnx") == 2
    assert asked == [128]


def test_what_cannot_be_quantised_is_refused(trained, tmp_path, capsys):
    def line(*arguments):
        return refused(capsys, "export", trained, *arguments)

    for format in ("bundle", "pt2"):
        assert f"format {format} does not support --int8; leave it out, or export onnx" in line(
            "--format", format, "--int8"
        )
    assert "add --int8, or leave it out" in line("--format", "onnx", "--calibration", "5")
    assert "--calibration must be at least 1; found 0" in line("--format", "onnx", "--int8", "--calibration", "0")
    assert "leave --postprocess out" in line("--format", "onnx", "--int8", "--postprocess")
    (tmp_path / "model.int8.onnx").mkdir()
    out = tmp_path / "model.onnx"
    assert "model.int8.onnx: is a folder" in line("--format", "onnx", "--int8", "--out", out)
    assert not out.exists()


def test_a_failed_quantisation_leaves_the_float_model_only(trained, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("no such kernel\nat 0x0")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", fail)
    out = tmp_path / "left.onnx"
    assert export(trained, out) == 2
    said = capsys.readouterr().err
    assert said.endswith("left.onnx: onnxruntime cannot quantise it: RuntimeError: no such kernel\n")
    assert [path.name for path in tmp_path.iterdir()] == ["left.onnx"]
    assert (trained / "exports" / "left.onnx.json").is_file()
    assert not (trained / "exports" / "left.int8.onnx.json").exists()


@pytest.mark.slow
def test_a_killed_quantisation_keeps_no_record_of_the_one_before(trained, done, monkeypatch):
    record = trained / "exports" / done.int8.path.with_name("again.int8.onnx.json").name
    out = done.path.with_name("again.onnx")
    assert export(trained, out) == 0
    assert record.is_file()
    monkeypatch.setattr(export_int8, "quantize", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert export(trained, out) == 130
    assert not record.exists()


class Model:
    """A model of one task with given outputs."""

    tasks = (TaskRecord(name="ink", num_outputs=1, kind="values", shape=(1,)),)

    def __init__(self, output):
        self.output = output

    input = type("Input", (), {"dynamic_size": False})()

    def __call__(self, inputs):
        return {"ink": torch.full((len(inputs), 1), self.output)}


def test_outputs_that_are_not_finite_are_refused():
    inputs = torch.zeros(2, 1, 4, 4)
    assert check_outputs(Model(2.0), Model(1.5), inputs)["ink"] == (0.5, 2.0)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(WorkFailed, match="not finite, or of another shape, for ink"):
            check_outputs(Model(2.0), Model(wrong), inputs)


def test_a_model_without_products_has_nothing_to_quantise(tmp_path):
    one = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3])
    two = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"], "negate")], "g", [one], [two])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"x\.onnx: has no operator that onnxruntime can quantise"):
        quantize(tmp_path / "x.onnx", torch.zeros(2, 3))
