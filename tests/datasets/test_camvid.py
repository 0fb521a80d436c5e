"""CamVid's folders, and the labels that are derived from classes."""

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import SPLITS
from nas.datasets.camvid import CamVid, camvid_tasks, labels_of
from nas.errors import InputError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, num in (("train", 10), ("val", 2), ("test", 3)):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        for i in range(num):
            Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(tmp_path / part / f"images/{i}.png")
            classes = np.full((8, 12), i % 11, dtype=np.uint8)
            classes[:, 6:] = 10
            classes[0, 0] = 11
            Image.fromarray(classes).save(tmp_path / part / f"labels/{i}.png")
    return tmp_path


def test_samples_are_those_of_the_files(folder):
    source = CamVid(folder, size=(8, 12))
    assert {name: len(source.split(name)) for name in SPLITS} == {
        "train": 8, "architecture": 2, "validation": 2, "test": 3,
    }  # fmt: skip
    image, labels = source.sample("test/2")
    stored = np.array(Image.open(folder / "test/images/2.png"))
    assert torch.equal((255 * image).round(), torch.tensor(stored.transpose(2, 0, 1)).float())
    assert labels["semseg"][1].tolist() == [2] * 6 + [10] * 6
    assert labels["semseg"][0, 0] == 255
    assert {task.name for task in source.tasks} == set(labels) == {task.name for task in camvid_tasks()}


def test_boundary_and_distance_are_those_of_the_classes(folder):
    _, labels = CamVid(folder, size=(8, 12)).sample("test/2")
    row = labels["boundary"][0, 4]
    assert row.tolist() == [0.0] * 5 + [1.0] + [0.0] * 6
    distances = labels["distance"][0, 4].exp().sub(1)
    assert distances[5:].round().tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert labels["boundary"][0, 0, 0] == 255
    assert labels["distance"][0, 0, 0].isnan()


def test_a_map_of_one_class_has_no_boundary_and_is_far_from_one():
    labels = labels_of(torch.full((4, 6), 3))
    assert labels["boundary"].sum() == 0
    assert labels["distance"].exp().sub(1).round().unique().tolist() == [6]


def test_missing_and_wrong_files_name_themselves(folder):
    Image.fromarray(np.full((8, 12), 12, dtype=np.uint8)).save(folder / "test/labels/1.png")
    with pytest.raises(InputError, match=r"labels/1\.png: holds 12; classes are 0 to 10, and 11 marks"):
        CamVid(folder, size=(8, 12)).sample("test/1")
    Image.new("L", (5, 8)).save(folder / "test/labels/1.png")
    with pytest.raises(InputError, match=r"labels/1\.png: is 8 x 5 pixels, its picture 8 x 12"):
        CamVid(folder, size=(8, 12)).sample("test/1")
    (folder / "val/labels/0.png").unlink()
    with pytest.raises(InputError, match=r"val/labels/0\.png: no such file"):
        CamVid(folder)
    with pytest.raises(InputError, match=r"none/train/images: no such folder"):
        CamVid(folder / "none")
