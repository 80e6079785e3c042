"""Draws a clip as several networks give it: some frames, and a line of pixels over time.

Usage: python -m experiments.plot_clips OUT NAME=VIDEO [NAME=VIDEO ...] [--frames N ...] [--line Y] [--overwrite]

What stands still is a vertical stripe in the line over time, what moves a slanted one; a horizontal stripe is a frame
that is brighter or darker than its neighbours.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import COUNT, Parser, claim, distinct, named, run

os.environ.setdefault("MPLBACKEND", "Agg")  # draws into files, whether there is a display or not


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+", type=named, metavar="NAME=VIDEO")
    parser.add_argument("--frames", nargs="+", type=COUNT, default=[0, 10, 20], metavar="N")
    parser.add_argument("--line", type=COUNT, metavar="Y", help="default: the middle")
    run(parser, plot)


def plot(args: argparse.Namespace) -> None:
    """Reads the videos and draws."""
    import matplotlib.pyplot as plt
    import numpy as np

    from mmtempreg.video import open_frames

    videos = distinct(args.videos)
    claim(args.output, inputs=videos.values(), overwrite=args.overwrite)
    columns = len(args.frames) + 1
    figure, axes = plt.subplots(
        len(videos), columns, figsize=(2.1 * columns, 2.3 * len(videos)), layout="constrained", squeeze=False
    )
    for row, (name, path) in zip(axes, videos.items()):
        clip = [frame.image for frame in open_frames(path)]
        if max(args.frames) >= len(clip):
            raise ValueError(f"{path} has {len(clip)} frames: there is no frame {max(args.frames)}")
        line = len(clip[0]) // 2 if args.line is None else args.line
        if line >= len(clip[0]):
            raise ValueError(f"{path} is {len(clip[0])} pixels high: there is no line {line}")
        for axis, number in zip(row, args.frames):
            axis.imshow(clip[number])
            axis.set_title(f"{name}, {number}" if number == args.frames[0] else str(number), fontsize="small")
        row[-1].imshow(np.stack([frame[line] for frame in clip]), aspect="auto", interpolation="nearest")
        row[-1].set_title(f"line {line} over time", fontsize="small")
        for axis in row:
            axis.axis("off")
    with replace_when_written(args.output) as partial:
        figure.savefig(partial, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
