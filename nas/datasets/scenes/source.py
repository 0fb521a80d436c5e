"""The data source: rendered scenes in four splits, made when they are asked for or read from a cache."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nas.data.batch import SPLITS, Batch, Sample, SplitName, collate
from nas.data.pixels import PixelScale
from nas.datasets.cached_files import fingerprint
from nas.datasets.scenes.cache import SampleCache
from nas.datasets.scenes.classes import TASKS, SceneTask
from nas.datasets.scenes.layout import compose
from nas.datasets.scenes.render import Look, render
from nas.errors import InputError

_TRAINED_ON = ("train", "architecture")
_PIXELS_AT_ONCE = {"cpu": 2**15, "cuda": 2**21}
"""Number of pixels that are rendered together. On a CPU they fit into its caches, and one thread renders them, since
threads would wait for each other in such small operations. On a GPU they are enough to keep it busy."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Rooms and streets with tables, chairs, lamps, people, trees, cars and houses, rendered with exact labels.

    A sample is a picture [3, H, W] in [0, 1] (8 bits a channel) and the labels that `nas.datasets.scenes.labels`
    describes. It depends only on the settings (except ``sizes``), the split and the index: it has the same bits in
    every batch, on every device of the same kind. No two splits share a scene.

    Args:
        sizes: number of samples of each split; a split that is not listed is empty.
        image_size: height and width in pixels. The field of view is the width's.
        tasks: which of `TASKS` are labelled.
        seed: another seed gives other scenes.
        indoor: share of rooms; the rest are streets.
        num_objects: least and most things per scene (rugs, pictures, hanging lamps and roads come on top, and what
            finds no free place is left out).
        texture_noise: contrast of the noise on surfaces, 0 to 1.
        image_noise: standard deviation of the noise added to the picture.
        missing: per task the probability that a sample has no label; of "train" and "architecture" only.
        supersample: rays per pixel along each side, for the picture only; labels are those of the pixel's centre.
        device: where samples are made and returned.
        cache: a folder outside the repository for rendered samples; None renders them every time.
    """

    sizes: Mapping[SplitName, int] = field(
        default_factory=lambda: {"train": 1600, "architecture": 400, "validation": 200, "test": 400}
    )
    image_size: tuple[int, int] = (96, 96)
    tasks: Sequence[SceneTask] = TASKS
    seed: int = 0
    indoor: float = 0.5
    num_objects: tuple[int, int] = (4, 9)
    texture_noise: float = 0.5
    image_noise: float = 0.01
    missing: Mapping[SceneTask, float] = field(default_factory=dict)
    supersample: int = 1
    device: str | torch.device = "cpu"
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name, found in (("sizes", self.sizes), ("missing", self.missing), ("tasks", self.tasks)):
            known: Sequence[str] = SPLITS if name == "sizes" else TASKS
            unknown = sorted(set(found) - set(known))
            _require(not unknown, name, f"names of {', '.join(known)}", unknown)
        _require(all(size >= 0 for size in self.sizes.values()), "sizes", "numbers of at least 0", dict(self.sizes))
        _require(len(self.image_size) == 2 and min(self.image_size) >= 1, "image_size", "two sizes", self.image_size)
        _require(len(self.tasks) > 0, "tasks", "at least one task", self.tasks)
        least, most = self.num_objects
        _require(0 <= least <= most <= 40, "num_objects", "0 <= least <= most <= 40", self.num_objects)
        shares = {"indoor": self.indoor, "texture_noise": self.texture_noise}
        shares |= {f"missing[{task!r}]": share for task, share in self.missing.items()}
        for name, share in shares.items():
            _require(0 <= share <= 1, name, "a number in [0, 1]", share)
        _require(self.image_noise >= 0, "image_noise", "a number of at least 0", self.image_noise)
        _require(self.supersample >= 1, "supersample", "a whole number of at least 1", self.supersample)

    @property
    def pixel_scale(self) -> PixelScale:
        return PixelScale.unit(3)

    def split(self, name: SplitName) -> "SceneSplit":
        """The samples of a split.

        Raises:
            InputError: if there is no such split.
        """
        _require(name in SPLITS, "split", f"one of {', '.join(SPLITS)}", name)
        return SceneSplit(self, name)


def _require(holds: bool, name: str, rule: str, found: object) -> None:
    if not holds:
        raise InputError(f"Scenes: {name} must be {rule}; found {found!r}")


class SceneSplit:
    """A map-style data set of `Scenes`; faster in bulk."""

    def __init__(self, source: Scenes, name: SplitName) -> None:
        self._source = source
        self._name = name
        self._missing = dict(source.missing) if name in _TRAINED_ON else {}
        self._look = Look(*source.image_size, source.supersample, source.texture_noise, source.image_noise)
        self._device = torch.device(source.device)
        self._cache = None if source.cache is None else SampleCache(Path(source.cache) / self._fingerprint() / name)

    def __len__(self) -> int:
        return self._source.sizes.get(self._name, 0)

    def __getitem__(self, index: int) -> Sample:
        return self._samples([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        return collate(self._samples(indices))

    def _samples(self, indices: Sequence[int]) -> list[Sample]:
        for index in indices:
            if not 0 <= index < len(self):
                raise IndexError(f"sample {index} of {len(self)} in split {self._name}")
        found = {} if self._cache is None else {i: self._cache.get(i, self._device) for i in dict.fromkeys(indices)}
        samples = {index: sample for index, sample in found.items() if sample is not None}
        new = [index for index in dict.fromkeys(indices) if index not in samples]
        for index, sample in zip(new, self._rendered(new), strict=True):
            samples[index] = sample
            if self._cache is not None:
                self._cache.put(index, sample)
        return [samples[index] for index in indices]

    def _rendered(self, indices: Sequence[int]) -> list[Sample]:
        pixels = self._look.height * self._look.width * self._look.supersample**2
        chunk = max(1, _PIXELS_AT_ONCE.get(self._device.type, 2**15) // pixels)
        samples: list[Sample] = []
        for start in range(0, len(indices), chunk):
            some = indices[start : start + chunk]
            scenes = [compose(self._rng(i, "scene"), self._source.indoor, self._source.num_objects) for i in some]
            images, labels = render(scenes, self._look, self._device)
            samples += [
                (images[row], {task: labels[task][row] for task in self._labelled(index)})
                for row, index in enumerate(some)
            ]
        return samples

    def _labelled(self, index: int) -> list[SceneTask]:
        rng = self._rng(index, "missing")
        draws = {task: rng.random() for task in TASKS}
        return [task for task in self._source.tasks if draws[task] >= self._missing.get(task, 0.0)]

    def _rng(self, index: int, purpose: str) -> random.Random:
        # A text as a seed is hashed as a whole (SHA-512), so different splits, indices and seeds never collide.
        return random.Random(f"{self._source.seed}/{self._name}/{index}/{purpose}")

    def _fingerprint(self) -> str:
        source = self._source
        scene = [source.seed, source.indoor, list(source.num_objects), list(source.tasks), self._device.type]
        settings = [scene, self._missing, list(self._look), torch.__version__, np.__version__]
        return fingerprint(settings, Path(__file__).parent)
