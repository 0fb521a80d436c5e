"""The data source: determinism, splits, knobs and the cache."""

import dataclasses
import hashlib

import pytest
import torch

from nas.data import SPLITS, batches, collate
from nas.datasets.scenes import SEMSEG_CLASSES, TASKS, Scenes, source
from nas.datasets.scenes.hashing import lattice_noise, normal, uniform
from nas.errors import InputError

SMALL = {"image_size": (24, 32), "sizes": dict.fromkeys(SPLITS, 12)}


def same(a, b):
    (image_a, labels_a), (image_b, labels_b) = a, b
    return (
        torch.equal(image_a, image_b)
        and labels_a.keys() == labels_b.keys()
        and all(torch.equal(labels_a[task], labels_b[task]) for task in labels_a)
    )


def digest(image):
    return hashlib.sha256(image.numpy().tobytes()).hexdigest()


def test_a_sample_is_a_function_of_seed_split_and_index():
    one, two = Scenes(**SMALL).split("train"), Scenes(**SMALL | {"sizes": {"train": 500}}).split("train")
    assert all(same(one[i], two[i]) for i in range(3))
    other = Scenes(**SMALL, seed=1).split("train")
    assert not torch.equal(one[0][0], other[0][0])
    assert len(one) == 12
    assert len(Scenes(sizes={"train": 3}).split("test")) == 0


def test_a_sample_does_not_depend_on_its_batch():
    split = Scenes(**SMALL, missing={"depth": 0.5}, supersample=2).split("train")
    order = [7, 3, 11, 0, 3, 8, 1]
    bulk, single = split.__getitems__(order), collate([split[i] for i in order])
    assert torch.equal(bulk.inputs, single.inputs)
    assert bulk.labels.keys() == single.labels.keys()
    for task in bulk.labels:
        assert torch.equal(bulk.labels[task], single.labels[task]), task
        assert torch.equal(bulk.present[task], single.present[task]), task


def test_splits_are_disjoint_and_no_scene_comes_twice():
    images = [Scenes(**SMALL).split(name).__getitems__(range(12)).inputs for name in SPLITS]
    assert len({digest(image) for image in torch.cat(images)}) == 48


def test_pictures_are_8_bit_and_have_contrast():
    images = Scenes(**SMALL).split("train").__getitems__(range(12)).inputs
    assert images.shape == (12, 3, 24, 32)
    assert images.dtype == torch.float32
    assert torch.equal(images, (images * 255).round() / 255)
    assert images.std((1, 2, 3)).min() > 0.05


def test_rooms_and_streets():
    def classes(indoor):
        labels = Scenes(**SMALL, indoor=indoor).split("train").__getitems__(range(12)).labels["semseg"]
        return {SEMSEG_CLASSES[i] for i in labels.unique().tolist()}

    assert classes(1.0) & {"sky", "ground", "road", "car", "house"} == set()
    assert classes(0.0) & {"floor", "wall", "ceiling", "table"} == set()
    assert {"floor", "wall"} <= classes(1.0)
    assert {"sky", "ground"} <= classes(0.0)


def test_the_number_of_objects_is_a_knob():
    def foreground(num_objects):
        labels = Scenes(**SMALL, num_objects=num_objects).split("train").__getitems__(range(12)).labels["semseg"]
        return (labels >= SEMSEG_CLASSES.index("person")).float().mean()

    assert foreground((0, 0)) == 0
    assert foreground((2, 2)) < foreground((12, 12))


def test_missing_labels_are_missing_in_the_training_splits_only():
    missing = Scenes(**SMALL, missing={"depth": 1.0, "edge": 0.5})
    for name in ("train", "architecture"):
        batch = missing.split(name).__getitems__(range(12))
        assert "depth" not in batch.labels
        assert 0 < int(batch.present["edge"].sum()) < 12
        assert len(batch.labels["edge"]) == int(batch.present["edge"].sum())
        assert bool(batch.present["semseg"].all())
    for name in ("validation", "test"):
        batch = missing.split(name).__getitems__(range(12))
        assert all(bool(batch.present[task].all()) for task in TASKS)
    # What is left out changes nothing else.
    assert torch.equal(missing.split("train")[0][0], Scenes(**SMALL).split("train")[0][0])


def test_missing_labels_have_the_asked_rate():
    split = Scenes(sizes={"train": 400}, image_size=(4, 4), missing={"sal": 0.3}).split("train")
    present = split.__getitems__(range(400)).present["sal"].float().mean()
    # Four standard deviations of a share of .7 over 400 samples: 4 * sqrt(.21 / 400).
    assert abs(present - 0.7) < 0.092


def test_only_the_tasks_asked_for_are_labelled():
    _, labels = Scenes(**SMALL, tasks=("depth", "semseg")).split("test")[0]
    assert set(labels) == {"depth", "semseg"}


def test_image_noise_has_the_asked_deviation_and_spares_the_labels():
    clean, noisy = (Scenes(**SMALL, image_noise=s, texture_noise=0).split("train")[0] for s in (0.0, 0.05))
    inside = (clean[0] > 0.2) & (clean[0] < 0.8)
    deviation = (noisy[0] - clean[0])[inside].std()
    assert abs(deviation - 0.05) < 0.005  # some 1,500 values: 2 % each way, three times over
    assert all(torch.equal(clean[1][task], noisy[1][task]) for task in TASKS)


def test_texture_noise_and_supersampling_change_the_picture_only():
    plain, rough, fine = (
        Scenes(**SMALL, **knobs).split("train").__getitems__(range(6))
        for knobs in ({"texture_noise": 0.0}, {"texture_noise": 1.0}, {"texture_noise": 0.0, "supersample": 3})
    )
    for other in (rough, fine):
        assert not torch.equal(plain.inputs, other.inputs)
        assert all(torch.equal(plain.labels[task], other.labels[task]) for task in TASKS)
    # Away from edges, averaging nine rays tells nearly what the middle one tells.
    assert (plain.inputs - fine.inputs).abs().median() < 0.02


def test_a_loader_gets_batches():
    split = Scenes(**SMALL).split("train")
    loader = batches(split, 5, seed=0, epoch=0, shuffle=False, drop_last=False)
    assert torch.equal(torch.cat([batch.inputs for batch in loader]), split.__getitems__(range(12)).inputs)


def test_the_cache_gives_back_the_same_bits(tmp_path, monkeypatch):
    knobs = SMALL | {"missing": {"sal": 0.5}}
    rendered = Scenes(**knobs).split("train")
    expected = [rendered[i] for i in range(6)]
    cached = Scenes(**knobs, cache=tmp_path).split("train")
    assert all(same(cached[i], expected[i]) for i in range(6))
    assert not list(tmp_path.rglob("*.tmp"))

    def refuse(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr(source, "render", refuse)
    again = Scenes(**knobs, cache=tmp_path).split("train")
    assert all(same(again[i], expected[i]) for i in range(6))
    # The sizes of the splits do not belong to what is cached.
    grown = Scenes(**knobs | {"sizes": {"train": 100}}, cache=tmp_path).split("train")
    assert same(grown[5], expected[5])
    with pytest.raises(AssertionError, match="rendered again"):
        again[6]


@pytest.mark.parametrize("length", [0, 5, 1000])
def test_a_truncated_cache_file_is_made_again(tmp_path, length):
    split = Scenes(**SMALL, cache=tmp_path).split("train")
    expected = split[0]
    (file,) = tmp_path.rglob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:length])
    assert same(split[0], expected)
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": (32, 24)},
        {"seed": 3},
        {"indoor": 0.25},
        {"num_objects": (1, 2)},
        {"texture_noise": 0.1},
        {"image_noise": 0.2},
        {"missing": {"sal": 1.0}},
        {"supersample": 2},
        {"tasks": ("depth",)},
    ],
)
def test_a_cache_of_other_settings_is_not_used(tmp_path, change):
    """Every field of Scenes that shapes a sample is in the name of the cache's folder."""
    Scenes(**SMALL, cache=tmp_path).split("train")[0]
    changed = Scenes(**SMALL | change, cache=tmp_path).split("train")[0]
    assert same(changed, Scenes(**SMALL | change).split("train")[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_every_setting_is_covered_by_the_test_above():
    fields = {field.name for field in dataclasses.fields(Scenes)}
    tested = {
        name for mark in test_a_cache_of_other_settings_is_not_used.pytestmark for c in mark.args[1] for name in c
    }
    assert fields - tested == {"sizes", "device", "cache"}


def test_a_cache_that_cannot_be_written_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cache"):
        Scenes(**SMALL, cache=tmp_path / "file").split("train")[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"indoor": 1.5}, r"indoor must be a number in \[0, 1\]; found 1.5"),
        ({"missing": {"dept": 0.5}}, "missing must be .*'dept'"),
        ({"missing": {"depth": 2}}, r"missing\['depth'\]"),
        ({"sizes": {"training": 5}}, "sizes must be .*'training'"),
        ({"sizes": {"train": -1}}, "sizes"),
        ({"tasks": ()}, "tasks"),
        ({"num_objects": (5, 2)}, "num_objects"),
        ({"image_size": (0, 8)}, "image_size"),
        ({"image_noise": -0.1}, "image_noise"),
        ({"supersample": 0}, "supersample"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(InputError, match=message):
        Scenes(**wrong)


def test_there_are_four_splits_and_no_samples_beyond_them():
    with pytest.raises(InputError, match="split must be one of train"):
        Scenes().split("training")
    with pytest.raises(IndexError):
        Scenes(**SMALL).split("train")[12]


def test_hashed_noise_is_uniform_and_normal():
    counts = torch.arange(100_000, dtype=torch.int32)
    u, n = uniform(counts), normal(counts)
    # Four standard deviations of the mean and of the lag-one correlation over 1e5 values.
    assert abs(u.mean() - 0.5) < 4 * 0.289 / 316
    assert abs(torch.corrcoef(torch.stack([u[1:], u[:-1]]))[0, 1]) < 4 / 316
    histogram = torch.histc(u, 10, 0, 1)
    assert (histogram - 10_000).abs().max() < 4 * 95
    assert abs(n.mean()) < 4 / 316
    assert abs(n.std() - 1) < 0.01


def test_lattice_noise_is_continuous_and_takes_the_lattice_values():
    p = torch.rand(3, 1000, generator=torch.Generator().manual_seed(0)) * 20 - 10
    seed = torch.zeros(1000, dtype=torch.int32)
    # The slope is at most 1.5 a unit along each axis.
    assert (lattice_noise(p, seed) - lattice_noise(p + 1e-3, seed)).abs().max() < 3 * 1.6e-3
    corners = p.round()
    below = lattice_noise(corners - 1e-4, seed)
    torch.testing.assert_close(below, lattice_noise(corners, seed), atol=1e-3, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_renders_the_same_scenes():
    on_cpu = Scenes(**SMALL).split("train").__getitems__(range(12))
    on_gpu = Scenes(**SMALL, device="cuda").split("train").__getitems__(range(12)).to(torch.device("cpu"))
    # The two round differently, which decides a few pixels on outlines.
    assert (on_cpu.labels["semseg"] == on_gpu.labels["semseg"]).float().mean() > 0.995
    assert (on_cpu.inputs - on_gpu.inputs).abs().median() < 1 / 255
