"""Archives that would run code, or eat the machine, if torch read them: refused, and nothing has run.

The controls show that torch's own reader does run each kind of code, so a canary that stays away means something.
"""

import contextlib
import io
import json
import pickle
import zipfile

import pytest
import torch
from deployed import Canary
from small_digits import refused

from nas.deploy import open_model
from nas.errors import InputError
from nas.tree import BranchTree

MODEL, WEIGHTS, EXAMPLES = "models/model.json", "data/weights/model_weights_config.json", "data/sample_inputs/model.pt"
CONSTANTS = "data/constants/model_constants_config.json"


class Archive:
    """A good .pt2's records, to change and to write again."""

    def __init__(self, path):
        reader = torch._C.PyTorchFileReader(str(path))
        # torch's writer adds these itself.
        names = [name for name in reader.get_all_records() if not name.startswith(".data/") and name != "version"]
        self.records = {name: reader.get_record(name) for name in names}

    def change(self, name, change):
        record = json.loads(self.records[name])
        change(record)
        self.records[name] = json.dumps(record).encode()

    def write(self, path):
        buffer = io.BytesIO()
        writer = torch._C.PyTorchFileWriter(buffer)
        writer.set_min_version(6)
        for name, data in self.records.items():
            writer.write_record(name, data, len(data))
        writer.write_end_of_file()
        path.write_bytes(buffer.getvalue())
        return path


@pytest.fixture
def archive(exported):
    return Archive(exported[2] / "network.pt2")


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


def pickled(canary):
    buffer = io.BytesIO()
    torch.save((Canary(canary),), buffer)
    return buffer.getvalue()


def first_weight(config):
    return next(iter(config["config"].values()))


def every(value, key):
    """Every dict in nested data that has this key."""
    if isinstance(value, dict):
        if key in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from every(item, key)


def pickle_in_examples(archive, canary):
    archive.records[EXAMPLES] = pickled(canary)


def pickle_as_weight(archive, canary):
    archive.change(WEIGHTS, lambda config: first_weight(config).update(use_pickle=True))
    archive.records["data/weights/weight_0"] = pickled(canary)


def pickle_as_old_weights(archive, canary):
    archive.records["data/weights/model.pt"] = pickled(canary)


def opaque_object(archive, canary):
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    archive.change(CONSTANTS, lambda config: config["config"].update(evil=entry))
    archive.records["data/constants/opaque_obj_0"] = pickle.dumps(Canary(canary))


def code_as_a_size(archive, canary):
    code = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    archive.change(MODEL, lambda model: next(every(model, "expr_str")).update(expr_str=code))


def code_as_a_guard(archive, canary):
    code = f"open({str(canary)!r}, 'w').close() is None"
    archive.change(MODEL, lambda model: model.update(guards_code=[code]))


ATTACKS = {
    pickle_in_examples: "example inputs are pickled",
    pickle_as_weight: "is pickled",
    pickle_as_old_weights: "it holds a pickle that no branched network needs",
    opaque_object: "it holds a custom object that no branched network needs",
    code_as_a_size: "a size is not arithmetic",
    code_as_a_guard: "guards_code is not empty",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_code_is_refused_and_does_not_run(archive, attack, canary, tmp_path, exported):
    attack(archive, canary)
    path = archive.write(tmp_path / "hostile.pt2")
    with pytest.raises(InputError, match=ATTACKS[attack]) as caught:
        open_model(path)
    assert str(caught.value).startswith(f"{path}: refused, ")
    assert not canary.exists()
    if not archive.records[EXAMPLES]:
        # Guards are compiled where there are example inputs, too.
        torch.save(((exported[1],), {}), buffer := io.BytesIO())
        archive.records[EXAMPLES] = buffer.getvalue()
    with contextlib.suppress(Exception):  # torch may well stumble over it, after it has run
        torch.export.load(archive.write(path)).module()(exported[1])
    assert canary.exists(), "the control: torch itself runs it"


@pytest.mark.parametrize("name", ["inputs: print()", "inputs, x=print()", "a b", "a\nb", "a[0]", "é"])
def test_names_are_names(archive, name, tmp_path):
    """They become part of the Python that torch generates."""
    model = archive.records[MODEL]
    archive.records[MODEL] = model.replace(json.dumps("inputs").encode(), json.dumps(name).encode())
    with pytest.raises(InputError, match=r"holds the text|a field is called"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


@pytest.mark.parametrize("text", ["'), print('", "print()", "a->b->c", "a\nb", "ij,jk->ik;1"])
def test_an_argument_that_is_text_is_an_equation_or_a_name(archive, text, tmp_path):
    def hide(model):
        node = next(every(model["graph_module"]["graph"]["nodes"], "inputs"))
        node["inputs"][0]["arg"] = {"as_string": text}

    archive.change(MODEL, hide)
    with pytest.raises(InputError, match="its as_string holds the text"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


def test_a_call_into_the_system_is_refused(archive, tmp_path):
    def call(model):
        node = next(every(model["graph_module"]["graph"]["nodes"], "target"))
        node["target"] = "torch.os.system"

    archive.change(MODEL, call)
    with pytest.raises(InputError, match=r"it calls 'torch\.os\.system'"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten.no_such_operator.default",
        "torch.ops.higher_order.cond",
        "_operator.methodcaller",
        "torch.load",
        "torch",
        "",
    ],
)
def test_operators_that_no_network_needs_are_refused(archive, target, tmp_path):
    archive.change(
        MODEL, lambda model: next(every(model["graph_module"]["graph"]["nodes"], "target")).update(target=target)
    )
    with pytest.raises(InputError, match="which no branched network needs"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


def test_a_second_archive_behind_the_first_is_refused(archive, canary, tmp_path):
    """torch falls back to an older format, pickled, if the newer one cannot be read."""
    path = archive.write(tmp_path / "hostile.pt2")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("version", "8.20")
        file.writestr("serialized_state_dict.pt", pickled(canary))
    with pytest.raises(InputError, match=r"refused|not a \.pt2"):
        open_model(path)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "data/weights/../../../evil", "data/weights/weight_x"])
def test_paths_that_climb_out_or_mean_nothing_are_refused(archive, name, tmp_path):
    archive.records[name] = b"evil"
    with pytest.raises(InputError, match=r"refused|not a \.pt2"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


@pytest.mark.parametrize("field", ["sizes", "strides"])
@pytest.mark.parametrize("empty", [False, True])
def test_huge_shapes_are_refused_before_they_are_allocated(archive, field, empty, tmp_path):
    """Also that of an empty record, for which torch makes zeros."""

    def enlarge(config):
        weight = first_weight(config)
        for number in weight["tensor_meta"][field]:
            number["as_int"] = 10**5
        if empty:
            archive.records[f"data/weights/{weight['path_name']}"] = b""

    archive.change(WEIGHTS, enlarge)
    with pytest.raises(InputError, match=r"more than the [0-9]+ bytes of its record"):
        open_model(archive.write(tmp_path / "hostile.pt2"))


def test_a_zip_bomb_is_refused(archive, tmp_path):
    archive.records["data/weights/weight_0"] = bytes(10**8)
    path = tmp_path / "hostile.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in archive.records.items():
            file.writestr(f"archive/{name}", data)
    assert path.stat().st_size < 10**7
    with pytest.raises(InputError, match=r"larger than the file|not a \.pt2"):
        open_model(path)


def test_damaged_files_are_named(archive, exported, tmp_path, capsys):
    good = (exported[2] / "network.pt2").read_bytes()
    path = tmp_path / "network.pt2"
    for bad in (b"", b"not a zip", good[: len(good) // 2], good[:-100]):
        path.write_bytes(bad)
        line = refused(capsys, "predict", path, tmp_path, "--out", tmp_path / "out")
        assert line.endswith("not a .pt2, or damaged")
    for record, content in ((MODEL, b"[]"), (MODEL, b"{"), (WEIGHTS, b"[1]"), (WEIGHTS, b'{"config": {"a": {}}}')):
        archive = Archive(exported[2] / "network.pt2")
        archive.records[record] = content
        archive.write(path)
        with pytest.raises(InputError, match=r"network\.pt2: "):
            open_model(path)


def test_a_task_that_the_graph_does_not_have_is_missed(archive, exported, tmp_path):
    def leave_out(description):
        task = description["tasks"].pop()["name"]
        tree = BranchTree.from_dict(description["tree"])
        description["tree"] = tree.restricted_to([name for name in tree.tasks if name != task]).to_dict()

    archive.change("extra/branched_nas.json", leave_out)
    model = open_model(archive.write(tmp_path / "hostile.pt2"))
    with pytest.raises(InputError, match="its outputs are not one tensor for each of its 3 tasks"):
        model(exported[1])


def test_a_pt2_of_somebody_else_is_told_apart(tmp_path):
    torch.export.save(torch.export.export(torch.nn.ReLU(), (torch.rand(2),)), path := tmp_path / "other.pt2")
    with pytest.raises(InputError, match="example inputs are pickled"):
        open_model(path)
