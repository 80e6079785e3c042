"""Times programs on a CPU that keep the memory they have freed, or do not (`mmtempreg.utils.allocator`).

Usage: python -m benchmarks.kept_memory [--rounds 15] [--threads 1]

For each kind of work two new processes, of which one keeps it, take turns: training steps of `hdr_transinv_a0.8` on 8
crops of 64x64, and frames of 426x320 through the HDR baseline, in float32 and in bfloat16. Printed are medians, their
ratio, and the most memory that each process held.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import mmtempreg  # noqa: F401, before MMagic is imported
from benchmarks.training_speed import OPTIONS, Training, crops
from experiments.grid import ROOT
from mmtempreg.utils.allocator import keep_freed_memory

WARM_UP = 2
WORKS = [(kind, precision) for kind in ("training step", "frame") for precision in ("float32", "bfloat16")]


def work_of(kind: str, precision: str) -> Callable[[], Any]:
    """Work that is timed."""
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmtempreg.apis import FrameModel

    init_default_scope("mmagic")
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
    if kind == "frame":
        checkpoint, frame = str(ROOT / "checkpoints" / "hdr_baseline.pth"), torch.rand(1, 3, 320, 426)
        model = FrameModel(config, checkpoint, half=precision == "bfloat16")
        return lambda: model(frame)
    config.merge_from_dict(OPTIONS.get(precision, {}))
    training, data = Training(config), crops(16, 64)
    return lambda: training.step(data, 8)


def serve(connection: Connection, kept: bool, threads: int, kind: str, precision: str) -> None:
    """Works whenever it is told to, and says how many seconds it took and how many MiB it has held."""
    import torch

    if kept:
        keep_freed_memory()
    torch.set_num_threads(threads)
    work = work_of(kind, precision)
    while True:
        connection.send("ready")
        connection.recv()
        started = time.perf_counter()
        work()
        connection.send((time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if not keep_freed_memory():  # here it is only tried: each process has its own
        parser.error("memory cannot be kept here: no glibc, or a variable MALLOC_... is set")
    context = get_context("spawn")
    print("| | given back | kept | ratio | memory, given back | memory, kept |\n|---|---|---|---|---|---|")
    for kind, precision in WORKS:
        pipes = [context.Pipe() for _ in range(2)]
        options = (args.threads, kind, precision)
        processes = [
            context.Process(target=serve, args=(there, kept, *options), daemon=True)
            for kept, (_, there) in zip((False, True), pipes)
        ]
        for process in processes:
            process.start()
        seconds: list[list[float]] = [[], []]
        memory = [0.0, 0.0]
        for turn in range(args.rounds + WARM_UP):
            for side, (here, _) in enumerate(pipes):
                here.recv()
                here.send(None)
                taken, memory[side] = here.recv()
                if turn >= WARM_UP:
                    seconds[side].append(taken)
        for process in processes:
            process.terminate()
        back, kept = (statistics.median(values) for values in seconds)
        held = " | ".join(f"{value:.0f} MiB" for value in memory)
        print(f"| {kind}, {precision} | {back * 1e3:.0f} ms | {kept * 1e3:.0f} ms | {back / kept:.2f} | {held} |")


if __name__ == "__main__":
    main()
