"""Chosen pixels of videos over time, and heat maps of what changes from frame to frame in an enlarged region.

Usage: python tools/analysis_tools/plot_pixels.py OUTPUT.png NAME=VIDEO ... --pixels 120,80 200,40 [--frames 10 11 12]
       [--region X,Y,WIDTH,HEIGHT] [--channel {luminance,a,b}]

A VIDEO is a file, a folder of frames, or a quoted pattern; the first is drawn as the reference.
"""

import argparse
import sys
from pathlib import Path

from mmtempreg.video import open_frames
from mmtempreg.visualization.pixel_plot import CHANNELS, plot_pixels


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+", metavar="NAME=VIDEO")
    parser.add_argument("--pixels", nargs="+", type=numbers, default=[], metavar="X,Y")
    parser.add_argument("--frames", nargs="+", type=int, default=[], help="frames to show the change to, 1 at least")
    parser.add_argument("--region", type=numbers, metavar="X,Y,WIDTH,HEIGHT", help="what is enlarged (default: all)")
    parser.add_argument("--channel", choices=CHANNELS, default="luminance", help="what is drawn over time")
    parser.add_argument("--fps", type=float, help="frames per second of images")
    args = parser.parse_args()
    try:
        videos = {name: open_frames(path, args.fps) for name, path in (v.split("=", 1) for v in args.videos)}
        plot_pixels(args.output, videos, args.pixels, args.region, args.frames, args.channel)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(args.output)


if __name__ == "__main__":
    main()
