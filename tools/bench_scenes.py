"""How many labelled scenes a second the renderer makes.

    .venv/bin/python tools/bench_scenes.py [--samples 96] [--size 96] [--batch 16] [--threads 2] [--device cpu]

Prints wall-clock and processor time, since on a busy machine only the latter says what the renderer costs.
"""

import argparse
import time

import torch

from nas.data.scenes import Scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--supersample", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for name, indoor in (("rooms", 1.0), ("streets", 0.0), ("both", 0.5)):
        source = Scenes(
            sizes={"train": given.samples + given.batch},
            image_size=(given.size, given.size),
            indoor=indoor,
            supersample=given.supersample,
            device=given.device,
        )
        split = source.split("train")
        split.__getitems__(range(given.samples, given.samples + given.batch))  # warm-up
        _wait(given.device)
        wall, cpu = time.perf_counter(), time.process_time()
        for start in range(0, given.samples, given.batch):
            split.__getitems__(range(start, min(start + given.batch, given.samples)))
        _wait(given.device)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rate = given.samples / wall
        print(f"{name:8s} {rate:7.1f} samples/s   {1e3 * cpu / given.samples:6.2f} ms processor time a sample")


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
