"""The streaming S and R against the straightforward way: `scipy.ndimage.gaussian_filter1d` on the whole clip.

Usage: python -m benchmarks.smoothness [--sizes 128x128x200 1280x720x100 1920x1080x60] [--channels 3]

For each size, each way in a process of its own: the seconds that S and R of two clips take (making the frames is not
counted), and the peak memory that they need. Both compute in float32. Prints the ratio, and how far results differ.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from mmtempreg.functional import TemporalEnergyMeter
from mmtempreg.functional.temporal import SIGMA, TRUNCATE

FPS = 30.0


def frames(size: tuple[int, int, int], channels: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A moving random picture, and the same with flicker and noise: (C, H, W) float32 each."""
    width, height, count = size
    rng = np.random.default_rng(0)
    picture = rng.random((channels, height, width), np.float32)
    noise = 0.05 * rng.random((channels, height, width), np.float32)
    for t in range(count):
        truth = np.roll(picture, 2 * t, axis=2)
        yield truth, truth * np.float32(1 + 0.1 * rng.standard_normal()) + np.roll(noise, 7 * t, axis=1)


def streaming(size: tuple[int, int, int], channels: int) -> tuple[float, float, float, float]:
    """Seconds, peak MiB, S, R of `TemporalEnergyMeter`."""
    meter, seconds = TemporalEnergyMeter(FPS), 0.0
    before = _memory("VmRSS")
    for truth, video in frames(size, channels):
        start = time.perf_counter()
        meter.update(torch.from_numpy(truth), torch.from_numpy(video))
        seconds += time.perf_counter() - start
    start = time.perf_counter()
    energies = meter.finish()
    seconds += time.perf_counter() - start
    return seconds, _memory("VmHWM") - before, energies.smoothness, energies.residual


def whole(size: tuple[int, int, int], channels: int) -> tuple[float, float, float, float]:
    """Seconds, peak MiB, S, R of scipy's filter on the whole clips."""
    before = _memory("VmRSS")
    truth, video = (np.empty((size[2], channels, size[1], size[0]), np.float32) for _ in range(2))
    for t, pair in enumerate(frames(size, channels)):
        truth[t], video[t] = pair
    start = time.perf_counter()

    def highpass(v: np.ndarray) -> np.ndarray:
        return v - gaussian_filter1d(v, SIGMA * FPS, axis=0, mode="reflect", truncate=TRUNCATE)

    high_truth, high_video = highpass(truth), highpass(video)
    parts = (high_truth, high_video, high_video - high_truth)
    reference, own, error = (float(np.square(part).sum()) for part in parts)
    seconds = time.perf_counter() - start
    return seconds, _memory("VmHWM") - before, (reference / own) ** 0.5, (error / reference) ** 0.5


def _memory(name: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _size(text: str) -> tuple[int, int, int]:
    width, height, count = (int(part) for part in text.split("x"))
    return width, height, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = ["128x128x200", "1280x720x100", "1920x1080x60"]
    parser.add_argument("--sizes", nargs="+", type=_size, default=[_size(s) for s in sizes], help="WIDTHxHEIGHTxFRAMES")
    parser.add_argument("--channels", type=int, default=3)
    args = parser.parse_args()
    print(f"{args.channels} channels, {torch.get_num_threads()} threads")
    print("| clip | scipy [s] | streaming [s] | faster | scipy [MiB] | streaming [MiB] | difference of S, R |")
    print("|---" * 7 + "|", flush=True)
    for size in args.sizes:
        results = []
        for method in (whole, streaming):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                results.append(pool.submit(method, size, args.channels).result())
        (slow, much, *expected), (fast, little, *found) = results
        differences = ", ".join(f"{abs(a / b - 1):.0e}" for a, b in zip(found, expected))
        name = "{}x{}, {} frames".format(*size)
        print(
            f"| {name} | {slow:.2f} | {fast:.2f} | {slow / fast:.1f}x | {much:.0f} | {little:.0f} | {differences} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
