"""The example of nas/data/README.md runs, from the files it reads to a search's first step."""

import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nas
from nas.data import SPLITS, NamedSource, batches
from nas.data.augmentation import Letterbox, resized
from nas.errors import InputError
from search_spaces import MobileNetV2

TEXT = (Path(nas.__file__).parent / "data" / "README.md").read_text()
ROWS = ("a.png,2,1.5", "b.png,,2", "c.png,0,", "d.png,,", "e.png,1,0.5")


def _photos() -> Any:
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "class Photos" in block]
    assert len([line for line in example.splitlines() if line]) <= 25
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(example, namespace)
    return namespace["photos"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for half, repeats in (("train", 12), ("test", 1)):
        (tmp_path / half).mkdir()
        (tmp_path / half / "labels.csv").write_text("file,kind,weight\n" + "\n".join(ROWS * repeats) + "\n")
        for name in "abcde":
            pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / half / f"{name}.png")
    return tmp_path


def test_the_example_reads_samples_and_leaves_out_labels_nobody_gave(folder: Path) -> None:
    source = _photos()(folder)
    sizes = {name: len(source.split(name)) for name in SPLITS}
    assert sizes == {"train": 42, "architecture": 12, "validation": 6, "test": 5}
    (batch,) = batches(source.split("test"), 5, seed=0, epoch=0, shuffle=False, drop_last=False)
    assert batch.present["kind"].tolist() == [True, False, True, False, True]
    assert batch.labels["kind"].tolist() == [2, 0, 1]
    assert batch.present["weight"].tolist() == [True, True, False, False, True]
    assert batch.labels["weight"].tolist() == [[1.5], [2.0], [0.5]]
    with Image.open(folder / "test" / "a.png") as picture:
        assert torch.equal(batch.inputs[0], torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255)


def _experiment(data: Any) -> nas.Experiment:
    return nas.Experiment(
        tasks=(
            nas.Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",)),
            nas.Task(name="weight", num_outputs=1, loss="mse", metrics=("rmse",)),
        ),
        backbone=nas.lazy(MobileNetV2, width=0.25, image_tasks=("kind", "weight")),
        data=data,
        input_shape=(3, 32, 32),
        strategy=nas.Similarity(batch_size=4, candidates="plain"),
        retrain=nas.TrainingSettings(batch_size=4),
        num_threads=1,
    )


def test_a_recipe_with_it_passes_the_check(folder: Path) -> None:
    report = nas.check(_experiment(nas.lazy(_photos(), folder=str(folder))))
    assert set(report.losses) == {"kind", "weight"}
    assert asdict(report.labels["test"]["kind"]) == {
        "coverage": 3 / 5,
        "known": 1.0,
        "min": 0,
        "max": 2,
        "balance": {"commonest": 1 / 3, "absent": 0},
        "chance": {"accuracy": 1 / 3, "loss": pytest.approx(math.log(3))},
    }


def test_photos_of_several_sizes_are_named_with_the_remedy(folder: Path) -> None:
    source = _photos()(folder)
    for half in ("train", "test"):
        Image.new("RGB", (40, 20)).save(folder / half / "b.png")
    order = {"seed": 0, "epoch": 0, "shuffle": True, "drop_last": False}
    words = r"input of sample \d+ of split 'train' \(.\.png\) has shape .*; .* by Resize or Letterbox"
    with pytest.raises(InputError, match=words):
        list(batches(NamedSource(source).split("train"), 8, **order))
    small = NamedSource(resized(source, Letterbox((32, 32)), kinds={"kind": "none", "weight": "none"}))
    for name in SPLITS:
        assert all(batch.inputs.shape[1:] == (3, 32, 32) for batch in batches(small.split(name), 8, **order))


def test_a_cut_photo_is_named(folder: Path) -> None:
    path = folder / "train" / "a.png"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"^data: OSError: .*; in sample \d+ of split '\w+' \(a\.png\)$"):
        nas.check(_experiment(nas.lazy(_photos(), folder=str(folder))))
