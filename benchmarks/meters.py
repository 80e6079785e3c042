"""Times measures of clips: S and R against `scipy.ndimage.gaussian_filter1d` on the whole clip, and F beside them.

Usage: python -m benchmarks.meters [--sizes 128x128x200 1280x720x100 1920x1080x60] [--channels 3]

For each size, each way in a process of its own: the seconds that the measures of two clips of 8 bits take (making the
frames is not counted), and the peak memory that they need. Prints how far S and R differ from scipy's.

scipy: float32 on the whole clips. S, R: streaming, of frames as float32, and as the 8 bits that they are. F: of 8 bits,
with known motion, and with motion that is estimated (both ways, as measure_video does; of luminance).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


FPS = 30.0


def frames(size: tuple[int, int, int], channels: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A moving random picture, and the same with flicker and noise: (C, H, W) uint8 each."""
    import numpy as np

    width, height, count = size
    rng = np.random.default_rng(0)
    picture = rng.random((channels, height, width), np.float32)
    noise = 0.05 * rng.random((channels, height, width), np.float32)
    for t in range(count):
        truth = 0.8 * np.roll(picture, 2 * t, axis=2)
        video = truth * np.float32(1 + 0.1 * rng.standard_normal()) + np.roll(noise, 7 * t, axis=1)
        yield tuple((255 * frame.clip(0, 1)).astype(np.uint8) for frame in (truth, video))  # type: ignore[misc]


def as_float32(frame: np.ndarray) -> np.ndarray:
    import numpy as np

    return frame.astype(np.float32) / np.float32(255)


def streaming(size: tuple[int, int, int], channels: int, eight_bits: bool = False) -> tuple[float, ...]:
    """Seconds, peak MiB, S, R of `TemporalEnergyMeter`."""
    import torch

    from mmtempreg.meters import ResidualMeter, SmoothnessMeter, TemporalEnergyMeter

    meter, seconds = TemporalEnergyMeter(FPS), 0.0
    before = _memory("VmRSS")
    for pair in frames(size, channels):
        truth, video = (torch.from_numpy(frame if eight_bits else as_float32(frame)) for frame in pair)
        start = time.perf_counter()
        meter.update(video, truth)
        seconds += time.perf_counter() - start
    start = time.perf_counter()
    sums = meter.finish()
    seconds += time.perf_counter() - start
    return seconds, _memory("VmHWM") - before, SmoothnessMeter.value(sums), ResidualMeter.value(sums)


def of_8_bits(size: tuple[int, int, int], channels: int) -> tuple[float, ...]:
    """Streams frames of 8 bits."""
    return streaming(size, channels, True)


def flicker(size: tuple[int, int, int], channels: int, estimated: bool = False) -> tuple[float, ...]:
    """Seconds, peak MiB, F."""
    import torch

    from mmtempreg.functional import Motion, estimate_motion
    from mmtempreg.meters import FlickerMeter

    meter, seconds = FlickerMeter(), 0.0
    before, then = _memory("VmRSS"), None
    known = Motion(torch.tensor([-2.0, 0.0]).view(2, 1, 1).expand(2, size[1], size[0]), torch.ones(1, size[1], size[0]))
    for truth, video in (map(torch.from_numpy, pair) for pair in frames(size, channels)):
        start = time.perf_counter()
        guide = truth[:1].float() / 255 if estimated else None
        motion = None if then is None else estimate_motion(guide, then[1]) if estimated else known
        meter.update(video, truth, motion=motion)
        then = truth, guide
        seconds += time.perf_counter() - start
    return seconds, _memory("VmHWM") - before, meter.value(meter.finish())


def flicker_estimated(size: tuple[int, int, int], channels: int) -> tuple[float, ...]:
    """Measures F with estimated motion."""
    return flicker(size, channels, True)


def whole(size: tuple[int, int, int], channels: int) -> tuple[float, ...]:
    """Seconds, peak MiB, S, R of scipy's filter on the whole clips."""
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    from mmtempreg.functional.temporal import SIGMA, TRUNCATE

    before = _memory("VmRSS")
    truth, video = (np.empty((size[2], channels, size[1], size[0]), np.float32) for _ in range(2))
    for t, pair in enumerate(frames(size, channels)):
        truth[t], video[t] = map(as_float32, pair)
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

    import torch

    print(f"{args.channels} channels, {torch.get_num_threads()} threads")
    print("| clips of | | seconds | frames/s | scipy's over it | MiB | S, R differ by |")
    print("|---" * 7 + "|", flush=True)
    ways = {"S, R: scipy": whole, "S, R: float32": streaming, "S, R: 8 bits": of_8_bits}
    ways |= {"F: known motion": flicker, "F: estimated motion": flicker_estimated}
    for size in args.sizes:
        name, results = "{}x{}, {} frames".format(*size), {}
        for title, way in ways.items():
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                results[title] = seconds, memory, *found = pool.submit(way, size, args.channels).result()
            slow, _, *expected = results["S, R: scipy"]
            differences = [f"{abs(a / b - 1):.0e}" for a, b in zip(found, expected)] if title.startswith("S") else []
            ratio = f"{slow / seconds:.1f}x" if title.startswith("S") else ""
            cells = [name, title, f"{seconds:.2f}", f"{size[2] / seconds:.1f}", ratio, f"{memory:.0f}"]
            print(f"| {' | '.join(cells)} | {', '.join(differences)} |", flush=True)


if __name__ == "__main__":
    main()
