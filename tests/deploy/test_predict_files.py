"""Which files `nas predict` takes, which it leaves out, and under which names it writes."""

import dataclasses
import errno
import importlib
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import InputRecord, open_model
from nas.deploy.arrays import list_arrays
from nas.deploy.input_files import list_files, look_into
from nas.errors import InputError

TABLE = InputRecord(shape=(4,))


@pytest.fixture
def network(exported):
    return exported[2] / "network.bundle"


@pytest.fixture
def folder(tmp_path):
    """An empty folder."""
    path = tmp_path / "in"
    path.mkdir()
    return path


def picture(path):
    Image.new("RGB", (40, 32), (90, 120, 150)).save(path)


def predicted(capsys, network, folder, out, status):
    capsys.readouterr()
    assert run(["predict", str(network), str(folder), "--out", str(out)]) == status
    return capsys.readouterr()


def test_bad_files_are_listed_and_the_rest_is_written(network, exported, folder, tmp_path, capsys):
    for name in ("a.png", "z.png"):
        picture(folder / name)
    picture(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-200])
    (folder / "text.png").write_text("no picture")
    np.save(folder / "wrong.npy", np.zeros((1, 32, 40), np.float32))
    np.save(folder / "empty.npy", np.zeros((0, 3, 32, 40), np.float32))
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    bad = ["cut.jpg", "empty.npy", "objects.npy", "text.png", "wrong.npy"]
    said = predicted(capsys, network, folder, tmp_path / "out", 1)
    *warnings, error = said.err.splitlines()
    assert sorted(warning.split(": ")[1] for warning in warnings) == [str(folder / name) for name in bad]
    assert error == f"error: 5 files have no predictions, or not all; the rest is in {tmp_path / 'out'}"
    assert "2 samples into" in said.out
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {"a", "z"}
    done = nas.predict(network, folder, out=tmp_path / "out")
    assert sorted(done.left_out) == [str(folder / name) for name in bad]


def test_a_folder_of_nothing_but_bad_files(network, folder, tmp_path, capsys):
    np.save(folder / "empty.npy", np.zeros((0, 3, 32, 40), np.float32))
    said = predicted(capsys, network, folder, tmp_path / "out", 1)
    assert "it is empty, its shape is [0, 3, 32, 40]" in said.err
    assert "0 samples" in said.out
    assert not (tmp_path / "out").exists()
    line = refused(capsys, "predict", network, folder / "empty.npy", "--out", tmp_path / "out")
    assert "it is empty" in line


def test_hidden_files_are_passed_over(network, folder, tmp_path, capsys):
    picture(folder / "b.png")
    # What macOS writes beside every file on a foreign disk.
    (folder / "._b.png").write_bytes(b"\x00\x05\x16\x07")
    (folder / ".cache.npy").write_bytes(b"")
    assert not predicted(capsys, network, folder, tmp_path / "out", 0).err
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {"b"}


def test_a_size_that_a_network_does_not_run_on_is_left_out(exported, folder, tmp_path, capsys, monkeypatch):
    picture(folder / "a.png")
    Image.new("RGB", (400, 2)).save(folder / "b.png")
    whole = open_model(exported[2] / "network.onnx")

    def run_unless_flat(batch):
        if batch.shape[-1] > 3 * batch.shape[-2]:
            raise RuntimeError("kernel size cannot be greater than actual input size")
        return whole._run(batch)

    model = dataclasses.replace(whole, _run=run_unless_flat)
    monkeypatch.setattr(importlib.import_module("nas.commands.predict"), "open_model", lambda *_, **__: model)
    said = predicted(capsys, whole.path, folder, tmp_path / "out", 1)
    assert f"{folder / 'b.png'}: " in said.err
    assert "kernel size cannot be greater" in said.err
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {"a"}


def collisions(folder, exported):
    sample = exported[1][0].numpy()
    yield "two samples", lambda: (np.save(folder / "a.npy", [sample] * 2), np.save(folder / "a-0001.npy", sample))
    yield "two keys", lambda: np.savez(folder / "a.npz", **{"p/q": sample, "p_q": sample})
    yield "two files", lambda: (np.save(folder / "a.npy", sample), picture(folder / "a.png"), picture_named_array())
    yield "a map and a page", lambda: (picture(folder / "a.png"), picture(folder / "a.depth.png"))

    def picture_named_array():
        np.save(folder / "a.png.npy", sample)


@pytest.mark.parametrize("index", range(4))
def test_answers_of_one_name_are_refused_before_the_work(network, exported, folder, tmp_path, capsys, index):
    _, make = list(collisions(folder, exported))[index]
    make()
    line = refused(capsys, "predict", network, folder, "--out", tmp_path / "out")
    assert f"{folder / 'a'}" in line
    assert "rename one" in line
    assert not (tmp_path / "out").exists()


def test_names_that_differ_in_case_only(network, folder, tmp_path, capsys, monkeypatch):
    for name in ("a.png", "A.png"):
        picture(folder / name)
    predicted(capsys, network, folder, tmp_path / "out", 0)
    assert {path.name for path in (tmp_path / "out").glob("*.npz")} == {"a.npz", "A.npz"}
    monkeypatch.setattr("nas.report.prediction_files._ignores_case", lambda _: True)
    assert "rename one" in refused(capsys, "predict", network, folder, "--out", tmp_path / "other")


def test_names_that_no_file_can_have(network, exported, folder, tmp_path, capsys):
    sample = exported[1][0].numpy()
    np.savez(folder / "a.npz", **{"../up\nx\\y": sample})
    predicted(capsys, network, folder, tmp_path / "out", 0)
    assert {path.name for path in (tmp_path / "out").glob("*.npz")} == {"a-.._up_x_y.npz"}
    np.savez(folder / "b.npz", **{"k" * 245: sample})
    assert "is too long for a file's name" in refused(capsys, "predict", network, folder, "--out", tmp_path / "out")


def test_inputs_that_are_links_into_out_are_not_written_over(network, exported, folder, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    np.savez(tmp_path / "out" / "a.npz", a=exported[1][0].numpy())
    before = (tmp_path / "out" / "a.npz").read_bytes()
    (folder / "a.npz").symlink_to(tmp_path / "out" / "a.npz")
    assert "is the folder of the inputs" in refused(capsys, "predict", network, folder, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "a.npz").read_bytes() == before


def test_what_a_killed_call_left_over_is_removed(network, folder, tmp_path, capsys):
    picture(folder / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".{'0' * 16}.tmp").write_bytes(b"half a file")
    predicted(capsys, network, folder, tmp_path / "out", 0)
    assert not list((tmp_path / "out").glob(".*"))


def test_a_full_disk_is_no_bad_file(network, folder, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "a.npz")

    picture(folder / "a.png")
    monkeypatch.setattr("nas.report.prediction_files.write_bytes_atomically", full)
    assert predicted(capsys, network, folder, tmp_path / "out", 1).err == "error: a.npz: No space left on device\n"


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def header(shape, dtype="|u1"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.deploy.arrays.MOST_UNPACKED_BYTES", 2**20)
    half = header((2**17, 4)) + bytes(2**19)
    path = npz(tmp_path / "a.npz", a=half, b=half)
    assert path.stat().st_size < 2**12
    with pytest.raises(
        InputError, match=r"a\.npz: .*it unpacks to .* GiB, at most .* are allowed; put larger arrays into"
    ):
        list_arrays(path, TABLE)
    assert len(list_arrays(npz(tmp_path / "b.npz", a=half), TABLE)) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header((2**40, 4)) + bytes(16), "cut off, or its shape"),
        (header((-1, 4)) + bytes(16), "it is empty"),
        (header((0, 4)), "it is empty"),
        (header((1, 4)) + bytes(3), "cut off, or its shape"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(100), "records, not numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff", "not a readable array"),
        (header((1, 4), "|O") + bytes(32), "Python objects"),
        (b"", "neither .npy nor .npz|not a readable array"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_headers_that_claim_too_much_are_refused_before_anything_is_loaded(data, message, archived, tmp_path):
    path = tmp_path / ("a.npz" if archived else "a.npy")
    if archived:
        npz(path, a=data)
    else:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        list_arrays(path, TABLE)
    assert str(caught.value).startswith(f"{path}: ")


def test_an_array_larger_than_memory_is_read_sample_by_sample(tmp_path):
    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        file.write(header((1000, 2**28)))
        file.truncate(file.tell() + 1000 * 2**28)
    files, wrong = look_into([("a", path)], InputRecord(shape=(2**28,)))
    assert not wrong
    assert len(files[0].names) == 1000
    with pytest.raises(InputError, match="has more than 268435456 numbers"):
        list_arrays(path, InputRecord(shape=(1000, 1), dynamic_size=True).model_copy(update={"shape": (1000, 2**28)}))


def test_too_many_samples_are_refused(tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.zeros((500_001, 4), np.uint8))
    with pytest.raises(InputError, match=r"b\.npy: with it there are 1000002 samples; one call takes at most 1000000"):
        look_into(list_files(tmp_path), TABLE)


def test_damage_that_shows_later_leaves_the_rest(network, exported, folder, tmp_path):
    """A checksum is wrong in the second array of a file; the first one has its answer."""
    np.savez(folder / "a.npz", good=exported[1][0].numpy(), bad=exported[1][1].numpy())
    data = bytearray((folder / "a.npz").read_bytes())
    data[len(data) * 3 // 4] ^= 255
    (folder / "a.npz").write_bytes(data)
    picture(folder / "b.png")
    done = nas.predict(network, folder, out=tmp_path / "out")
    assert json.dumps(done.to_dict())
    assert list(done.left_out) == [str(folder / "a.npz")]
    assert "Bad CRC-32" in done.left_out[str(folder / "a.npz")]
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {"a-good", "b"}
