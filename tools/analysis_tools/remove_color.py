"""Takes the colour out of a video: what a colorization network is to bring back.

Usage: python tools/analysis_tools/remove_color.py INPUT OUTPUT [--fps F] [--overwrite]

INPUT is a video, a folder of frames, or a quoted pattern; OUTPUT a video or a folder. L of CIE Lab stays as it is.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from mmtempreg.utils.command_line import Parser, run

if TYPE_CHECKING:
    from torch import Tensor


def without_color(frames: Tensor) -> Tensor:
    """(N, 3, H, W) RGB in [0, 1] to the grey of the same lightness."""
    import torch

    from mmtempreg.functional import lab_to_rgb, rgb_to_lab

    lightness = rgb_to_lab(frames)[:, :1]
    return lab_to_rgb(torch.cat([lightness, torch.zeros_like(frames[:, 1:])], dim=1)).clamp(0, 1)


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--fps", type=float, help="frames per second of images")
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Reads, takes the colour away and writes."""
    from tqdm import tqdm

    from mmtempreg.apis import process_video
    from mmtempreg.video import open_frames

    source = open_frames(args.input, args.fps)
    progress = partial(tqdm, total=source.num_frames, unit="frame")
    process_video(without_color, source, args.output, overwrite=args.overwrite, progress=progress)


if __name__ == "__main__":
    main()
