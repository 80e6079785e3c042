"""Shows what memory measuring videos takes: two videos and a reference, whose frames are made as they are read.

Usage: python -m benchmarks.measuring_memory [--size 1920x1080] [--frames 60 120 180 240] [--metrics F K ...]

One measurement of the longest clip, as `tools/measure_video.py` does it. Printed is, after each number of frames, the
most memory that the process has held until then, and what it holds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path


def memory(name: str) -> float:
    """MiB that this process holds (VmRSS), or has held at most (VmHWM)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measure(width: int, height: int, counts: list[int], metrics: list[str] | None) -> None:
    """Measures, and prints a row for each number of frames."""
    import numpy as np

    from mmtempreg.apis import measure_videos
    from mmtempreg.utils.allocator import keep_freed_memory
    from mmtempreg.video import Frame
    from mmtempreg.video.frames import FrameSource

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 200, (height + 2, width + 64, 3), np.uint8)

    class Pan(FrameSource):
        """A picture that moves to and fro, brighter in every other frame."""

        def __init__(self, name: str, brighter: int) -> None:
            super().__init__(name)
            self.size, self.rate, self.num_frames, self.brighter = (height, width), Fraction(24), max(counts), brighter

        def __iter__(self) -> Iterator[Frame]:
            for number in range(max(counts)):
                left = abs(number % 64 - 32)
                image = picture[1:-1, left : left + width] + np.uint8(self.brighter * (number % 2))
                yield Frame(image, Fraction(number, 24))

    keep_freed_memory()
    print("| frames | most MiB | MiB now |\n|---|---|---|", flush=True)
    done = 0

    def watch(_: object) -> None:
        nonlocal done
        done += 1
        if done in counts:
            print(f"| {done} | {memory('VmHWM'):.0f} | {memory('VmRSS'):.0f} |", flush=True)

    videos = {name: Pan(name, brighter) for name, brighter in (("steady", 1), ("flickering", 20))}
    measure_videos(videos, Pan("truth", 0), metrics, watch=watch)
    print(f"| the end | {memory('VmHWM'):.0f} | {memory('VmRSS'):.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1920x1080", metavar="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, nargs="+", default=[60, 120, 180, 240])
    parser.add_argument("--metrics", nargs="+", help="measures (default: those of measure_video)")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    measure(width, height, args.frames, args.metrics)


if __name__ == "__main__":
    main()
