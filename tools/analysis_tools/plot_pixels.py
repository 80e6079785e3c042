"""Chosen pixels of videos over time, and heat maps of what changes from frame to frame in an enlarged region.

Usage: python tools/analysis_tools/plot_pixels.py OUTPUT.png NAME=VIDEO ... --pixels 120,80 200,40 [--frames 10 11 12]
       [--region X,Y,WIDTH,HEIGHT] [--channel {luminance,a,b}] [--overwrite]

A VIDEO is a file, a folder of frames, or a quoted pattern; the first is drawn as the reference.
"""

import argparse
from pathlib import Path

from mmtempreg.utils.choices import PIXEL_CHANNELS
from mmtempreg.utils.command_line import WHOLE, Parser, claim, distinct, named, numbers, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+", type=named, metavar="NAME=VIDEO")
    parser.add_argument("--pixels", nargs="+", type=numbers(2), default=[], metavar="X,Y")
    parser.add_argument("--frames", nargs="+", type=WHOLE, default=[], help="frames to show the change to, 1 at least")
    parser.add_argument("--region", type=numbers(4), metavar="X,Y,WIDTH,HEIGHT", help="what is enlarged (default: all)")
    parser.add_argument("--channel", choices=PIXEL_CHANNELS, default="luminance", help="what is drawn over time")
    parser.add_argument("--fps", type=float, help="frames per second of images")
    run(parser, plot)


def plot(args: argparse.Namespace) -> None:
    """Reads the videos and draws."""
    paths = distinct(args.videos)
    claim(args.output, inputs=paths.values(), overwrite=args.overwrite)
    from mmtempreg.video import open_frames
    from mmtempreg.visualization.pixel_plot import plot_pixels

    videos = {name: open_frames(path, args.fps) for name, path in paths.items()}
    plot_pixels(args.output, videos, args.pixels, region=args.region, frames=args.frames, channel=args.channel)
    say(args.output)


if __name__ == "__main__":
    main()
