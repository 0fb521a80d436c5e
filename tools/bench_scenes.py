"""Measures how many labelled scenes per second the renderer makes.

    .venv/bin/python tools/bench_scenes.py [--samples 96] [--size 96] [--workers 2] [--device cpu]

By default one process renders with one thread; with `--workers`, a loader has that many processes, as in training.
Processor time is printed beside wall-clock time, since only the former is meaningful on a busy machine.
"""

import argparse
import time
from collections.abc import Iterable

import torch

from nas.data import Batch, batches
from nas.datasets.scenes import Scenes

BATCH = 16
WARM_UP = 2
"""Number of first batches of each process that are not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--supersample", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    skipped = WARM_UP * max(1, given.workers)
    for name, indoor in (("rooms", 1.0), ("streets", 0.0)):
        source = Scenes(
            sizes={"train": given.samples + skipped * BATCH},
            image_size=(given.size, given.size),
            indoor=indoor,
            supersample=given.supersample,
            device=given.device,
        )
        loader = batches(
            source.split("train"), BATCH, seed=0, epoch=0, shuffle=False, drop_last=True, num_workers=given.workers
        )
        count, wall, cpu = timed(loader, skipped, torch.device(given.device))
        own = "" if given.workers else f"   {1e3 * cpu / count:6.2f} ms processor time a sample"
        print(f"{name:8s} {count / wall:7.1f} samples/s{own}")


def timed(loader: Iterable[Batch], skipped: int, device: torch.device) -> tuple[int, float, float]:
    """Samples, wall-clock and processor seconds, without the first batches."""
    count, wall, cpu = 0, 0.0, 0.0
    for number, batch in enumerate(loader, start=1):
        if device.type == "cuda":
            torch.cuda.synchronize()
        if number == skipped:
            count, wall, cpu = 0, time.perf_counter(), time.process_time()
        else:
            count += len(batch.inputs)
    return count, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
