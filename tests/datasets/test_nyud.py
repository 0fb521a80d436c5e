"""NYUD_MT in both releases: every number against what the fixture wrote, and the messages about wrong files."""

import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from datasets.fixtures_nyud import SIZE, Written, write_nyud
from PIL import Image
from scipy.io import savemat

from nas.data import SPLITS
from nas.data.augmentation import Augmentation, Augmented, RandomFlip, RandomScale, Resize
from nas.datasets.dense_tasks import nyud_tasks
from nas.datasets.nyud import KINDS, NYUDMT
from nas.errors import InputError
from nas.tasks import METRICS

Release = Literal["first", "second"]
RELEASES: tuple[Release, ...] = ("first", "second")
ENDINGS = {
    "first": {"segmentation": ".mat", "depth": ".mat", "normals": ".jpg", "edge": ".png"},
    "second": {"segmentation": ".png", "depth": ".npy", "normals": ".npy", "edge": ".npy"},
}


@pytest.fixture(scope="module", params=RELEASES)
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """The folder, its release, and what was written; not to be changed by any test."""
    root = tmp_path_factory.mktemp("données") / "NYUD_MT"
    return root, request.param, write_nyud(root, request.param)


@pytest.fixture
def root(pristine: tuple[Path, Release, dict[str, Written]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine[0], tmp_path / "NYUD_MT"))


def _expected_normals(root: Path, release: Release, name: str, written: Written) -> np.ndarray:
    if release == "first":
        # JPEG changes what was written, so the vectors are those of the decoded picture.
        with Image.open(root / "normals" / f"{name}.jpg") as picture:
            vectors = 2 * np.array(picture).astype(np.float64) / 255 - 1
    else:
        vectors = written.normals.astype(np.float64)
    vectors[:16, :8] = 0
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    lengths[:16, :8] = 1
    return (vectors / lengths).transpose(2, 0, 1)


def test_samples_hold_what_was_written(pristine: tuple[Path, Release, dict[str, Written]]) -> None:
    root, release, truth = pristine
    source = NYUDMT(root)
    assert source.release == release
    assert sorted(id for split in SPLITS for id in source.split(split).ids) == sorted(truth)
    for name, written in truth.items():
        image, labels = source.sample(name)
        with Image.open(root / "images" / f"{name}.jpg") as picture:
            assert torch.equal(image, torch.from_numpy(np.array(picture).transpose(2, 0, 1)).float() / 255)
        assert list(labels) == ["semseg", "depth", "normals", "edge"]
        semseg = written.semseg.astype(int)
        assert labels["semseg"].tolist() == np.where(semseg == 0, 255, semseg - 1).tolist()
        assert labels["semseg"][0, :2].tolist() == [255, 39]
        assert labels["semseg"].dtype == torch.int64
        assert np.array_equal(labels["depth"].numpy(), written.depth[None])
        assert np.array_equal(labels["edge"].numpy(), (written.edge / np.float32(255))[None])
        assert labels["edge"][0, 0, :3].tolist() == pytest.approx([0, 0.2, 1])
        assert {labels[task].dtype for task in ("depth", "normals", "edge")} == {torch.float32}


def test_normals_are_unit_vectors_and_zero_where_there_are_none(
    pristine: tuple[Path, Release, dict[str, Written]],
) -> None:
    root, release, truth = pristine
    for name, written in truth.items():
        normals = NYUDMT(root).sample(name)[1]["normals"].numpy()
        # Grey and white in the first release, zero and NaN in the second.
        assert (normals[:, :16, :8] == 0).all()
        # Float32 against float64, of a quotient of numbers of about 1.
        assert np.abs(normals - _expected_normals(root, release, name, written)).max() < 1e-6
        assert np.abs(np.linalg.norm(normals[:, :, 8:], axis=0) - 1).max() < 1e-6


def test_a_flip_negates_the_normals_x_and_a_scale_divides_the_depth(
    pristine: tuple[Path, Release, dict[str, Written]],
) -> None:
    test = NYUDMT(pristine[0]).split("test")
    plain = test[1][1]
    _, flipped = Augmented(test, Augmentation((RandomFlip(1.0),), KINDS))[1]
    assert torch.equal(flipped["normals"], plain["normals"].flip(-1) * torch.tensor([-1, 1, 1])[:, None, None])
    assert torch.equal(flipped["edge"], plain["edge"].flip(-1))
    _, scaled = Augmented(test, Augmentation((RandomScale((2.0,)),), KINDS))[1]
    assert torch.equal(scaled["depth"], plain["depth"].repeat_interleave(2, -1).repeat_interleave(2, -2) / 2)
    assert torch.equal(scaled["normals"][..., ::2, ::2], plain["normals"])


def test_splits_are_disjoint_shares_that_the_seed_decides(tmp_path: Path) -> None:
    write_nyud(tmp_path, num_train=100, num_val=7, size=(1, 3))
    source = NYUDMT(tmp_path)
    splits = source.describe_splits()
    sizes = {name: len(ids) for name, ids in splits.items()}
    assert sizes == {"train": 76, "architecture": 19, "validation": 5, "test": 7}
    assert splits["test"] == [f"{i:04d}" for i in range(500, 507)]
    assert NYUDMT(tmp_path, seed=1).describe_splits()["train"] != splits["train"]
    path = tmp_path / "gt_sets/train.txt"
    path.write_text("\r\n".join(reversed(path.read_text().split())))
    assert NYUDMT(tmp_path).describe_splits() == splits
    assert len(NYUDMT(tmp_path, architecture=0.5, validation=0.2).split("architecture")) == 40


def test_only_the_folders_of_the_tasks_are_needed(root: Path) -> None:
    expected = NYUDMT(root).split("test")[0]
    for folder in ("segmentation", "depth", "normals"):
        shutil.rmtree(root / folder)
    image, labels = NYUDMT(root, tasks=["edge"]).split("test")[0]
    assert torch.equal(image, expected[0])
    assert list(labels) == ["edge"]
    with pytest.raises(InputError, match=r"segmentation: no such folder; it must be NYUD_MT's folder of labels for s"):
        NYUDMT(root)
    with pytest.raises(InputError, match="NYUDMT has no labels for sal; its tasks are semseg, depth, normals, edge"):
        NYUDMT(root, tasks=["edge", "sal"])


def test_resized_samples_have_one_size(root: Path) -> None:
    image, labels = NYUDMT(root, resize=Resize((12, 20))).split("test")[0]
    assert {tuple(tensor.shape[-2:]) for tensor in (image, *labels.values())} == {(12, 20)}


@pytest.mark.parametrize("folder", ["segmentation", "depth", "normals", "edge"])
def test_a_folder_of_the_other_release_is_named_with_both_findings(tmp_path: Path, folder: str) -> None:
    for release in RELEASES:
        write_nyud(tmp_path / release, release, num_train=4, num_val=1)
    shutil.rmtree(tmp_path / "first" / folder)
    shutil.copytree(tmp_path / "second" / folder, tmp_path / "first" / folder)
    with pytest.raises(InputError, match="first: mixes two releases: ") as raised:
        NYUDMT(tmp_path / "first")
    message = str(raised.value)
    assert f"{folder}/0000{ENDINGS['second'][folder]} of the second; keep the files of one" in message
    assert "is of the first, " in message
    assert "\n" not in message


def test_both_releases_in_one_folder_are_refused(tmp_path: Path) -> None:
    for release in RELEASES:
        write_nyud(tmp_path, release, num_train=4, num_val=1)
    with pytest.raises(
        InputError, match=r"segmentation/0000\.mat is of the first, segmentation/0000\.png of the second"
    ):
        NYUDMT(tmp_path)


def test_hidden_files_do_not_count(root: Path, pristine: tuple[Path, Release, dict[str, Written]]) -> None:
    other = ENDINGS["first" if pristine[1] == "second" else "second"]
    for folder, ending in other.items():
        (root / folder / f"._0000{ending}").write_bytes(b"")
    assert NYUDMT(root).release == pristine[1]


def test_a_folder_without_labels_is_named(root: Path) -> None:
    for path in (root / "depth").iterdir():
        path.rename(path.with_suffix(".tiff"))
    with pytest.raises(InputError, match=r"depth: has no labels for depth; they have to be \.mat or \.npy files"):
        NYUDMT(root)


@pytest.mark.parametrize("folder", ["images", "segmentation", "depth", "normals", "edge"])
def test_a_missing_and_a_truncated_file_are_named(
    root: Path, pristine: tuple[Path, Release, dict[str, Written]], folder: str
) -> None:
    source = NYUDMT(root)
    path = root / folder / f"0501{ENDINGS[pristine[1]].get(folder, '.jpg')}"
    intact = path.read_bytes()
    for length in (0, 10, 60, len(intact) // 2):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError) as raised:
            source.split("test")[1]
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(InputError, match=rf"{folder}/{path.name}: no such file"):
        source.split("test")[1]


FULL = np.zeros(SIZE, np.float32)


@pytest.mark.parametrize(
    ("folder", "key", "array", "message"),
    [
        ("segmentation", "segmentation", FULL + 41, "holds 41; classes are stored as 1 to 40, and 0 is ignored"),
        ("segmentation", "segmentation", FULL + 0.5, "holds 0.5; classes are stored as 1 to 40"),
        ("segmentation", "labels", FULL, "has no variable 'segmentation'; it holds labels"),
        ("segmentation", "segmentation", FULL[None], r"'segmentation' holds float32 of shape \[1, 24, 40\]"),
        ("segmentation", "segmentation", FULL[1:], "is 23 x 40 pixels, its picture 24 x 40"),
        ("depth", "depth", FULL[1:], "is 23 x 40 pixels, its picture 24 x 40"),
        ("depth", "depth", np.zeros((*SIZE, 2)), r"holds float64 of shape \[24, 40, 2\]; numbers \[H, W\] or "),
    ],
)
def test_variables_of_another_form_are_refused(
    tmp_path: Path, folder: str, key: str, array: np.ndarray, message: str
) -> None:
    write_nyud(tmp_path, "first", num_train=4, num_val=1)
    path = tmp_path / folder / "0500.mat"
    savemat(path, {key: array})
    with pytest.raises(InputError, match=message) as raised:
        NYUDMT(tmp_path).split("test")[0]
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("folder", "array", "message"),
    [
        ("edge", FULL + 2, "holds values from 2 to 2; edges are 0 to 1"),
        ("edge", FULL * np.nan, "holds values from nan to nan; edges are 0 to 1"),
        ("edge", FULL[:, 1:], "is 24 x 39 pixels, its picture 24 x 40"),
        ("normals", FULL, r"holds float32 of shape \[24, 40\]; numbers \[H, W, 3\] are needed"),
        ("depth", np.zeros((3, 4, 5, 6)), r"holds float64 of shape \[3, 4, 5, 6\]"),
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, folder: str, array: np.ndarray, message: str) -> None:
    write_nyud(tmp_path, "second", num_train=4, num_val=1)
    path = tmp_path / folder / "0500.npy"
    np.save(path, array)
    with pytest.raises(InputError, match=message) as raised:
        NYUDMT(tmp_path).split("test")[0]
    assert str(raised.value).startswith(f"{path}: ")


def test_wrong_lists_and_missing_folders_are_told_at_once(root: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder; it must be the folder NYUD_MT"):
        NYUDMT(root / "nowhere")
    (root / "gt_sets/val.txt").write_text("0000\n0500\n")
    with pytest.raises(InputError, match=r"train\.txt: 1 of its ids are for testing, too, such as '0000'"):
        NYUDMT(root)
    (root / "gt_sets/val.txt").unlink()
    with pytest.raises(InputError, match=r"gt_sets/val\.txt: no such file; it must list the ids of a split"):
        NYUDMT(root)
    shutil.rmtree(root / "images")
    with pytest.raises(InputError, match=r"images: no such folder"):
        NYUDMT(root)


def test_edges_weigh_as_published_and_the_error_of_depth_is_that_of_all_pixels() -> None:
    tasks = {task.name: task for task in nyud_tasks()}
    assert {name: (task.num_outputs, task.weight, task.metrics) for name, task in tasks.items()} == {
        "semseg": (40, 1, ("mean_iou",)),
        "depth": (1, 1, ("depth_rmse",)),
        "normals": (3, 10, ("mean_angle",)),
        "edge": (1, 50, ("ods_f",)),
    }
    edges = torch.tensor([[[[1.0, 0.0]]]])
    loss: Any = tasks["edge"].loss
    assert loss(torch.zeros_like(edges), edges).item() == pytest.approx(0.5 * np.log(2) * (0.8 + 0.2))
    assert loss(torch.tensor([[[[0.0, -99.0]]]]), edges).item() == pytest.approx(0.5 * np.log(2) * 0.8)
    # One picture with one known pixel, and another with three: their means would be (2 + 0) / 2.
    metric = METRICS["depth_rmse"](tasks["depth"])
    metric.update(torch.tensor([3.0, 9, 9, 9]).view(1, 1, 2, 2), torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2))
    metric.update(torch.full((1, 1, 2, 2), 1.0), torch.tensor([1.0, 1, 1, 0]).view(1, 1, 2, 2))
    assert metric.compute().item() == pytest.approx(1.0)
    metric.update(torch.full((1, 1, 2, 2), 3.0), torch.tensor([1.0, 1, 1, 1]).view(1, 1, 2, 2))
    assert metric.compute().item() == pytest.approx((20 / 8) ** 0.5)
