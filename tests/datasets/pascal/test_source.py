"""PASCAL_MT: every pixel of every label against what the fixture wrote, and the splits."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import fixtures_pascal as fixture
from datasets.fixtures_pascal import FULL_SIZE, Truth, Written, assert_same, write_pascal
from PIL import Image
from scipy.io import loadmat, savemat
from torch.utils.data import DataLoader

from nas.data import SPLITS, Sample, batches, collate
from nas.datasets.dense_tasks import pascal_context_tasks
from nas.datasets.pascal import PART_CLASSES, TASKS, PascalMT, class_edges, drop_absent_people
from nas.errors import InputError


def _expected_normals(written: Written, normals: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    vectors = 2 * normals.astype(np.float64) / 255 - 1
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[~np.isin(label_map, fixture.INDOOR)] = 0
    vectors[(normals == 255).all(-1)] = 0
    return vectors.transpose(2, 0, 1)


def _assert_labels(sample: Sample, written: Written, size: tuple[int, int]) -> None:
    """The labels are those written, at the nearest pixels as Pillow takes them."""
    _, labels = sample

    def at(array: np.ndarray) -> np.ndarray:
        channels = [Image.fromarray(channel.astype(np.int32)) for channel in np.atleast_3d(array).transpose(2, 0, 1)]
        nearest = [np.array(c.resize(size[::-1], Image.Resampling.NEAREST)) for c in channels]
        return np.stack(nearest, -1).reshape(*size, *array.shape[2:])

    label_map, normals = at(written.label_map), at(written.normals)
    expected: dict[str, Any] = {
        "semseg": at(written.semseg),
        "sal": (at(written.sal) / 255 > 0.5)[None],
        "edge": class_edges(label_map)[None],
        "normals": _expected_normals(written, normals, label_map),
    }
    if written.parts is not None:
        expected["human_parts"] = at(written.parts)
    assert set(labels) == set(expected)
    for task, label in labels.items():
        if task == "normals":
            # Float32 against float64, of a quotient of numbers of about 1.
            assert np.abs(label.numpy() - expected[task]).max() < 1e-6
            assert np.array_equal(label.numpy() == 0, expected[task] == 0)
        else:
            assert np.array_equal(label.numpy(), expected[task]), task
    assert {task: label.dtype for task, label in labels.items()} == {
        task: torch.int64 if task in ("semseg", "human_parts") else torch.float32 for task in labels
    }


def _picture(root: Path, name: str) -> Image.Image:
    with Image.open(root / "JPEGImages" / f"{name}.jpg") as picture:
        return picture.convert("RGB")


def test_samples_hold_what_was_written(pristine: tuple[Path, Truth]) -> None:
    root, truth = pristine
    source = PascalMT(root)
    for name, written in truth.items():
        image, _ = sample = source.sample(name)
        pixels = np.array(_picture(root, name)).transpose(2, 0, 1)
        assert image.dtype == torch.float32
        assert torch.equal(image, torch.from_numpy(pixels).float() / 255)
        _assert_labels(sample, written, FULL_SIZE)


def test_the_fixture_holds_the_traps_it_promises(pristine: tuple[Path, Truth]) -> None:
    root, truth = pristine
    source = PascalMT(root)
    written, (_, labels) = truth[fixture.WITH_PERSON], source.sample(fixture.WITH_PERSON)
    assert labels["human_parts"].unique().tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert (labels["semseg"] == 255).any()
    assert written.label_map.max() > 255
    invalid = (labels["normals"] == 0).all(0).numpy()
    indoor = np.isin(written.label_map, fixture.INDOOR)
    assert (~invalid & indoor).any()
    assert (invalid & indoor).any(), "a stored 255 on an indoor class"
    assert (~indoor & (written.normals != 255).any(-1)).any(), "a stored vector on an outdoor class"
    lengths = labels["normals"].norm(dim=0).numpy()
    # Of a float32 quotient.
    assert np.allclose(lengths[~invalid], 1, atol=1e-6)
    assert labels["sal"][0, 0, :4].tolist() == [0, 0, 1, 1]
    assert {path.parent.name for path in (root / "semseg").rglob("*.png")} == {"VOC12", "pascal-context"}
    assert (root / "ImageSets/Context/train.txt").read_bytes().endswith(b"\n\n  \n")


def test_half_resolution_shrinks_pictures_by_lanczos_and_labels_to_the_nearest_pixel(
    pristine: tuple[Path, Truth],
) -> None:
    root, truth = pristine
    source = PascalMT(root, half_resolution=True)
    for name, written in truth.items():
        image, _ = sample = source.sample(name)
        small = _picture(root, name).resize((13, 10), Image.Resampling.LANCZOS)
        assert torch.equal(image, torch.from_numpy(np.array(small).transpose(2, 0, 1)).float() / 255)
        _assert_labels(sample, written, (10, 13))


def test_the_copies_in_half_size_that_bmtas_makes_can_be_the_root(root: Path) -> None:
    name = fixture.WITH_PERSON
    before = PascalMT(root).sample(name)
    for path in (root / "JPEGImages").iterdir():
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".png"))
        path.unlink()
    after = PascalMT(root).sample(name)
    assert torch.equal(before[0], after[0])
    assert before[1].keys() == after[1].keys()


@pytest.mark.parametrize(
    "name", [fixture.WITHOUT_PERSON, fixture.SMALL_PERSON, fixture.WITHOUT_PARTS, fixture.EMPTY], ids=lambda n: n[-1]
)
def test_a_picture_without_people_lacks_the_label(pristine: tuple[Path, Truth], name: str) -> None:
    source = PascalMT(pristine[0])
    assert set(source.sample(name)[1]) == {"semseg", "sal", "normals", "edge"}
    batch = collate([source.sample(name), source.sample(fixture.WITH_PERSON)])
    assert batch.present["human_parts"].tolist() == [False, True]
    assert batch.labels["human_parts"].shape == (1, *FULL_SIZE)


def test_without_the_parts_list_the_annotation_decides_who_is_there(root: Path) -> None:
    shutil.rmtree(root / "ImageSets/Parts")
    labelled = {name for name in fixture.SPECIAL if "human_parts" in PascalMT(root).sample(name)[1]}
    assert labelled == {fixture.WITH_PERSON, fixture.SMALL_PERSON, fixture.ODD_ID}


def test_someone_who_vanishes_in_half_resolution_is_not_there(root: Path) -> None:
    name = fixture.WITH_PERSON
    path = root / "human_parts" / f"{name}.mat"
    variables = loadmat(path)
    parts = variables["anno"][0][0][1][0][0][3][0]
    for part in parts:
        part[1] = np.zeros(FULL_SIZE, np.uint8)
    # Of rows 0 to 20 the ten of half the resolution are 1, 3, 5, ...
    parts[0][1][0] = 1
    variables["anno"][0][0][1] = variables["anno"][0][0][1][:, :1]
    savemat(path, {"anno": variables["anno"]})
    assert "human_parts" in PascalMT(root).sample(name)[1]
    assert "human_parts" not in PascalMT(root, half_resolution=True).sample(name)[1]


def test_a_crop_without_people_loses_the_label(pristine: tuple[Path, Truth]) -> None:
    image, labels = sample = PascalMT(pristine[0]).sample(fixture.WITH_PERSON)
    assert drop_absent_people(sample) is sample
    cropped = {task: label[..., 15:, 15:] for task, label in labels.items()}
    cropped["human_parts"] = cropped["human_parts"].clone()
    assert cropped["human_parts"].unique().tolist() == [0]
    # Padding is not a part.
    cropped["human_parts"][0] = 255
    _, left = drop_absent_people((image[..., 15:, 15:], cropped))
    assert set(left) == set(labels) - {"human_parts"}
    assert "human_parts" in cropped
    without = PascalMT(pristine[0]).sample(fixture.WITHOUT_PERSON)
    assert drop_absent_people(without) is without


def test_classes_are_those_that_the_tasks_name() -> None:
    by_name = {task.name: task for task in pascal_context_tasks()}
    assert by_name["human_parts"].labels == PART_CLASSES
    assert set(by_name) == set(TASKS)


def test_splits_are_disjoint_shares_that_the_seed_decides(tmp_path: Path) -> None:
    write_pascal(tmp_path, num_train=100, num_val=7, size=(6, 6))
    source = PascalMT(tmp_path)
    splits = source.describe_splits()
    assert {name: len(ids) for name, ids in splits.items()} == {
        "train": 76,
        "architecture": 19,
        "validation": 5,
        "test": 7,
    }
    path = tmp_path / "ImageSets/Context/train.txt"
    ids = [*splits["train"], *splits["architecture"], *splits["validation"]]
    assert sorted(ids) == sorted(line for line in path.read_text().split("\n") if line.strip())
    assert splits["test"] == [f"2010_{i:06d}" for i in range(7)]
    assert splits == PascalMT(tmp_path, half_resolution=True, tasks=["sal"]).describe_splits()
    assert splits["train"] != PascalMT(tmp_path, seed=1).describe_splits()["train"]
    assert len(PascalMT(tmp_path, architecture=0.5, validation=0.2).split("architecture")) == 40
    for name in SPLITS:
        assert source.split(name).ids == tuple(splits[name])
        assert len(source.split(name)) == len(splits[name])
    # Another order of the lines is the same cut.
    path.write_text("\n".join(reversed(path.read_text().splitlines())))
    assert PascalMT(tmp_path).describe_splits() == splits


def test_only_the_folders_of_the_tasks_are_needed(root: Path) -> None:
    everything = PascalMT(root).split("train")[0]
    for folder in ("human_parts", "semseg", "pascal-context", "normals_distill", "ImageSets/Parts"):
        shutil.rmtree(root / folder)
    image, labels = PascalMT(root, tasks=("sal",)).split("train")[0]
    assert torch.equal(image, everything[0])
    assert set(labels) == {"sal"}
    assert torch.equal(labels["sal"], everything[1]["sal"])
    with pytest.raises(InputError, match=r"semseg/VOC12 nor semseg/pascal-context, where labels for semseg"):
        PascalMT(root, tasks=("semseg",))
    for task, folder in (("human_parts", "human_parts"), ("normals", "normals_distill"), ("edge", "pascal-context")):
        with pytest.raises(InputError, match=rf"{folder}.*: no such folder; it must be .* labels for {task}"):
            PascalMT(root, tasks=(task,))
    with pytest.raises(InputError, match="no labels for depth, parts; its tasks are semseg, human_parts, sal"):
        PascalMT(root, tasks=("depth", "parts"))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_processes_give_the_same_batches(pristine: tuple[Path, Truth], start: str) -> None:
    split: Any = PascalMT(pristine[0]).split("train")
    expected = list(batches(split, 3, seed=0, epoch=0, shuffle=False, drop_last=False))
    workers = DataLoader(split, 3, num_workers=1, multiprocessing_context=start, collate_fn=collate)
    found = list(workers)
    assert len(found) == len(expected) == 3
    for batch, other in zip(expected, found, strict=True):
        assert_same(batch, other)


def test_a_worker_tells_what_is_wrong_in_one_line(root: Path) -> None:
    split = PascalMT(root).split("test")
    path = root / "JPEGImages" / f"{split.ids[1]}.jpg"
    path.write_bytes(path.read_bytes()[:300])
    for num_workers in (0, 1):
        with pytest.raises(InputError) as raised:
            list(batches(split, 2, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers))
        assert str(raised.value).startswith(f"{path}: damaged, or no picture (")
        assert "\n" not in str(raised.value)


def test_no_file_stays_open(pristine: tuple[Path, Truth], tmp_path: Path) -> None:
    source = PascalMT(pristine[0], cache=tmp_path)
    source.sample(fixture.WITH_PERSON)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        source.sample(fixture.WITH_PERSON)
        source.sample(fixture.WITHOUT_PERSON)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_unknown_splits_are_refused(pristine: tuple[Path, Truth]) -> None:
    with pytest.raises(InputError, match="no split 'val'; known are train, architecture, validation, test"):
        PascalMT(pristine[0]).split("val")  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_shares_of_all_or_nothing_are_refused(pristine: tuple[Path, Truth], share: float) -> None:
    for name in ("architecture", "validation"):
        with pytest.raises(InputError, match=f"{name} is the share of a split, above 0 and below 1; found {share}"):
            PascalMT(pristine[0], **{name: share})
