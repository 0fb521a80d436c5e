"""Arrays in MTAN's folders: every number against what the fixture wrote, and what is told when files are wrong."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.fixtures_npy import Arrays, write_cityscapes, write_nyuv2

from nas.data import SPLITS, NamedSource, batches
from nas.data.augmentation import Augmentation, Augmented, RandomFlip, RandomScale
from nas.datasets.npy_layout import Cityscapes, ClassMaps, NpyLayout, NumberMaps, NYUv2
from nas.errors import InputError


@pytest.fixture(scope="module")
def nyuv2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    root = tmp_path_factory.mktemp("NYUv2 à la MTAN")
    return root, write_nyuv2(root)


@pytest.fixture
def root(nyuv2: tuple[Path, Arrays], tmp_path: Path) -> Path:
    return Path(shutil.copytree(nyuv2[0], tmp_path / "nyuv2"))


def test_nyuv2_holds_what_was_written(nyuv2: tuple[Path, Arrays]) -> None:
    root, arrays = nyuv2
    source = NYUv2(root)
    seen = []
    for name in SPLITS:
        for id, (image, labels) in zip(source.split_ids(name), source.split(name), strict=True):
            seen.append(id)
            half, number = id.split("/")
            stored = {
                folder: arrays[f"{half}/{folder}/{number}.npy"] for folder in ("image", "label", "depth", "normal")
            }
            assert torch.equal(image, torch.tensor(stored["image"].transpose(2, 0, 1), dtype=torch.float32))
            assert set(labels) == {"semseg", "depth", "normals"}
            classes = np.where(stored["label"] == -1, 255, stored["label"]).astype(np.int64)
            assert (labels["semseg"].dtype, labels["semseg"].tolist()) == (torch.int64, classes.tolist())
            assert labels["semseg"][0, :2].tolist() == [255, 255]
            assert torch.equal(labels["depth"], torch.tensor(stored["depth"].transpose(2, 0, 1)))
            assert torch.equal(labels["normals"], torch.tensor(stored["normal"].transpose(2, 0, 1)))
            assert (labels["depth"] == 0).any()
            assert (labels["normals"] == 0).all(0).any()
    assert sorted(seen) == sorted([f"train/{i}" for i in range(12)] + [f"val/{i}" for i in range(3)])


@pytest.mark.parametrize(("num_classes", "folder"), [(7, "label"), (7, "label_7"), (19, "label_19")])
def test_cityscapes_holds_what_was_written(tmp_path: Path, num_classes: Any, folder: str) -> None:
    arrays = write_cityscapes(tmp_path, coarse="label_7" if folder == "label_7" else "label")
    source = Cityscapes(tmp_path, num_classes=num_classes)
    for i, (image, labels) in enumerate(source.split("test")):
        label, depth = arrays[f"val/{folder}/{i}.npy"], arrays[f"val/depth/{i}.npy"]
        assert torch.equal(image, torch.tensor(arrays[f"val/image/{i}.npy"].transpose(2, 0, 1)))
        assert labels["semseg"].tolist() == np.where(label == -1, 255, label).tolist()
        assert torch.equal(labels["depth"], torch.tensor(depth.transpose(2, 0, 1)))
        assert set(labels) == {"semseg", "depth"}


def test_splits_are_disjoint_shares_that_the_seed_decides(tmp_path: Path) -> None:
    write_nyuv2(tmp_path, num_train=100, num_val=5, size=(1, 2))
    shutil.rmtree(tmp_path / "train/depth")
    shutil.rmtree(tmp_path / "train/normal")
    splits = NYUv2(tmp_path, tasks=["semseg"]).describe_splits()
    assert {name: len(ids) for name, ids in splits.items()} == {
        "train": 76,
        "architecture": 19,
        "validation": 5,
        "test": 5,
    }
    train = [*splits["train"], *splits["architecture"], *splits["validation"]]
    assert sorted(train) == sorted(f"train/{i}" for i in range(100))
    assert splits["test"] == [f"val/{i}" for i in range(5)]
    assert NYUv2(tmp_path, tasks=["semseg"]).describe_splits() == splits
    assert NYUv2(tmp_path, tasks=["semseg"], seed=1).describe_splits()["train"] != splits["train"]
    with pytest.raises(InputError, match=r"train/depth: no such folder; it must be the folder of labels for depth"):
        NYUv2(tmp_path)


def test_worker_processes_give_the_same_batches(nyuv2: tuple[Path, Arrays]) -> None:
    split: Any = NYUv2(nyuv2[0]).split("train")
    expected = list(batches(split, 4, seed=0, epoch=0, shuffle=True, drop_last=False))
    # Workers that are not forked get the data set pickled.
    for dataset, num_workers in ((split, 1), (pickle.loads(pickle.dumps(split)), 0)):
        found = list(batches(dataset, 4, seed=0, epoch=0, shuffle=True, drop_last=False, num_workers=num_workers))
        for batch, other in zip(expected, found, strict=True):
            assert torch.equal(batch.inputs, other.inputs)
            assert all(torch.equal(batch.labels[task], other.labels[task]) for task in ("semseg", "depth", "normals"))


def test_a_flip_negates_the_normals_x_and_a_scale_divides_the_depth(nyuv2: tuple[Path, Arrays]) -> None:
    root, arrays = nyuv2
    kinds = {"semseg": "classes", "depth": "depth", "normals": "normals"}
    flipped = Augmentation((RandomFlip(1.0),), kinds)
    scaled = Augmentation((RandomScale((2.0,)),), kinds)
    _, labels = Augmented(NYUv2(root).split("test"), flipped)[1]
    mirrored = arrays["val/normal/1.npy"][:, ::-1] * np.array([-1, 1, 1])
    assert np.array_equal(labels["normals"].numpy(), mirrored.transpose(2, 0, 1))
    _, labels = Augmented(NYUv2(root).split("test"), scaled)[1]
    halved = arrays["val/depth/1.npy"].repeat(2, axis=0).repeat(2, axis=1) / 2
    assert np.array_equal(labels["depth"].numpy(), halved.transpose(2, 0, 1))


def test_own_folders_of_arrays_can_be_read(tmp_path: Path) -> None:
    arrays = write_cityscapes(tmp_path)
    labels = {"fine": ClassMaps("label_19", 19), "colour": NumberMaps("image", 3)}
    sample = NpyLayout(tmp_path, labels, architecture=0.5, validation=0.5, seed=3).split("test")[2]
    assert torch.equal(sample[0], sample[1]["colour"])
    assert (sample[1]["fine"] != 255).sum() == (arrays["val/label_19/2.npy"] >= 0).sum()


@pytest.mark.parametrize("folder", ["image", "label", "depth", "normal"])
def test_a_missing_a_truncated_and_an_overwritten_array_are_named(root: Path, folder: str) -> None:
    source = NYUv2(root)
    path = root / "val" / folder / "1.npy"
    intact = path.read_bytes()
    for length in (0, 5, 20, 100, len(intact) // 2, len(intact) - 1):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError, match=r"damaged, or no npy file \(.*put an undamaged copy") as raised:
            source.split("test")[1]
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(InputError, match=rf"val/{folder}/1\.npy: no such file"):
        source.split("test")[1]


FULL = np.zeros((6, 9))


@pytest.mark.parametrize(
    ("folder", "array", "message"),
    [
        ("image", np.zeros((3, 6, 9)), r"has the shape \[3, 6, 9\]; \[H, W, 3\] is needed"),
        ("image", np.zeros((6, 9, 3), np.uint8), "holds uint8; floats are needed"),
        ("image", np.full((6, 9, 3), 200.0), r"holds values from 200 to 200; pictures are floats in \[0, 1\]"),
        ("image", np.full((6, 9, 3), np.nan), r"holds values from nan to nan; pictures are floats"),
        ("label", np.zeros((6, 9, 1)), r"has the shape \[6, 9, 1\]; \[H, W\] is needed"),
        ("label", FULL + 13, "holds 13; classes are 0 to 12, and -1 and 255 are ignored"),
        ("label", FULL - 2, "holds -2; classes are 0 to 12"),
        ("label", FULL + 0.5, "holds 0.5; classes are 0 to 12"),
        ("label", FULL * np.nan, "holds nan; classes are 0 to 12"),
        ("label", np.zeros((3, 4)), "is 3 x 4 pixels, its picture 6 x 9"),
        ("label", np.full((6, 9), "a"), "holds <U1, not numbers"),
        ("label", np.full((6, 9), None), r"damaged, or no npy file \(Object arrays cannot be loaded"),
        ("depth", FULL, r"has the shape \[6, 9\]; \[H, W, 1\] is needed"),
        ("depth", np.zeros((6, 9, 1), np.int32), "holds int32; floats are needed"),
        ("normal", np.zeros((6, 9, 1)), r"has the shape \[6, 9, 1\]; \[H, W, 3\] is needed"),
        ("normal", np.zeros((0, 9, 3)), r"has the shape \[0, 9, 3\]"),
        ("normal", np.zeros((5, 9, 3)), "is 5 x 9 pixels, its picture 6 x 9"),
    ],
)
def test_arrays_of_another_form_are_refused(root: Path, folder: str, array: np.ndarray, message: str) -> None:
    path = root / "val" / folder / "0.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as raised:
        NYUv2(root).split("test")[0]
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_an_archive_of_arrays_is_refused(root: Path) -> None:
    with (root / "val/depth/0.npy").open("wb") as file:
        np.savez(file, depth=FULL)
    with pytest.raises(InputError, match=r"val/depth/0\.npy: is an archive of arrays"):
        NYUv2(root).split("test")[0]


def test_gaps_and_missing_folders_are_told_at_once(root: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder; it must be the folder with train and val"):
        NYUv2(root / "nowhere")
    (root / "train/image/0.npy").unlink()
    with pytest.raises(
        InputError, match=r"train/image: has 11 pictures but no 0\.npy; .* numbered from 0 without gaps"
    ):
        NYUv2(root)
    for path in (root / "val/image").iterdir():
        path.unlink()
    (root / "train/image/11.npy").rename(root / "train/image/0.npy")
    with pytest.raises(InputError, match=r"val/image: holds no pictures; they have to be 0\.npy, 1\.npy"):
        NYUv2(root)
    shutil.rmtree(root / "val")
    with pytest.raises(InputError, match=r"val/label: no such folder"):
        NYUv2(root)


def test_hidden_files_and_those_of_file_managers_are_passed_over(root: Path) -> None:
    for folder in ("train/image", "train/label", "val/image", "val/depth"):
        for name in ("._0.npy", "._11.npy", ".DS_Store", "Thumbs.db", ".0.npy.swp", "desktop.ini"):
            (root / folder / name).write_bytes(b"\0\5\26\7 no array")
    source = NYUv2(root)
    assert {name: len(source.split(name)) for name in SPLITS} == {
        "train": 9,
        "architecture": 2,
        "validation": 1,
        "test": 3,
    }
    assert all(len(source.split(name)[0][1]) == 3 for name in SPLITS)


def test_a_picture_of_another_name_and_a_missing_label_are_named_at_once(root: Path) -> None:
    (root / "train/normal/7.npy").unlink()
    with pytest.raises(InputError, match=r"train/normal/7\.npy: no such file; every picture needs a label for normals"):
        NYUv2(root)
    assert len(NYUv2(root, tasks=["semseg", "depth"]).split("test")) == 3
    (root / "val/image/copy of 1.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"val/image/copy of 1\.npy: pictures have to be 0\.npy, 1\.npy"):
        NYUv2(root, tasks=["semseg"])


def test_what_is_wrong_with_an_array_is_told_with_its_file_split_and_sample(root: Path) -> None:
    path = root / "val/depth/1.npy"
    path.write_bytes(path.read_bytes()[:-8])
    loader = batches(NamedSource(NYUv2(root)).split("test"), 3, seed=0, epoch=0, shuffle=False, drop_last=False)
    with pytest.raises(InputError, match=r"val/depth/1\.npy: damaged, .*; in sample 1 of split 'test' \(val/1\)$"):
        list(loader)


def test_wrong_arguments_are_refused(root: Path) -> None:
    with pytest.raises(InputError, match="NYUv2 has no labels for edge; its tasks are semseg, depth, normals"):
        NYUv2(root, tasks=["semseg", "edge"])
    with pytest.raises(InputError, match="num_classes is 8, must be 7 or 19"):
        Cityscapes(root, num_classes=8)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no split 'val'"):
        NYUv2(root).split("val")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="12 ids are too few"):
        NYUv2(root, architecture=0.99)
