"""Puts videos into one, to look at: side by side, or as strips of one picture.

Usage: python tools/analysis_tools/compare_videos.py OUTPUT NAME=VIDEO [NAME=VIDEO ...] [--layout split-screen]
       [--overwrite]

A VIDEO is a file, a folder of frames, or a quoted pattern. All must have the same size and length. A split screen is
split where there is as much to see on either side: videos are read twice for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmtempreg.utils.choices import LAYOUTS
from mmtempreg.utils.command_line import Parser, claim, distinct, named, run, say, within

if TYPE_CHECKING:
    import numpy as np


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+", type=named, metavar="NAME=VIDEO")
    parser.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0])
    parser.add_argument(
        "--enlarge", type=within("[1, 64]", int), default=1, help="whole factor, without smoothing (default: 1)"
    )
    parser.add_argument("--fps", type=float, help="frames per second of images")
    run(parser, compare)


def compare(args: argparse.Namespace) -> None:
    """Puts the videos side by side."""
    videos = distinct(args.videos)
    claim(args.output, inputs=videos.values(), overwrite=args.overwrite)
    from tqdm import tqdm

    from mmtempreg.apis.video_measurement import together
    from mmtempreg.video import open_frames
    from mmtempreg.video.video_writer import SUFFIXES
    from mmtempreg.visualization.comparison_video import edges_by_change, write_comparison_video

    if args.output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{args.output}: videos end in {', '.join(SUFFIXES)}")
    sources = {name: open_frames(path, args.fps) for name, path in videos.items()}
    first = next(iter(sources.values()))

    def panels(doing: str) -> Iterator[dict[str, np.ndarray]]:
        for frames in tqdm(together(list(sources.values())), doing, first.num_frames, unit="frame"):
            yield {name: _eight_bits(frame.image) for name, frame in zip(sources, frames)}

    edges = edges_by_change(panels("looking")) if args.layout == "split-screen" else None
    write_comparison_video(
        args.output, panels("writing"), first.rate, enlarge=args.enlarge, layout=args.layout, edges=edges
    )
    say(args.output)


def _eight_bits(image: np.ndarray) -> np.ndarray:
    import numpy as np

    if image.dtype == np.float32:
        raise ValueError("radiance cannot be shown as it is: process_video --tone-mapped makes a video of it")
    return np.round(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image


if __name__ == "__main__":
    main()
