import json

import numpy as np
import pytest
import torch
from deployed import describe, export_graph, exportable, make_network
from PIL import Image
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import TaskRecord, as_bytes
from nas.deploy.input_files import list_files, look_into
from nas.report import answer_pixels, draw_prediction
from nas.report.palette import task_colours
from nas.report.theme import LIGHT


@pytest.fixture
def pictures(exported, tmp_path):
    """Two pictures of the network's own size, one of another, and a file that is none."""
    _, inputs, _ = exported
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(2):
        Image.fromarray((255 * inputs[i]).round().byte().movedim(0, -1).numpy()).save(folder / f"own{i}.png")
    Image.new("RGBA", (90, 40), (10, 200, 30, 128)).save(folder / "wide.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.mark.parametrize("name", ["network.bundle", "network.pt2", "network.onnx"])
def test_every_format_gives_the_same_answers(exported, pictures, name, tmp_path, capsys):
    network, inputs, folder = exported
    assert run(["predict", str(folder / name), str(pictures), "--out", str(tmp_path / "out"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["num_samples"] == 3
    assert done["samples_per_second"] > 0
    with torch.no_grad():
        expected = network(inputs[:2])
    for i in range(2):
        with np.load(tmp_path / "out" / f"own{i}.npz") as arrays:
            assert set(arrays) == set(network.tree.tasks)
            # 8 bits hold these pictures exactly; what is left is another order of sums.
            assert (arrays["semseg"] == expected["semseg"][i].argmax(0).numpy()).mean() > 0.999
            np.testing.assert_allclose(arrays["edge"], expected["edge"][i].sigmoid(), atol=1e-4)
            np.testing.assert_allclose(np.linalg.norm(arrays["normals"], axis=0), 1, atol=1e-4)
            np.testing.assert_allclose(arrays["depth"], expected["depth"][i], atol=1e-3)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    each = {"npz", "png", *(f"{task}.png" for task in network.tree.tasks)}
    assert names == {f"{stem}.{end}" for stem in ("own0", "own1", "wide") for end in each}
    with Image.open(tmp_path / "out" / "own0.depth.png") as picture:
        assert picture.size == (40, 32)


def read_inputs(path, taken):
    files, wrong = look_into(list_files(path), taken)
    assert not wrong
    return [(sample.name, sample.input) for file in files for sample in file.read()]


def test_a_picture_keeps_its_ratio_where_sizes_are_free(exported, pictures):
    taken = nas.open_model(exported[2] / "network.pt2").input
    sizes = {name: tuple(x.shape[1:]) for name, x in read_inputs(pictures, taken)}
    assert sizes["own0"] == (32, 40)
    height, width = sizes["wide"]
    assert width / height == pytest.approx(90 / 40, rel=0.05)
    assert height * width == pytest.approx(32 * 40, rel=0.05)
    fixed = taken.model_copy(update={"dynamic_size": False})
    assert {tuple(x.shape) for _, x in read_inputs(pictures, fixed)} == {(3, 32, 40)}


def test_arrays_are_taken_as_they_are(exported, tmp_path):
    network, inputs, folder = exported
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "one.npy", inputs[0].numpy())
    np.savez(tmp_path / "in" / "more.npz", a=inputs.numpy(), b=inputs[3].numpy())
    done = nas.predict(folder / "network.pt2", tmp_path / "in", out=tmp_path / "out", batch_size=3)
    assert done.num_samples == 6
    arrays = {path.stem for path in (tmp_path / "out").glob("*.npz")}
    assert arrays == {"one", "more-b", *(f"more-a-{i:04d}" for i in range(4))}
    with torch.no_grad(), np.load(tmp_path / "out" / "more-a-0003.npz") as found:
        np.testing.assert_allclose(found["depth"], network(inputs)["depth"][3], atol=1e-5)


def test_bytes_in_arrays_are_pixels(exported, pictures, tmp_path):
    folder = exported[2]
    with Image.open(pictures / "own0.png") as picture:
        bytes_CHW = np.array(picture).transpose(2, 0, 1)
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "one.npz", **{"train/0": bytes_CHW})
    nas.predict(folder / "network.pt2", tmp_path / "in", out=tmp_path / "out")
    nas.predict(folder / "network.pt2", pictures / "own0.png", out=tmp_path / "expected")
    with np.load(tmp_path / "out" / "one-train_0.npz") as found, np.load(tmp_path / "expected/own0.npz") as expected:
        assert all(np.array_equal(found[task], expected[task]) for task in expected)


def test_a_network_of_bytes_takes_nothing_else(tmp_path, capsys):
    network, _, tasks, inputs, pixels = make_network("own", 0)
    described = describe(network, tasks, inputs, pixels, "pt2", takes_pixels=True)
    data, _ = export_graph(exportable(network, described), as_bytes(inputs, pixels), "samples", described)
    (tmp_path / "network.pt2").write_bytes(data)
    np.save(tmp_path / "floats.npy", inputs[0].numpy())
    line = refused(capsys, "predict", tmp_path / "network.pt2", tmp_path / "floats.npy", "--out", tmp_path / "out")
    assert "holds float32 of shape [3, 32, 40]; needs bytes (uint8) of shape [3, 32, 40]" in line


@pytest.mark.parametrize("inputs", ["pictures", "pictures/own0.png"])
def test_inputs_are_never_written_over(exported, pictures, inputs, tmp_path, capsys, monkeypatch):
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    monkeypatch.chdir(pictures)
    line = refused(capsys, "predict", exported[2] / "network.pt2", tmp_path / inputs, "--out", ".")
    assert "is the folder of the inputs" in line
    assert {path.name: path.read_bytes() for path in pictures.iterdir()} == before


def test_what_does_not_fit_is_refused(exported, tmp_path, capsys):
    _, inputs, folder = exported
    file, out = folder / "network.pt2", tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no picture or array" in refused(capsys, "predict", file, empty, "--out", out)
    assert "is not a picture or array" in refused(capsys, "predict", file, tmp_path / "missing.png", "--out", out)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert "not a readable picture" in refused(capsys, "predict", file, tmp_path / "bad.png", "--out", out)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "not a readable array" in refused(capsys, "predict", file, tmp_path / "objects.npy", "--out", out)
    np.save(tmp_path / "grey.npy", inputs[0, :1].numpy())
    assert "holds float32 of shape [1, 32, 40]; needs numbers of shape [3, 32, 40]" in refused(
        capsys, "predict", file, tmp_path / "grey.npy", "--out", out
    )
    assert "no such file" in refused(capsys, "predict", tmp_path / "x.onnx", empty, "--out", out)
    with open(tmp_path / "huge.onnx", "wb") as sparse:
        sparse.truncate(2**43)
    line = refused(capsys, "predict", tmp_path / "huge.onnx", empty, "--out", out)
    assert line.endswith("huge.onnx: has 8192.0 GiB, more than fit into memory")
    (tmp_path / "x.h5").write_bytes(b"")
    assert "neither a bundle (a folder) nor .onnx nor .pt2" in refused(
        capsys, "predict", tmp_path / "x.h5", empty, "--out", out
    )


def test_pictures_need_a_scale(tmp_path, capsys):
    network, _, tasks, inputs, _ = make_network("own", 0)
    described = describe(network, tasks, inputs, None, "pt2")
    data, _ = export_graph(exportable(network, described), inputs, "samples", described)
    (tmp_path / "network.pt2").write_bytes(data)
    Image.new("RGB", (40, 32)).save(tmp_path / "picture.png")
    line = refused(capsys, "predict", tmp_path / "network.pt2", tmp_path / "picture.png", "--out", tmp_path / "out")
    assert "does not say how pixels become inputs" in line


def record(name, num_outputs, kind, shape, labels=None):
    return TaskRecord(name=name, num_outputs=num_outputs, kind=kind, shape=shape, labels=labels)


def test_pictures_of_answers():
    classes = answer_pixels(record("c", 3, "classes", (3, 2, 2)), torch.tensor([[0, 1], [2, 0]]))
    assert classes.shape == (2, 2, 3)
    assert (classes[0, 0] == classes[1, 1]).all()
    assert (classes[0, 0] != classes[0, 1]).any()
    binary = answer_pixels(record("b", 1, "binary", (1, 1, 2)), torch.tensor([[[0.0, 0.75]]]))
    np.testing.assert_allclose(binary, [[[0] * 3, [0.75] * 3]])
    normals = answer_pixels(record("n", 3, "directions", (3, 1, 1)), torch.tensor([1.0, 0.0, -1.0])[:, None, None])
    np.testing.assert_allclose(normals, [[[1, 0.5, 0]]])
    depth = answer_pixels(record("d", 1, "depth", (1, 1, 2)), torch.tensor([[[1.0, 10.0]]]))
    assert depth[0, 0].sum() > depth[0, 1].sum(), "near is bright"
    values = answer_pixels(record("v", 1, "values", (1, 1, 2)), torch.tensor([[[-3.0, torch.nan]]]))
    assert np.isfinite(values).all()


def test_a_page_of_words():
    tasks = [
        record("digit", 3, "classes", (3,), ("one", "two", "three")),
        record("has", 2, "binary", (2,), ("hat", "scarf")),
        record("age", 1, "values", (1,)),
    ]
    answers = {"digit": torch.tensor([0.1, 0.7, 0.2]), "has": torch.tensor([0.5, 0.25]), "age": torch.tensor([-31.5])}
    texts = [text.get_text() for text in draw_prediction(None, answers, tasks).axes[0].texts]
    assert texts == [
        *("digit", "two", "70 %", "three", "20 %", "one", "10 %"),
        *("has", "hat", "50 %", "scarf", "25 %"),
        *("age", "\N{MINUS SIGN}31.5"),
    ]


def texts_of(tasks, answers):
    return [text.get_text() for text in draw_prediction(None, answers, tasks).axes[0].texts]


def test_a_page_of_many_words_says_what_it_leaves_out():
    tasks = [record("has", 40, "binary", (40,)), record("embedding", 512, "values", (512,))]
    texts = texts_of(tasks, {"has": torch.linspace(0, 1, 40), "embedding": torch.arange(512.0)})
    assert texts[:3] == ["has", "39", "100 %"], "the likeliest first"
    assert "and 28 less likely" in texts
    assert texts[texts.index("embedding") + 1 :] == [*map(str, range(12)), "and 500 more"]


def test_every_map_says_what_its_colours_mean():
    maps = {
        "semseg": (record("semseg", 3, "classes", (3, 8, 8), ("sky", "wall", "floor")), torch.zeros(8, 8).long()),
        "depth": (record("depth", 1, "depth", (1, 8, 8)), torch.arange(64.0).view(1, 8, 8)),
        "edge": (record("edge", 1, "binary", (1, 8, 8)), torch.rand(1, 8, 8)),
        "normals": (record("normals", 3, "directions", (3, 8, 8)), torch.zeros(3, 8, 8)),
        "restore": (record("restore", 1, "values", (1, 8, 8)), torch.zeros(1, 8, 8)),
    }
    for name, words in {
        "semseg": ["sky 100 %"],
        "depth": ["0", "63", "near to far"],
        "edge": ["0", "1", "probability"],
        "normals": ["x red, y green, z blue"],
        "restore": ["0", "0", "value"],
    }.items():
        task, answer = maps[name]
        assert [text for text in texts_of([task], {name: answer}) if text != name] == words


def test_a_task_that_was_exported_alone_keeps_its_colour():
    task = record("age", 1, "values", (1,)).model_copy(update={"position": 2})
    texts = draw_prediction(None, {"age": torch.tensor([3.0])}, [task]).axes[0].texts
    (name,) = (text for text in texts if text.get_text() == "age")
    assert name.get_color() == LIGHT.text(task_colours(3)[2])


def test_the_first_mask_is_drawn_over_the_picture():
    task = record("edge", 1, "binary", (1, 4, 4))
    picture = np.full((4, 4, 3), 0.5, np.float32)
    figure = draw_prediction(picture, {"edge": torch.ones(1, 4, 4)}, [task])
    assert "edge over the input" in [text.get_text() for text in figure.axes[0].texts]
    assert "edge over the input" not in [
        text.get_text() for text in draw_prediction(None, {"edge": torch.ones(1, 4, 4)}, [task]).axes[0].texts
    ]
