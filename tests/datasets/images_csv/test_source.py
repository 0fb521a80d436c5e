"""A folder of pictures and a table, value for value, and what is said when something is wrong with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets.fixtures_photos import SPECIES, write_photos
from PIL import Image

from nas.data import SPLITS
from nas.data.augmentation import Resize
from nas.data.reading import read_rgb
from nas.datasets.images_csv import ImagesCsv
from nas.errors import InputError

TARGETS = ("species", "weight (g)", "ill", "outline")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos of trees")
    return root, write_photos(root)


@pytest.fixture
def folder(photos, tmp_path):
    return Path(shutil.copytree(photos[0], tmp_path / "photos"))


def change(folder, old, new):
    path = folder / "labels.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_tasks_are_inferred(photos):
    tasks = {task.name: task for task in ImagesCsv(photos[0], TARGETS).tasks}
    assert list(tasks) == ["species", "weight_g", "ill", "outline"]
    assert (tasks["species"].loss, tasks["species"].labels) == ("cross_entropy", SPECIES)
    assert (tasks["weight_g"].loss, tasks["weight_g"].num_outputs) == ("mse", 1)
    assert tasks["ill"].loss == "binary_cross_entropy"
    assert (tasks["outline"].loss, tasks["outline"].num_outputs, tasks["outline"].dense) == ("cross_entropy", 3, True)
    assert not tasks["species"].dense


def test_samples_are_those_of_the_files(photos):
    root, pixels = photos
    source = ImagesCsv(root, TARGETS, size=(20, 30))
    seen = []
    for name in SPLITS:
        for id, (image, labels) in zip(source.split(name).ids, source.split(name), strict=True):
            file = Path(id).name
            i = int(file.removesuffix(".png"))
            seen.append(i)
            assert (image.shape, image.dtype) == ((3, 20, 30), torch.float32)
            if i % 2:
                assert torch.equal((image * 255).round(), torch.tensor(pixels[file].transpose(2, 0, 1)).float())
            assert labels["species"] == i % 3
            assert labels["ill"].tolist() == [float(i % 2)]
            assert ("weight_g" in labels) == (i % 5 != 4)
            if "weight_g" in labels:
                assert labels["weight_g"].tolist() == [100.5 + i]
            assert ("outline" in labels) == (i % 4 != 3)
            if "outline" in labels:
                assert labels["outline"].tolist() == [[i % 3] * 30] * 10 + [[0] * 30] * 10
    assert sorted(seen) == list(range(60))


@pytest.mark.parametrize("keep_mib", [0, 64])
def test_samples_do_not_depend_on_what_is_kept(photos, keep_mib):
    source = ImagesCsv(photos[0], TARGETS, size=(16, 16), keep_mib=keep_mib)
    first, again = source.split("train")[0], source.split("train")[0]
    assert torch.equal(first[0], again[0])
    assert first[1].keys() == again[1].keys()
    first[1].clear()
    assert source.split("train")[0][1].keys() == again[1].keys()


def test_samples_are_kept_up_to_the_limit(folder):
    # A sample of 3 x 600 x 600 bytes is a little more than a MiB.
    for keep_mib, expected in ((0, 0), (2, 1), (64, 8)):
        source = ImagesCsv(folder, ["species"], size=(600, 600), keep_mib=keep_mib)
        train = source.split("train")
        before = [train[i][0] for i in range(8)]
        for path in (folder / "images").iterdir():
            Image.new("RGB", (30, 20)).save(path)
        unchanged = sum(torch.equal(train[i][0], image) for i, image in enumerate(before))
        assert unchanged == expected
        write_photos(folder)


def test_pixels_are_rounded_to_the_nearest_byte(photos):
    image, _ = ImagesCsv(photos[0], ["species"], size=(20, 30)).sample("images/0.png")
    exact, _ = Resize((20, 30))((read_rgb(photos[0] / "images" / "0.png")[0], {}), {})
    # Half a step of a byte, and rounding in single precision.
    assert (image - exact).abs().max() <= 0.5 / 255 + 1e-6


def test_masks_of_0_and_255_are_no_and_yes(folder):
    for path in (folder / "masks").iterdir():
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8)).save(path)
    source = ImagesCsv(folder, ["outline"], size=(20, 30))
    (task,) = source.tasks
    assert (task.loss, task.num_outputs, task.dense) == ("binary_cross_entropy", 1, True)
    label = source.sample("images/1.png")[1]["outline"]
    assert label.shape == (1, 20, 30)
    assert set(label.unique().tolist()) == {0.0, 1.0}


def test_the_classes_of_masks_may_be_named(folder):
    names = ["ground", "crown", "trunk", "bird"]
    source = ImagesCsv(folder, {"outline": names}, size=(20, 30))
    assert (source.tasks[0].num_outputs, source.tasks[0].labels) == (4, tuple(names))
    assert source.sample("images/1.png")[1]["outline"][0, 0] == 1
    with pytest.raises(InputError, match=r"2-mask\.png: holds 2; its masks hold 0 to 1, and 255 for no value"):
        ImagesCsv(folder, {"outline": names[:2]}, size=(20, 30)).sample("images/2.png")


def test_pixels_of_255_have_no_class(folder):
    path = folder / "masks" / "1-mask.png"
    mask = np.array(Image.open(path))
    mask[0, 0] = 255
    Image.fromarray(mask).save(path)
    source = ImagesCsv(folder, ["outline"], size=(20, 30))
    assert source.tasks[0].num_outputs == 3
    assert source.sample("images/1.png")[1]["outline"][0, 0] == 255


def test_a_letterbox_pads_without_labels(photos):
    source = ImagesCsv(photos[0], ["outline"], size=(30, 30), letterbox=True)
    image, labels = source.sample("images/1.png")
    assert image.shape == (3, 30, 30)
    assert (labels["outline"][:5] == 255).all()
    assert (labels["outline"][5:15] == 1).all()


def test_a_group_stays_in_one_split(photos):
    source = ImagesCsv(photos[0], ["species"], group="owner")
    owners = [{int(Path(id).stem) // 4 for id in source.split(name).ids} for name in SPLITS]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 15


def test_rows_can_be_edited_and_left_out(photos):
    def only_ash(row):
        return {**row, "heavy": "1" if (row["weight (g)"] or "0") > "130" else "0"} if row["species"] != "elm" else None

    source = ImagesCsv(photos[0], {"species": None, "heavy": "yes_no"}, edit=only_ash)
    assert source.tasks[0].labels == ("ash", "oak")
    assert sum(len(source.split(name)) for name in SPLITS) == 40


def test_errors_name_the_line_of_the_file_after_rows_were_left_out(folder):
    change(folder, "10.png,elm,110.5,no", "10.png,elm,110.5,maybe")
    with pytest.raises(InputError, match=r"labels\.csv, line 12: column 'ill' is 'maybe'"):
        ImagesCsv(folder, {"ill": "yes_no"}, edit=lambda row: None if row["species"] == "ash" else row)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"targets": []}, "`targets` names no column that is to be a task; its columns are file, species"),
        ({"targets": ["height"]}, "there is no column 'height'"),
        ({"targets": {"ill": "angle"}}, "is 'no', not a finite number"),
        ({"targets": {"species": "mask"}}, "ash of column 'species' is not in it"),
        ({"targets": ["ill"], "image": "outline"}, "column 'outline' names no picture"),
        ({"targets": ["ill"], "table": "other.csv"}, "other.csv: no such file"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(photos, arguments, words):
    with pytest.raises(InputError, match=words):
        ImagesCsv(photos[0], **arguments)


def test_a_missing_picture_names_its_line(folder):
    (folder / "images" / "7.png").unlink()
    with pytest.raises(InputError, match=r"7\.png: no such file; .*labels\.csv, line 9 names it in column 'file'"):
        ImagesCsv(folder, TARGETS)


def test_a_picture_named_twice_is_refused(folder):
    change(folder, "\n3.png,", "\n4.png,")
    with pytest.raises(InputError, match=r"two rows name the picture images/4\.png"):
        ImagesCsv(folder, ["species"])


def test_pictures_in_two_folders_are_refused(folder):
    shutil.copytree(folder / "images", folder / "thumbnails")
    with pytest.raises(InputError, match=r"is in several folders \(images, thumbnails\)"):
        ImagesCsv(folder, ["species"])


def test_damaged_pictures_and_masks_name_themselves(folder):
    path = folder / "images" / "1.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"images/1\.png: damaged"):
        ImagesCsv(folder, ["species"]).sample("images/1.png")
    Image.new("RGB", (30, 20)).save(folder / "masks" / "1-mask.png")
    with pytest.raises(InputError, match=r"1-mask\.png: is a picture of mode RGB; a mask has one number per pixel"):
        ImagesCsv(folder, ["outline"])


def test_masks_of_grey_levels_are_refused(folder):
    for path in (folder / "masks").iterdir():
        Image.fromarray((100 * np.array(Image.open(path))).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match="the masks of 'outline' hold 0, 100, 200; they must hold classes 0, 1, 2"):
        ImagesCsv(folder, ["outline"])


def test_a_mask_of_another_size_is_refused(folder):
    Image.new("L", (31, 20)).save(folder / "masks" / "1-mask.png")
    with pytest.raises(InputError, match=r"1-mask\.png: is 20 x 31 pixels, its picture 20 x 30"):
        ImagesCsv(folder, ["outline"]).sample("images/1.png")
