"""Puts videos into one, to look at: side by side, or as strips of one picture.

Usage: python tools/analysis_tools/compare_videos.py OUTPUT NAME=VIDEO [NAME=VIDEO ...] [--layout split-screen]

A VIDEO is a file, a folder of frames, or a quoted pattern. All must have the same size and length.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmtempreg.video import open_frames
from mmtempreg.visualization.comparison_video import LAYOUTS, write_comparison_video


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+", metavar="NAME=VIDEO")
    parser.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0])
    parser.add_argument("--enlarge", type=int, default=1, help="whole factor, without smoothing (default: 1)")
    parser.add_argument("--fps", type=float, help="frames per second of images")
    args = parser.parse_args()
    try:
        sources = {name: open_frames(path, args.fps) for name, path in (v.split("=", 1) for v in args.videos)}
        first = next(iter(sources.values()))
        together = zip(*sources.values(), strict=True)
        panels = (
            {name: _eight_bits(frame.image) for name, frame in zip(sources, frames)}
            for frames in tqdm(together, total=first.num_frames, unit="frame")
        )
        write_comparison_video(args.output, panels, first.rate, args.enlarge, args.layout)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(args.output)


def _eight_bits(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.float32:
        raise ValueError("radiance cannot be shown as it is: process_video --tone-mapped makes a video of it")
    return np.round(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image


if __name__ == "__main__":
    main()
