"""Taskonomy in three layouts: every number against what the fixture wrote, and the messages about wrong files."""

import math
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from datasets.fixtures_taskonomy import BUILDINGS, COLUMNS, Arrays, write_buildings, write_lists
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas.data import SPLITS, Sample, collate
from nas.data.augmentation import Augmentation, Augmented, RandomFlip, RandomScale
from nas.datasets.dense_tasks import taskonomy_tasks
from nas.datasets.taskonomy import KINDS, TaskonomyBuildings, TaskonomyLists, to_linear_depth, to_log_depth
from nas.errors import InputError

Layout = Literal["by building", "by domain"]
LAYOUTS: tuple[Layout, ...] = ("by building", "by domain")
TASKS = ("semseg", "normals", "depth", "keypoints", "edge")


def _assert_decoded(sample: Sample, stored: Arrays) -> None:
    """The sample is what the arrays, by domain, stand for."""
    image, labels = sample
    assert torch.equal(image, torch.from_numpy(stored["rgb"].transpose(2, 0, 1)).float() / 255)
    assert list(labels) == list(TASKS)
    segments = stored["segment_semantic"].astype(int)
    assert labels["semseg"].tolist() == np.where(segments == 0, 255, segments - 1).tolist()
    d = stored["depth_zbuffer"].astype(np.float64)
    depth = np.where(d < 64_500, np.log(1 + d) / np.log(2**16), 0)
    vectors = 2 * stored["normal"].astype(np.float64) / 255 - 1
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[d >= 64_500] = 0
    expected = {
        "normals": vectors.transpose(2, 0, 1),
        "depth": depth[None],
        "keypoints": 2 * (np.clip(stored["keypoints2d"] / 2**16, 0, 0.005) / 0.005)[None] - 1,
        "edge": 2 * (np.clip(stored["edge_texture"] / 2**16, 0, 0.08) / 0.08)[None] - 1,
    }
    for task, numbers in expected.items():
        assert labels[task].dtype == torch.float32
        # Float32 against float64, of numbers up to 1.
        assert np.abs(labels[task].numpy() - numbers).max() < 1e-6, task


def test_the_borders_of_the_decodings_are_where_they_should_be(tmp_path: Path) -> None:
    write_lists(tmp_path)
    _, labels = TaskonomyLists(tmp_path).split("test")[0]
    assert labels["semseg"][0, :3].tolist() == [255, 0, 16]
    # 0, 64,499, 64,500, 65,535 and 32,768; the last one would be negative in 16 bits with a sign.
    expected = [0, math.log(64_500) / math.log(2**16), 0, 0, math.log(32_769) / math.log(2**16)]
    assert labels["depth"][0, 0, :5].tolist() == pytest.approx(expected, abs=1e-6)
    assert (labels["normals"][:, 0, :5] == 0).all(0).tolist() == [False, False, True, True, False]
    keypoints, edges = (labels[task][0, 0, :4].tolist() for task in ("keypoints", "edge"))
    assert keypoints == pytest.approx([-1, 2 * 327 / 2**16 / 0.005 - 1, 1, 1], abs=1e-6)
    assert edges == pytest.approx([-1, 2 * 5_242 / 2**16 / 0.08 - 1, 1, 1], abs=1e-6)


@pytest.mark.parametrize("below_halves", [False, True])
def test_lists_hold_what_was_written(tmp_path: Path, below_halves: bool) -> None:
    arrays = write_lists(tmp_path, below_halves=below_halves)
    source = TaskonomyLists(tmp_path)
    assert [len(source.split(name)) for name in SPLITS] == [5, 6, 1, 3]
    for name in SPLITS:
        half = "test/" if name == "test" else "train/"
        for id, sample in zip(source.split(name).ids, source.split(name), strict=True):
            picture = half + id if below_halves else id
            stored = {
                domain: arrays[
                    picture.replace("/rgb/", f"/{domain}/").replace(
                        "_rgb.", f"_{domain.replace('segment_semantic', 'segmentsemantic')}."
                    )
                ]
                for domain in COLUMNS
            }
            _assert_decoded(sample, stored)


def _stored(arrays: Arrays, id: str) -> Arrays:
    """The arrays of a sample of buildings by domain."""
    building, view = id.split("/")
    names = {domain: f"{view}_domain_{domain.replace('segment_semantic', 'segmentsemantic')}.png" for domain in COLUMNS}
    return {
        domain: next(
            arrays[path]
            for path in (f"{building}/{domain}/{name}", f"{domain}/taskonomy/{building}/{name}")
            if path in arrays
        )
        for domain, name in names.items()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_buildings_hold_what_was_written(tmp_path: Path, layout: Layout) -> None:
    arrays = write_buildings(tmp_path, layout)
    source = TaskonomyBuildings(tmp_path)
    seen = []
    for name in SPLITS:
        for id, sample in zip(source.split(name).ids, source.split(name), strict=True):
            seen.append(id)
            _assert_decoded(sample, _stored(arrays, id))
    views = ("point_0_view_0", "point_0_view_1", "point_1_view_0", "point_1_view_1")
    assert sorted(seen) == sorted(f"{name}/{view}" for names in BUILDINGS.values() for name in names for view in views)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_no_building_is_in_two_splits(tmp_path: Path, line_end: str) -> None:
    write_buildings(tmp_path, line_end=line_end)
    splits = TaskonomyBuildings(tmp_path).describe_splits()
    buildings = {name: {id.split("/")[0] for id in ids} for name, ids in splits.items()}
    assert list(buildings) == list(SPLITS)
    assert (buildings["validation"], buildings["test"]) == ({"darden"}, {"ihlen"})
    assert len(buildings["architecture"]) == 1
    assert buildings["train"] | buildings["architecture"] == set(BUILDINGS["train"])
    assert len(TaskonomyBuildings(tmp_path, architecture=0.6).split("architecture")) == 8
    found = {TaskonomyBuildings(tmp_path, seed=seed).split("architecture").ids for seed in range(8)}
    assert len(found) > 1


def test_a_picture_without_a_file_lacks_the_label(tmp_path: Path) -> None:
    write_buildings(tmp_path)
    (tmp_path / "ihlen/keypoints2d/point_0_view_0_domain_keypoints2d.png").unlink()
    (tmp_path / "ihlen/depth_zbuffer/point_0_view_1_domain_depth_zbuffer.png").unlink()
    test = TaskonomyBuildings(tmp_path).split("test")
    assert list(test[0][1]) == ["semseg", "normals", "depth", "edge"]
    # Normals are masked by the depth.
    assert list(test[1][1]) == ["semseg", "keypoints", "edge"]
    batch = collate([test[i] for i in range(3)])
    assert batch.present["depth"].tolist() == [True, False, True]
    (tmp_path / "ihlen/rgb/point_0_view_0_domain_rgb.png").unlink()
    assert len(TaskonomyBuildings(tmp_path).split("test")) == 3


def test_only_the_domains_of_the_tasks_are_needed(tmp_path: Path) -> None:
    write_buildings(tmp_path)
    for building in (name for names in BUILDINGS.values() for name in names):
        for domain in ("segment_semantic", "keypoints2d", "edge_texture"):
            shutil.rmtree(tmp_path / building / domain)
    source = TaskonomyBuildings(tmp_path, tasks=["normals"])
    assert list(source.split("test")[0][1]) == ["normals"]
    with pytest.raises(InputError, match=r"segment_semantic: no such folder; it must be the folder of segment_sem"):
        TaskonomyBuildings(tmp_path)
    shutil.rmtree(tmp_path / "ihlen/depth_zbuffer")
    with pytest.raises(InputError, match=r"ihlen/depth_zbuffer: no such folder; it must be the folder of depth_zbuff"):
        TaskonomyBuildings(tmp_path, tasks=["normals"])
    with pytest.raises(InputError, match="TaskonomyBuildings has no labels for curvature; its tasks are semseg, norm"):
        TaskonomyBuildings(tmp_path, tasks=["curvature"])


def test_hidden_files_and_other_names_are_passed_over(tmp_path: Path) -> None:
    write_buildings(tmp_path)
    for name in ("._point_0_view_0_domain_rgb.png", "view_domain_rgb.png", "point_9_view_9_domain_rgb.png.part"):
        (tmp_path / "ihlen/rgb" / name).write_bytes(b"")
    (tmp_path / "._train_val_test_tiny.csv").write_bytes(b"\0\5\26\7")
    assert len(TaskonomyBuildings(tmp_path).split("test")) == 4


TABLE = "id,train,val,test\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1 must be id,train,val,test; found nothing"),
        ("building,train,val,test\n", "line 1 must be id,train,val,test; found building,train"),
        (TABLE + "hanson,1,0\n", "line 2 must be a building and 0 or 1 for each split, with at most one 1"),
        (TABLE + "hanson,1,0,0\nmerom,1,1,0\n", "line 3 must be a building and 0 or 1 for each split"),
        (TABLE + "hanson,yes,0,0\n", "line 2 must be a building and 0 or 1"),
        (TABLE + "hanson,1,0,0\nhanson,0,1,0\n", "line 3: 'hanson' is there twice, or is not the name of a folder"),
        (TABLE + "../x,1,0,0\n", r"line 2: '\.\./x' is there twice, or is not the name of a folder"),
        (TABLE + "rosser,1,0,0\n", "none of its 1 buildings of 'train' is in .*; such as .*rosser/rgb"),
        (TABLE + "hanson,1,0,0\ndarden,0,1,0\nihlen,0,0,1\n", "1 ids are too few to take some of them for the split"),
        (TABLE + "hanson,1,0,0\nmerom,1,0,0\nihlen,0,0,1\n", "none of its 0 buildings of 'val'"),
    ],
)
def test_wrong_tables_are_told_at_once(tmp_path: Path, content: str, message: str) -> None:
    write_buildings(tmp_path, views=1)
    table = tmp_path / "train_val_test_tiny.csv"
    table.write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        TaskonomyBuildings(tmp_path)
    assert str(raised.value).startswith(str(table))
    assert "\n" not in str(raised.value)


def test_one_table_is_needed(tmp_path: Path) -> None:
    write_buildings(tmp_path, views=1)
    table = tmp_path / "train_val_test_tiny.csv"
    shutil.copy(table, tmp_path / "train_val_test_full.csv")
    with pytest.raises(
        InputError, match=r"must have one table .*; found train_val_test_full\.csv, train_val_test_tiny"
    ):
        TaskonomyBuildings(tmp_path)
    assert len(TaskonomyBuildings(tmp_path, split_file=table).split("test")) == 1
    table.unlink()
    with pytest.raises(InputError, match=r"train_val_test_tiny\.csv: no such file; it must list the buildings of each"):
        TaskonomyBuildings(tmp_path, split_file=table)
    with pytest.raises(InputError, match=r"nowhere: no such folder; it must be Taskonomy's data folder"):
        TaskonomyBuildings(tmp_path / "nowhere")


@pytest.mark.parametrize("domain", COLUMNS)
def test_a_missing_and_a_truncated_file_of_a_list_are_named(tmp_path: Path, domain: str) -> None:
    write_lists(tmp_path)
    source = TaskonomyLists(tmp_path)
    path = next((tmp_path / "test/scenetest1" / domain).glob("point_1_*"))
    intact = path.read_bytes()
    for length in (0, 10, 60):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError) as raised:
            source.split("test")[1]
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(InputError, match=rf"{domain}/point_1_view_0_domain_\w+\.png: no such file"):
        source.split("test")[1]


@pytest.mark.parametrize(
    ("domain", "array", "message"),
    [
        (
            "segment_semantic",
            np.full((8, 8), 18, np.uint8),
            "holds 18; classes are stored as 1 to 17, and 0 is ignored",
        ),
        ("segment_semantic", np.zeros((8, 9), np.uint8), "is 8 x 9 pixels, its picture 8 x 8"),
        ("normal", np.zeros((8, 8), np.uint8), "is a picture of mode L; its pixels have to be RGB"),
        ("depth_zbuffer", np.zeros((8, 8), np.uint8), "is a picture of mode L; its pixels have to be I;16 or I"),
        ("keypoints2d", np.zeros((8, 8, 3), np.uint8), "is a picture of mode RGB; its pixels have to be I;16 or I"),
        ("edge_texture", np.zeros((7, 8), np.uint16), "is 7 x 8 pixels, its picture 8 x 8"),
    ],
)
def test_pictures_of_another_form_are_refused(tmp_path: Path, domain: str, array: np.ndarray, message: str) -> None:
    write_lists(tmp_path)
    path = next((tmp_path / "test/scenetest0" / domain).glob("point_0_*"))
    Image.fromarray(array).save(path)
    with pytest.raises(InputError, match=message) as raised:
        TaskonomyLists(tmp_path).split("test")[0]
    assert str(raised.value).startswith(f"{path}: ")


@given(st.lists(st.integers(0, 64_499), min_size=1, max_size=20))
def test_logarithms_of_depths_can_be_undone(depths: list[int]) -> None:
    label = torch.tensor(depths, dtype=torch.float64) + 1
    sample = (torch.zeros(3, 1, 1), {"depth": label.log() / math.log(2**16), "edge": torch.ones(1)})
    linear = to_linear_depth(sample)
    assert linear[1]["depth"].tolist() == pytest.approx(depths, rel=1e-9, abs=1e-9)
    back = to_log_depth(linear)[1]
    assert torch.allclose(back["depth"], sample[1]["depth"], atol=1e-12)
    assert back["edge"] is sample[1]["edge"]
    without = (sample[0], {})
    assert to_log_depth(without) is without


def test_a_flip_negates_the_normals_x_and_a_scale_divides_the_depth(tmp_path: Path) -> None:
    arrays = write_lists(tmp_path)
    test = TaskonomyLists(tmp_path).split("test")
    plain = test[0][1]
    kinds: dict[str, Any] = {**KINDS, "depth": "depth"}
    zoom = Augmentation((to_linear_depth, RandomScale((2.0,)), to_log_depth, RandomFlip(1.0)), kinds)
    _, labels = Augmented(test, zoom)[0]
    small = {task: label[..., ::2, ::2].flip(-1) for task, label in labels.items()}
    assert torch.equal(small["normals"], plain["normals"] * torch.tensor([-1, 1, 1])[:, None, None])
    assert torch.equal(small["keypoints"], plain["keypoints"])
    stored = next(array for path, array in arrays.items() if path.startswith("test/scenetest0/depth_zbuffer/point_0"))
    d = stored.astype(np.float64)
    expected = np.where(d < 64_500, np.log(1 + d / 2) / np.log(2**16), 0)
    # The depth is restored from a float32 logarithm.
    assert np.abs(small["depth"][0].numpy() - expected).max() < 1e-5


def test_tasks_have_the_weights_of_adashare() -> None:
    tasks = {task.name: (task.num_outputs, task.weight) for task in taskonomy_tasks()}
    assert tasks == {"semseg": (17, 1), "normals": (3, 3), "depth": (1, 2), "keypoints": (1, 7), "edge": (1, 7)}
    assert tuple(tasks) == TASKS
