"""What a program gains on a CPU by keeping the memory that it has freed (`mmtempreg.allocator`).

Usage: python -m benchmarks.kept_memory [--rounds 15] [--threads 1]

Two processes, of which one keeps it, take turns at the same work: training steps of `hdr_transinv_a0.8` on 8 crops of
64x64, and frames of 426x320 through the HDR baseline, in float32 and in bfloat16. Printed are medians, their ratio, and
the most memory that each process held.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmtempreg  # noqa: F401, before MMagic is imported
from benchmarks.training_speed import ROWS, Training
from mmtempreg.allocator import keep_freed_memory
from mmtempreg.apis import FrameModel
from mmtempreg.experiments.grid import ROOT

WARM_UP = 2


def works(threads: int) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    from mmagic.registry import DATASETS

    init_default_scope("mmagic")
    torch.set_num_threads(threads)
    path = ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py"
    with tempfile.TemporaryDirectory() as folder:
        stills = dict(type="ProceduralHDRDataset", data_root=folder, num_images=16, size=64)
        data = DATASETS.build(dict(type="InMemoryDataset", dataset=stills))
    made: dict[str, Callable[[], Any]] = {}
    for name in ("float32", "bfloat16"):
        config = Config.fromfile(path)
        config.merge_from_dict(ROWS[name])
        made[f"training step, {name}"] = lambda training=Training(config): training.step(data, 8)
    frame = torch.rand(1, 3, 320, 426)
    for name, half in (("float32", False), ("bfloat16", True)):
        model = FrameModel(Config.fromfile(path), str(ROOT / "checkpoints" / "hdr_baseline.pth"), half=half)
        made[f"frame, {name}"] = lambda model=model: model(frame)
    return made


def serve(connection: Connection, kept: bool, threads: int) -> None:
    """Does the work that it is told by name and says how long it took; at last how many MiB it held."""
    if kept and not keep_freed_memory():
        raise SystemExit("memory cannot be kept here: no glibc, or a variable MALLOC_... is set")
    made = works(threads)
    connection.send(list(made))
    while name := connection.recv():
        started = time.perf_counter()
        made[name]()
        connection.send(time.perf_counter() - started)
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    context = get_context("spawn")
    sides = []
    for kept in (False, True):
        here, there = context.Pipe()
        context.Process(target=serve, args=(there, kept, args.threads), daemon=True).start()
        sides.append(here)
    names = [side.recv() for side in sides][0]
    print("| | given back | kept | ratio |\n|---|---|---|---|")
    for name in names:
        seconds: tuple[list[float], list[float]] = ([], [])
        for turn in range(args.rounds + WARM_UP):
            for side, taken in zip(sides, seconds):
                side.send(name)
                value = side.recv()
                if turn >= WARM_UP:
                    taken.append(value)
        back, kept_time = map(statistics.median, seconds)
        print(f"| {name} | {back * 1e3:.0f} ms | {kept_time * 1e3:.0f} ms | {back / kept_time:.2f} |")
    for side in sides:
        side.send("")
    back, kept_memory = (side.recv() for side in sides)
    print(f"| memory | {back:.0f} MiB | {kept_memory:.0f} MiB | {back / kept_memory:.2f} |")


if __name__ == "__main__":
    main()
