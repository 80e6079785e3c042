"""Times `tools/measure_video.py` beside another checkout of this repository: two videos and a reference.

Usage: python -m benchmarks.measure_video [--against CHECKOUT] [--size 1280x720] [--frames 24] [--rounds 1]

The commands of both are run in turn, each in a process of its own, on the same files. Seconds count from the start of
the command to its end, `start` is that of a clip of two frames; CPU seconds are those of all threads. Values are
compared to the last digit. Frames a second are those of all files, without the start. F is there with motion that is
estimated, and that is read from files of exact flow.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "F": ["F"],
    "F, known motion": ["F", "--flow"],
    "F K psnr": ["F", "K", "psnr"],
    "default": ["F", "K", "psnr", "S", "R", "warp_error", "ssim", "cdc"],
    "default and tof": ["F", "K", "psnr", "S", "R", "warp_error", "ssim", "tof", "cdc"],
}


def write_clips(folder: Path, width: int, height: int, count: int) -> list[str]:
    """A textured picture that moves by fractions of a pixel; the same with flickering light and noise; and blurred.

    Its flow lies beside them.
    """
    import cv2
    import numpy as np
    import torch

    from mmtempreg.video import Frame, VideoWriter
    from mmtempreg.video.flow_files import write_flow

    rng = np.random.default_rng(0)
    edge = (height + 64, width + 64 + 4 * count, 3)
    picture = sum(
        cv2.resize(rng.random((edge[0] // pitch + 2, edge[1] // pitch + 2, 3), np.float32), edge[1::-1]) / 3
        for pitch in (2, 9, 70)
    )
    names = ("truth", "flickering", "blurred")
    writers = {name: VideoWriter(folder / f"{name}.mp4", Fraction(24), crf=12, keep=False) for name in names}
    for writer in writers.values():
        writer.__enter__()
    (folder / "flow" / "backward").mkdir(parents=True)
    place = None
    for t in range(count):
        way = np.array([[1, 0, -3.4 * t], [0, 1, -16 - 8 * np.sin(t / 5)]], np.float32)
        then, place = place, torch.from_numpy(way[:, 2].copy())
        if then is not None:
            flow = (then - place).view(2, 1, 1).expand(2, height, width)
            write_flow(folder / "flow" / "backward" / f"{t:05}.flo", flow)
        truth = 255 * cv2.warpAffine(picture, way, (width, height), flags=cv2.INTER_CUBIC).clip(0, 1)
        noisy = truth * (1 + 0.04 * rng.standard_normal()) + 4 * rng.standard_normal(truth.shape, np.float32)
        for name, frame in zip(names, (truth, noisy, cv2.GaussianBlur(truth, (0, 0), 1.0))):
            writers[name].write(Frame(frame.clip(0, 255).astype(np.uint8), Fraction(t, 24)))
    for writer in writers.values():
        writer.__exit__(None, None, None)
    return [str(folder / f"{name}.mp4") for name in names]


class Cost(NamedTuple):
    """Cost of one command."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    values: dict[str, dict[str, float]]


def run(checkout: Path, videos: list[str], columns: list[str], folder: Path) -> Cost:
    """Runs the command of a checkout.

    Raises:
        RuntimeError: If it fails.
    """
    result = folder / "values.json"
    flow = ["--flow", str(folder / "flow")] if "--flow" in columns else []
    command = [sys.executable, "tools/measure_video.py", *videos, *flow, "--metrics"]
    command += [*(name for name in columns if name != "--flow"), "--json", str(result), "--overwrite"]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{checkout}: {error.decode()[-500:]}")
    values = json.loads(result.read_text())["videos"]
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, values)


def difference(one: Cost, other: Cost) -> float:
    """The largest relative difference of two values."""
    pairs = [
        (float(v), float(other.values[video][name])) for video, row in one.values.items() for name, v in row.items()
    ]
    return max(0.0 if a == b else abs(a - b) / max(abs(a), abs(b)) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--size", default="1280x720", metavar="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    args = parser.parse_args()

    import torch

    width, height = map(int, args.size.split("x"))
    checkouts = [ROOT] if args.against is None else [args.against.resolve(), ROOT]
    print(f"{args.size}, {args.frames} frames, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}")
    print("| columns | checkout | seconds | times | CPU seconds | times | frames/s | MiB | values differ by |")
    print("|---" * 9 + "|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "short").mkdir()
        short = write_clips(folder / "short", width, height, 2)
        videos = write_clips(folder, width, height, args.frames)
        starts: dict[Path, float] = {}
        cases = {"start": (short, ["psnr"]), **{title: (videos, COLUMNS[title]) for title in args.columns}}
        for title, (files, columns) in cases.items():
            costs: dict[Path, list[Cost]] = {checkout: [] for checkout in checkouts}
            for _ in range(args.rounds):
                for checkout in checkouts:
                    costs[checkout].append(run(checkout, files, columns, folder))
            first = costs[checkouts[0]]
            for checkout, found in costs.items():
                cells = [title, str(checkout)]
                for index in (0, 1):
                    own, before = (statistics.median(cost[index] for cost in one) for one in (found, first))
                    cells += [f"{own:.1f}", f"{before / own:.2f}x"]
                seconds = statistics.median(cost.seconds for cost in found)
                work = seconds - starts.setdefault(checkout, seconds)
                cells.append(f"{len(videos) * args.frames / work:.1f}" if work else "")
                cells += [f"{max(cost.peak_mib for cost in found):.0f}", f"{difference(found[0], first[0]):.0e}"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
