"""CelebA: every attribute against what the fixture wrote, and the messages about wrong files."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets.fixtures_celeba import write_celeba
from PIL import Image

from nas.data import SPLITS
from nas.data.augmentation import Resize
from nas.datasets.celeba import ATTRIBUTES, CelebA, celeba_tasks, task_name
from nas.errors import InputError

ANNO, EVAL = "Anno/list_attr_celeba.txt", "Eval/list_eval_partition.txt"
Truth = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Not to be changed by any test."""
    root = tmp_path_factory.mktemp("CelebA")
    return root, write_celeba(root)


@pytest.fixture
def root(pristine: tuple[Path, Truth], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine[0], tmp_path / "celeba"))


def test_samples_hold_what_was_written(pristine: tuple[Path, Truth]) -> None:
    root, truth = pristine
    source = CelebA(root)
    seen = []
    for name in SPLITS:
        for id, (image, labels) in zip(source.split(name).ids, source.split(name), strict=True):
            seen.append(id)
            with Image.open(root / "Img/img_align_celeba" / id) as picture:
                pixels = np.array(picture).transpose(2, 0, 1)
            assert image.shape == (3, 218, 178)
            assert torch.equal(image, torch.from_numpy(pixels).float() / 255)
            assert list(labels) == [task.name for task in celeba_tasks()]
            assert all(label.shape == (1,) and label.dtype == torch.float32 for label in labels.values())
            assert [label.item() for label in labels.values()] == [float(value > 0) for value in truth[id]]
    assert sorted(seen) == sorted(truth)


def test_the_partitions_are_the_splits_and_the_first_one_is_cut(pristine: tuple[Path, Truth]) -> None:
    splits = CelebA(pristine[0]).describe_splits()
    assert list(splits) == list(SPLITS)
    assert {name: len(ids) for name, ids in splits.items()} == {
        "train": 8,
        "architecture": 2,
        "validation": 3,
        "test": 3,
    }
    assert splits["validation"] == ["000011.jpg", "000012.jpg", "000013.jpg"]
    assert splits["test"] == ["000014.jpg", "000015.jpg", "000016.jpg"]
    assert len(CelebA(pristine[0], architecture=0.5).split("architecture")) == 5
    others = {CelebA(pristine[0], seed=seed).split("architecture").ids for seed in range(8)}
    assert len(others) > 1


def test_attributes_can_be_chosen_and_pictures_resized(pristine: tuple[Path, Truth]) -> None:
    source = CelebA(pristine[0], attributes=["Young", "Bald"], resize=Resize((56, 48)))
    image, labels = source.split("test")[0]
    assert image.shape == (3, 56, 48)
    values = dict(zip(ATTRIBUTES, pristine[1]["000014.jpg"], strict=True))
    assert {name: label.item() for name, label in labels.items()} == {
        "Young": float(values["Young"] > 0),
        "Bald": float(values["Bald"] > 0),
    }
    with pytest.raises(InputError, match="line 2 does not name 'Tall'; it names 5_o_Clock_Shadow, Arched_Eyebrows"):
        CelebA(pristine[0], attributes=["Tall"])


def test_names_of_tasks_are_valid_and_different() -> None:
    tasks = celeba_tasks()
    assert len({task.name for task in tasks}) == 40
    changed = {attribute: task_name(attribute) for attribute in ATTRIBUTES if task_name(attribute) != attribute}
    assert changed == {"5_o_Clock_Shadow": "attribute_5_o_Clock_Shadow"}
    assert task_name("wears a hat!") == "wears_a_hat"
    assert {(task.loss, task.num_outputs, task.dense) for task in tasks} == {("binary_cross_entropy", 1, False)}


def test_zeros_for_no_are_accepted_but_not_beside_minus_ones(root: Path) -> None:
    expected = CelebA(root).split("test")[1][1]
    path = root / ANNO
    text = path.read_text()
    path.write_text(text.replace("-1", " 0"))
    assert CelebA(root).split("test")[1][1] == expected
    lines = text.splitlines()
    for count in (1, -1):
        mixed = [*lines[:9], lines[9].replace("-1", " 0", count), *lines[10:]]
        path.write_text("\n".join(mixed))
        with pytest.raises(InputError, match=r"celeba\.txt: line 10: both -1 and 0 are in the file; write -1 for no"):
            CelebA(root)


def test_trailing_blank_lines_and_windows_line_ends_are_accepted(root: Path) -> None:
    splits = CelebA(root).describe_splits()
    for name in (ANNO, EVAL):
        path = root / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n  \r\n")
    assert CelebA(root).describe_splits() == splits


@pytest.mark.parametrize(
    ("name", "number", "pattern", "replacement", "message"),
    [
        (ANNO, 1, ".*", "17", "line 1 must be the number of pictures that follow, 16; found '17'"),
        (ANNO, 1, ".*", "16 pictures", "line 1 must be the number of pictures that follow, 16; found '16 pictures'"),
        (ANNO, 2, "Bald", "Young", "line 2 names an attribute twice"),
        (ANNO, 2, " Bald", "", "line 3 has 40 values for 39 attributes"),
        (ANNO, 5, r" -?1$", "", "line 5 has 39 values for 40 attributes"),
        (ANNO, 5, r"1$", "2", r"line 5 holds '-?2'; values are 1 \(yes\) and -1 \(no\)"),
        (ANNO, 5, r"1$", "yes", r"line 5 holds '-?yes'; values are"),
        (ANNO, 5, "000003", "000002", r"line 5 names '000002\.jpg' a second time"),
        (ANNO, 5, "000003", "../3", r"line 5: '\.\./3\.jpg' is not the name of a picture"),
        (ANNO, 5, "000003", "000099", r"partition\.txt: line 3: '000003\.jpg' is not in .*list_attr_celeba\.txt"),
        (EVAL, 3, "000003", "000099", r"line 3: '000099\.jpg' is not in .*list_attr_celeba\.txt"),
        (EVAL, 3, ".*", "", r"celeba\.txt: line 5: '000003\.jpg' is not in .*list_eval_partition\.txt"),
        (EVAL, 3, "0$", "3", "line 3 must be a picture and 0, 1 or 2; found '3'"),
        (EVAL, 3, "0$", "", "line 3 must be a picture and 0, 1 or 2; found ''"),
        (EVAL, 3, "000003", "000002", r"line 3 names '000002\.jpg' a second time"),
    ],
)
def test_wrong_lines_are_named(
    root: Path, name: str, number: int, pattern: str, replacement: str, message: str
) -> None:
    path = root / name
    lines = path.read_text().splitlines()
    changed = re.sub(pattern, replacement, lines[number - 1].rstrip(), count=1)
    assert changed != lines[number - 1]
    lines[number - 1] = changed
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message) as raised:
        CelebA(root)
    assert str(raised.value).startswith(str(root))
    assert "\n" not in str(raised.value)


def test_a_partition_without_pictures_is_named(root: Path) -> None:
    path = root / EVAL
    path.write_text(path.read_text().replace(" 1\n", " 2\n"))
    with pytest.raises(InputError, match="has no picture of partition 1, which is the split 'validation'"):
        CelebA(root)


def test_missing_and_damaged_files_are_named(root: Path) -> None:
    picture = root / "Img/img_align_celeba/000015.jpg"
    source = CelebA(root)
    intact = picture.read_bytes()
    for length in (0, 60, len(intact) // 2):
        picture.write_bytes(intact[:length])
        with pytest.raises(InputError, match=r"000015\.jpg: damaged, or no picture"):
            source.split("test")[1]
    picture.unlink()
    with pytest.raises(InputError, match=r"000015\.jpg: no such file"):
        source.split("test")[1]
    (root / ANNO).write_text("16\n")
    with pytest.raises(InputError, match="has 1 lines; a count, the attributes' names and pictures are needed"):
        CelebA(root)
    for path, message in (
        (root / EVAL, r"list_eval_partition\.txt: no such file; it must list the partition of each picture"),
        (root / ANNO, r"list_attr_celeba\.txt: no such file; it must list the attributes of each picture"),
    ):
        kept = shutil.copytree(root, root.parent / path.stem)
        write_celeba(kept, size=(4, 4))
        (kept / path.relative_to(root)).unlink()
        with pytest.raises(InputError, match=message):
            CelebA(kept)
    shutil.rmtree(root / "Img")
    with pytest.raises(InputError, match=r"img_align_celeba: no such folder; it must be CelebA's folder of aligned"):
        CelebA(root)
