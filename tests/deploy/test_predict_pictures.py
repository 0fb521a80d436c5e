"""How pictures of every kind become inputs, and how maps come back in the picture's own size."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import InputRecord, Pixels, TaskRecord
from nas.deploy.pictures import cut_to_picture, in_size, read_picture
from nas.errors import InputError

RAMP = np.linspace(0, 255, 256).reshape(16, 16).astype(np.uint8)


def taken(channels=3, **changes):
    pixels = Pixels(mean=(0.25,) * channels, std=(0.5,) * channels)
    return InputRecord(shape=(channels, 16, 16), pixels=pixels, **changes)


TWINS = {
    "grey16.png": lambda path: Image.fromarray(RAMP.astype(np.uint16) * 257).save(path),
    "grey16.tif": lambda path: Image.fromarray(RAMP.astype(np.uint16) * 257).save(path),
    "big_endian.tif": lambda path: Image.fromarray((RAMP.astype(np.uint16) * 257).astype(">u2")).save(path),
    "float.tif": lambda path: Image.fromarray(RAMP.astype(np.float32) / 255).save(path),
    "white_is_0.tif": lambda path: Image.fromarray((255 - RAMP).astype(np.uint16) * 257).save(path, tiffinfo={262: 0}),
    "grey_alpha.png": lambda path: Image.fromarray(np.dstack([RAMP, RAMP])).save(path),
    "palette.png": lambda path: Image.fromarray(RAMP).convert("P").save(path),
    "rgb.png": lambda path: Image.fromarray(np.dstack([RAMP] * 3)).save(path),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("takes_pixels", [False, True])
@pytest.mark.parametrize("name", TWINS)
def test_the_same_picture_in_another_form_is_the_same_input(name, channels, takes_pixels, tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "twin.png")
    TWINS[name](tmp_path / name)
    shown = taken(channels, takes_pixels=takes_pixels)
    expected, _ = read_picture(tmp_path / "twin.png", shown)
    found, placed = read_picture(tmp_path / name, shown)
    assert placed == ((16, 16), (16, 16), 0, 0)
    assert found.dtype == expected.dtype
    # A float32's last digits, of a division by 65535 instead of 255.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_resized_picture_of_16_bits_is_that_of_8(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "b.png")
    small = InputRecord(shape=(1, 5, 7), pixels=Pixels(mean=(0.0,), std=(1.0,)))
    expected, found = (read_picture(tmp_path / name, small)[0] for name in ("a.png", "b.png"))
    # Pillow rounds pixels of 8 bits twice, once a direction.
    torch.testing.assert_close(found, expected, rtol=0, atol=1.01 / 255)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (RAMP.astype(np.float32), "its floats are from 0 to 255"),
        (np.full((4, 4), np.nan, np.float32), "its floats are from nan to nan"),
        (RAMP.astype(np.int32), "its integers are signed or of 32 bits"),
    ],
)
def test_a_picture_whose_white_is_not_known_is_refused(values, message, tmp_path):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=message):
        read_picture(tmp_path / "a.tif", taken())


def test_integers_in_arrays_are_pixels_or_refused(exported, tmp_path):
    _, inputs, folder = exported
    bytes_CHW = (255 * inputs[0]).round().byte().numpy()
    arrays = tmp_path / "in"
    arrays.mkdir()
    np.save(arrays / "eight.npy", bytes_CHW)
    np.save(arrays / "sixteen.npy", (bytes_CHW.astype(np.uint16) * 257).astype(">u2"))
    np.save(arrays / "more.npy", bytes_CHW.astype(np.int64))
    np.save(arrays / "unscaled.npy", bytes_CHW.astype(np.float32))
    done = nas.predict(folder / "network.pt2", arrays, out=tmp_path / "out")
    assert done.num_samples == 2
    with np.load(tmp_path / "out" / "eight.npz") as eight, np.load(tmp_path / "out" / "sixteen.npz") as sixteen:
        for task in eight:
            np.testing.assert_allclose(eight[task], sixteen[task], rtol=0, atol=1e-4)
    reasons = {path.rsplit("/")[-1]: reason for path, reason in done.left_out.items()}
    assert "holds int64, and the value of white is unknown" in reasons["more.npy"]
    assert "holds floats up to 2" in reasons["unscaled.npy"]
    assert "white is 1" in reasons["unscaled.npy"]
    assert len(reasons) == 2


def record(kind, channels=3):
    return TaskRecord(name="t", num_outputs=channels, kind=kind, shape=(channels, 2, 2))


def test_maps_in_another_size():
    classes = torch.tensor([[0, 1], [2, 0]])
    assert in_size(record("classes"), classes, (2, 4)).tolist() == [[0, 0, 1, 1], [2, 2, 0, 0]]
    assert in_size(record("classes"), torch.arange(100).view(10, 10), (3, 2)).tolist() == [
        [12, 17],
        [52, 57],
        [82, 87],
    ], "the pixels whose squares hold the centres"
    values = torch.tensor([[[0.0, 1.0]]])
    assert in_size(record("values", 1), values, (1, 4)).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    normals = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[:, None]
    torch.testing.assert_close(in_size(record("directions"), normals, (1, 5)).norm(dim=0), torch.ones(1, 5))
    assert in_size(record("values", 1), values, (1, 2)) is values
    with pytest.raises(InputError, match="t in the picture's own size, 20000 x 20000, would have more than"):
        in_size(record("values", 1), values, (20_000, 20_000))


WAYS = {
    "network.bundle": "to the network's height and width",
    "network.onnx": "to the network's number of pixels, with their own ratio of the sides",
}


@pytest.mark.parametrize("name", WAYS)
def test_maps_come_back_in_the_picture_s_own_size(exported, name, tmp_path, capsys):
    _, inputs, folder = exported
    model, pictures = nas.open_model(folder / name), tmp_path / "pictures"
    pictures.mkdir()
    own = Image.fromarray((255 * inputs[0]).round().byte().movedim(0, -1).numpy())
    twice = own.resize((80, 64), Image.Resampling.NEAREST)
    turned = Image.Exif()
    turned[0x0112] = 6
    twice.transpose(Image.Transpose.ROTATE_90).save(pictures / "turned.png", exif=turned)
    own.save(pictures / "same.png")
    assert run(["predict", str(folder / name), str(pictures), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert f"resized (height x width), {WAYS[name]}: turned 64 x 80 -> 32 x 40" in printed
    assert "same" not in printed
    with np.load(tmp_path / "out" / "turned.npz") as large, np.load(tmp_path / "out" / "same.npz") as same:
        assert {task: large[task].shape[-2:] for task in large} == dict.fromkeys(same, (64, 80))
        shown, _ = read_picture(pictures / "turned.png", model.input)
        expected = model.answers(shown[None])
        np.testing.assert_array_equal(large["semseg"][::2, ::2], expected["semseg"][0])
        np.testing.assert_array_equal(large["semseg"][1::2, 1::2], expected["semseg"][0])
        np.testing.assert_allclose(np.linalg.norm(large["normals"], axis=0), 1, atol=1e-4)
        assert same["depth"].shape[-2:] == (32, 40)
    for task in ("semseg", "depth"):
        with Image.open(tmp_path / "out" / f"turned.{task}.png") as picture:
            assert picture.size == (80, 64)
    assert run(["predict", str(folder / name), str(pictures), "--out", str(tmp_path / "out"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["resized"] == [{"name": "turned", "own": [64, 80], "shown": [32, 40]}]
    assert done["how"] == ("ratio kept" if model.input.dynamic_size else "stretched")


def test_a_map_that_would_be_too_large_is_left_out(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nas.deploy.pictures.MOST_VALUES", 3 * 90 * 90)
    folder = tmp_path / "in"
    folder.mkdir()
    for side in (80, 100):
        Image.new("RGB", (side, side)).save(folder / f"{side}.png")
    assert run(["predict", str(exported[2] / "network.pt2"), str(folder), "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "1 sample into" in captured.out
    assert "100.png: normals in the picture's own size, 100 x 100, would have more than" in captured.err
    assert not (tmp_path / "out" / "100.npz").exists()
    assert (tmp_path / "out" / "80.npz").exists()
    line = refused(capsys, "predict", exported[2] / "network.pt2", folder / "100.png", "--out", tmp_path / "out")
    assert "make the picture smaller" in line


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("size", "inner"), [((20, 60), (3, 10)), ((60, 20), (8, 3)), ((1, 500), (1, 10))])
def test_a_letterboxed_picture_is_as_large_as_fits(size, inner, bits, tmp_path):
    white = np.full(size, 2**bits - 1, np.uint8 if bits == 8 else np.uint16)
    Image.fromarray(white).save(tmp_path / "a.png")
    shown = InputRecord(shape=(3, 8, 10), pixels=Pixels(mean=(0.0,) * 3, std=(1.0,) * 3))
    values, placed = read_picture(tmp_path / "a.png", shown, letterbox=True)
    assert placed == (size, inner, (8 - inner[0]) // 2, (10 - inner[1]) // 2)
    expected = torch.full((3, 8, 10), 0.5)
    expected[:, placed.top :, placed.left :][:, : inner[0], : inner[1]] = 1
    # Half a step of 8 bits, which have no value for one half.
    torch.testing.assert_close(values, expected, rtol=0, atol=0.5 / 255 + 1e-6)
    box = (values[0] > 0.9).long()
    assert cut_to_picture(box, placed, (8, 10)).tolist() == torch.ones(inner).long().tolist()
    assert cut_to_picture(torch.zeros(3, 4, 5), placed, (8, 10)).numel() > 0, "of maps coarser than the input"


def test_maps_of_a_letterboxed_picture_are_cut_to_it(exported, tmp_path, capsys):
    _, inputs, folder = exported
    picture = Image.fromarray((255 * inputs[0]).round().byte().movedim(0, -1).numpy())
    picture.resize((80, 32), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    model = nas.open_model(folder / "network.bundle")
    arguments = ["predict", str(folder / "network.bundle"), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert run([*arguments, "--letterbox"]) == 0
    printed = capsys.readouterr().out
    assert "resized (height x width), to fit into the network's size, grey around: a 32 x 80 -> 16 x 40" in printed
    shown, placed = read_picture(tmp_path / "a.png", model.input, letterbox=True)
    expected = model.answers(shown[None])["semseg"][0, 8:24]
    with np.load(tmp_path / "out" / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["semseg"], expected.repeat_interleave(2, 0).repeat_interleave(2, 1))
    with Image.open(tmp_path / "out" / "a.semseg.png") as drawn:
        assert drawn.size == (80, 32)
    assert placed.top == 8
