"""NYUv2 as AdaShare has it: every number against what the fixture wrote, and messages about wrong split files."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.fixtures_nyuv2_pictures import Arrays, write_nyuv2_pictures

from nas.data import SPLITS
from nas.data.augmentation import Augmentation, Augmented, RandomFlip, RandomScale
from nas.datasets.dense_tasks import nyuv2_pictures_tasks
from nas.datasets.nyuv2_pictures import KINDS, NYUv2Pictures
from nas.errors import InputError

SPLIT_FILE = "nyu_v2_3task.json"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    """Not to be changed by any test."""
    root = tmp_path_factory.mktemp("NYUv2 à la AdaShare")
    return root, write_nyuv2_pictures(root)


@pytest.fixture
def root(pristine: tuple[Path, Arrays], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine[0], tmp_path / "nyuv2"))


def _rewrite(root: Path, change: Any) -> None:
    """Change the lists in the split file."""
    path = root / SPLIT_FILE
    lists = json.loads(path.read_text())
    change(lists)
    path.write_text(json.dumps(lists))


def test_samples_hold_what_was_written(pristine: tuple[Path, Arrays]) -> None:
    root, arrays = pristine
    source = NYUv2Pictures(root)
    seen = []
    for name in SPLITS:
        for id, (image, labels) in zip(source.split(name).ids, source.split(name), strict=True):
            seen.append(id)
            number = Path(id).stem
            assert torch.equal(image, torch.from_numpy(arrays[id].transpose(2, 0, 1)).float() / 255)
            assert list(labels) == ["semseg", "normals", "depth"]
            assert (labels["semseg"].dtype, labels["semseg"].tolist()) == (
                torch.int64,
                arrays[f"seg/{number}.png"].tolist(),
            )
            assert labels["semseg"][0, :3].tolist() == [0, 39, 255]
            assert np.array_equal(labels["depth"].numpy(), arrays[f"depth/{number}.npy"][None])
            colours = arrays[f"normal_mask/{number}.png"]
            vectors = 2 * colours.astype(np.float64) / 255 - 1
            vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
            vectors[(colours == 255).all(-1)] = 0
            # Float32 against float64, of a quotient of numbers of about 1.
            assert np.abs(labels["normals"].numpy() - vectors.transpose(2, 0, 1)).max() < 1e-6
            assert (labels["normals"] == 0).all(0).any()
    assert sorted(seen) == [f"img/{i:04d}.png" for i in range(15)]


def test_the_halves_are_the_splits_of_weights_and_logits(pristine: tuple[Path, Arrays]) -> None:
    splits = NYUv2Pictures(pristine[0], validation=0.3).describe_splits()
    assert list(splits) == list(SPLITS)
    names = [f"img/{i:04d}.png" for i in range(15)]
    assert splits["architecture"] == names[6:12]
    assert splits["test"] == names[12:]
    assert len(splits["validation"]) == 2
    assert sorted(splits["train"] + splits["validation"]) == names[:6]
    assert splits["train"] != NYUv2Pictures(pristine[0], validation=0.3, seed=1).describe_splits()["train"]


def test_without_halves_the_training_list_is_cut(tmp_path: Path) -> None:
    write_nyuv2_pictures(tmp_path, num_train=100, num_test=2, size=(1, 3), halves=False)
    sizes = {name: len(ids) for name, ids in NYUv2Pictures(tmp_path).describe_splits().items()}
    assert sizes == {"train": 76, "architecture": 19, "validation": 5, "test": 2}
    assert len(NYUv2Pictures(tmp_path, architecture=0.5, validation=0.2).split("architecture")) == 40


def test_a_share_for_the_logits_is_refused_if_the_file_has_halves(pristine: tuple[Path, Arrays]) -> None:
    with pytest.raises(InputError, match=r"json: its list 'train2' is the split 'architecture'; do not give `archite"):
        NYUv2Pictures(pristine[0], architecture=0.2)


def test_the_file_of_splits_may_be_elsewhere_and_paths_below_the_halves(root: Path, tmp_path: Path) -> None:
    expected = NYUv2Pictures(root).split("test")[1]
    (tmp_path / "utils").mkdir()
    (root / SPLIT_FILE).rename(tmp_path / "utils/lists.json")
    source = NYUv2Pictures(root, split_file=tmp_path / "utils/lists.json")
    assert torch.equal(source.split("test")[1][0], expected[0])
    with pytest.raises(InputError, match=r"nyu_v2_3task\.json: no such file"):
        NYUv2Pictures(root)
    # AutoMTL's paths are relative to train and test.
    for half, numbers in (("train", range(12)), ("test", range(12, 15))):
        for number in numbers:
            for path in list(root.glob(f"*/{number:04d}.*")):
                (root / half / path.parent.name).mkdir(parents=True, exist_ok=True)
                path.rename(root / half / path.parent.name / path.name)
    source = NYUv2Pictures(root, split_file=tmp_path / "utils/lists.json")
    assert torch.equal(source.split("test")[1][1]["depth"], expected[1]["depth"])
    assert all(len(source.split(name)[0][1]) == 3 for name in SPLITS)


def test_a_flip_negates_the_normals_x_and_a_scale_divides_the_depth(pristine: tuple[Path, Arrays]) -> None:
    test = NYUv2Pictures(pristine[0]).split("test")
    plain = test[0][1]
    _, flipped = Augmented(test, Augmentation((RandomFlip(1.0),), KINDS))[0]
    assert torch.equal(flipped["normals"], plain["normals"].flip(-1) * torch.tensor([-1, 1, 1])[:, None, None])
    _, scaled = Augmented(test, Augmentation((RandomScale((2.0,)),), KINDS))[0]
    assert torch.equal(scaled["depth"][..., ::2, ::2], plain["depth"] / 2)


@pytest.mark.parametrize("folder", ["img", "seg", "normal_mask", "depth"])
def test_a_missing_and_a_truncated_file_are_named(root: Path, folder: str) -> None:
    source = NYUv2Pictures(root)
    path = next((root / folder).glob("0013.*"))
    intact = path.read_bytes()
    for length in (0, 10, 60):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError) as raised:
            source.split("test")[1]
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(InputError, match=rf"{folder}/0013\.\w+: no such file"):
        source.split("test")[1]
    # Files of other tasks are not opened.
    if folder != "img":
        others = [task for task, name in zip(KINDS, ("seg", "normal_mask", "depth"), strict=True) if name != folder]
        assert list(NYUv2Pictures(root, tasks=others).split("test")[1][1]) == others


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lists: lists.pop("test"), "has no list 'test'; it has 'train', 'train1', 'train2'"),
        (lambda lists: lists.pop("train1"), "has no list 'train1'; it has 'train', 'test', 'train2'"),
        (lambda lists: lists.update(test=[]), "'test' must be a list of at least one row"),
        (lambda lists: lists.update(test={}), "'test' must be a list of at least one row"),
        (lambda lists: lists["test"][1].pop(), "'test', row 1 must list 4 files: picture, semseg, normals, depth"),
        (lambda lists: lists["train2"].append("a"), "'train2', row 6 must list 4 files"),
        (lambda lists: lists["test"][0].__setitem__(2, 5), "'test', row 0 must list 4 files"),
        (lambda lists: lists["test"][0].__setitem__(3, "../x.npy"), r"row 0: '\.\./x\.npy' is not a path below the d"),
        (
            lambda lists: lists["test"][0].__setitem__(3, "/x.npy"),
            "row 0: '/x.npy' is not a path below the data folder",
        ),
        (lambda lists: lists["test"].append(lists["test"][0]), r"'test' lists 'img/0012\.png' twice; remove one"),
        (lambda lists: lists["test"].append(lists["train2"][0]), r"'img/0006\.png' is in 'architecture' and in 'test'"),
        (
            lambda lists: lists["test"][0].__setitem__(0, "img/x.png"),
            r"img/x\.png: no such file, nor below .*test; the",
        ),
        (lambda lists: lists.update(train1=lists["train1"][:1]), "'train1': 1 ids are too few to take some of them"),
    ],
)
def test_wrong_lists_are_told_at_once(root: Path, change: Any, message: str) -> None:
    _rewrite(root, change)
    with pytest.raises(InputError, match=message) as raised:
        NYUv2Pictures(root)
    assert str(root) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_object_of_lists_is_refused(root: Path) -> None:
    for content, message in (("[]", "must be a JSON object with the lists"), ("{", "not JSON")):
        (root / SPLIT_FILE).write_text(content)
        with pytest.raises(InputError, match=message):
            NYUv2Pictures(root)


def test_a_file_of_many_rows_is_read(root: Path) -> None:
    """Taskonomy's file is longer than a record of this project may be."""
    with (root / SPLIT_FILE).open("ab") as file:
        file.write(b" " * (64 * 2**20))
    assert len(NYUv2Pictures(root).split("test")) == 3


def test_wrong_arguments_are_refused(root: Path) -> None:
    with pytest.raises(InputError, match="NYUv2Pictures has no labels for edge; its tasks are semseg, normals, depth"):
        NYUv2Pictures(root, tasks=["edge"])
    with pytest.raises(InputError, match=r"nowhere: no such folder; it must be the data folder of NYUv2Pictures"):
        NYUv2Pictures(root / "nowhere")
    with pytest.raises(InputError, match="validation is the share of a split"):
        NYUv2Pictures(root, validation=0)


def test_tasks_have_the_weights_of_adashare() -> None:
    tasks = {task.name: (task.num_outputs, task.weight) for task in nyuv2_pictures_tasks()}
    assert tasks == {"semseg": (40, 1), "normals": (3, 20), "depth": (1, 3)}
    assert tasks.keys() == KINDS.keys()
