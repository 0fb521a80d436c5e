import json

import onnx
import pytest

from nas.deploy import open_model
from nas.errors import InputError


@pytest.fixture
def model(exported):
    return onnx.load_model(exported[2] / "network.onnx")


def refusal(model, tmp_path):
    path = tmp_path / "hostile.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(InputError) as caught:
        open_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_weights_in_other_files_are_refused(model, tmp_path):
    tensor = model.graph.initializer[0]
    (tmp_path / "secret").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    assert refusal(model, tmp_path).endswith("refused, it names other files as its weights")
    tensor.external_data[0].value = "secret"
    assert refusal(model, tmp_path).endswith("refused, it names other files as its weights")


def test_weights_in_other_files_are_found_wherever_they_are(model, tmp_path):
    tensor = onnx.TensorProto(name="x", data_location=onnx.TensorProto.EXTERNAL)
    inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("then_branch", inner))
    assert refusal(model, tmp_path).endswith("refused, it names other files as its weights")


def test_huge_shapes_are_refused(model, tmp_path):
    model.graph.initializer[0].dims[:] = [10**6, 10**6, 10**6]
    assert "onnxruntime cannot read it" in refusal(model, tmp_path)


def test_models_of_somebody_else_and_damaged_ones_are_named(model, exported, tmp_path):
    good = (exported[2] / "network.onnx").read_bytes()
    assert refusal(b"not a model", tmp_path).endswith("not an ONNX model, or damaged")
    assert "damaged" in refusal(good[: len(good) // 2], tmp_path)
    assert "it has no metadata" in refusal(b"", tmp_path)
    description = model.metadata_props[0].value
    model.metadata_props[0].value = description.replace('"semseg"', '"other"', 1)
    assert "not the description of an exported network" in refusal(model, tmp_path)
    model.metadata_props[0].value = "[" * 100_000
    assert "not the description of an exported network" in refusal(model, tmp_path)
    del model.metadata_props[:]
    assert refusal(model, tmp_path).endswith("not a network that `nas export` wrote, it has no metadata 'branched_nas'")


def test_outputs_that_are_not_the_tasks_are_refused(model, tmp_path):
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(outputs[::-1])
    assert "not its tasks" in refusal(model, tmp_path)


def test_outputs_that_are_not_as_described_are_named(model, exported, tmp_path):
    description = json.loads(model.metadata_props[0].value)
    path = tmp_path / "hostile.onnx"
    for change in ({"kind": "values", "shape": [1, 32, 40]}, {"kind": "values", "shape": [15]}):
        task = {**description["tasks"][0], **change}
        model.metadata_props[0].value = json.dumps({**description, "tasks": [task, *description["tasks"][1:]]})
        path.write_bytes(model.SerializeToString())
        with pytest.raises(InputError, match=r"its semseg is .*, not what it describes"):
            open_model(path)(exported[1])


def described_as(model, path, **changes):
    """The model with another description of its input ("input"), or of its first task (anything else)."""
    description = json.loads(model.metadata_props[0].value)
    place = description["input"] if "input" in changes else description["tasks"][0]
    place.update(changes.get("input", changes))
    model.metadata_props[0].value = json.dumps(description)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": {"shape": [3, 10**6, 10**6]}}, "has more than 268435456 numbers"),
        ({"shape": [15, 10**6, 10**6]}, "has more than 268435456 numbers"),
        ({"num_outputs": 10**9, "shape": [10**9], "labels": None}, "should be less than or equal to 100000"),
        ({"num_outputs": 2, "labels": None}, "2 classes of outputs of shape"),
        ({"input": {"takes_pixels": True, "pixels": None}}, "does not say how they are scaled"),
        ({"input": {"pixels": {"mean": [0.0], "std": [1.0]}}}, "pixels of 1 channels for inputs of shape"),
    ],
)
def test_descriptions_that_nothing_could_be_made_of_are_refused(model, change, message, tmp_path):
    path = described_as(model, tmp_path / "hostile.onnx", **change)
    with pytest.raises(InputError, match=message):
        open_model(path)


def test_outputs_that_are_no_logits_are_named(model, exported, tmp_path):
    name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["logits" if output == name else output for output in node.output]
    model.graph.node.append(onnx.helper.make_node("Cast", ["logits"], [name], to=onnx.TensorProto.INT64))
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    path = tmp_path / "hostile.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"its semseg is torch\.int64 .*, not what it describes"):
        open_model(path).answers(exported[1])


def test_nothing_names_the_machine_that_exported(exported):
    for name in ("network.onnx", "network.pt2"):
        data = (exported[2] / name).read_bytes()
        for trace in (b"/search_spaces/", b".py", b"stack_trace", b"/root"):
            assert trace not in data, (name, trace)
