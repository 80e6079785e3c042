"""Measures how much videos flicker: video files, folders of frames, or quoted patterns.

Usage: python tools/measure_video.py REFERENCE PROCESSED [PROCESSED ...] [options]
       python tools/measure_video.py --no-reference PROCESSED [PROCESSED ...] [options]

Prints a table: PSNR, SSIM, smoothness S, temporal residual R, warping error, tOF, colour distribution consistency, and
JOD of ColorVideoVDP (`vdp`) if it is asked for and installed. A video is named by its path, or as NAME=PATH. All must
have the same size, length and frame rate.
"""

import argparse
import csv
import io
import json
import math
import sys
from functools import partial
from pathlib import Path

from mmtempreg.video import open_frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="the reference, then what is to be measured")
    parser.add_argument("--no-reference", action="store_true", help="all videos are to be measured")
    parser.add_argument(
        "--metrics", nargs="+", metavar="NAME", help="psnr ssim S R warp_error tof cdc vdp (default: all but vdp)"
    )
    parser.add_argument("--channels", default="luminance", help="S, R, PSNR of luminance (default), rgb, or ab of Lab")
    parser.add_argument("--fps", type=float, help="frames per second of images; of videos: takes frame by frame")
    parser.add_argument(
        "--flow", metavar="FOLDER", help=".flo files of the exact flow, of the way back in FOLDER/backward"
    )
    parser.add_argument("--stops", type=float, default=0.0, help="exposure at which radiance is shown (default: 0)")
    parser.add_argument("--json", type=Path, help="write the values")
    parser.add_argument("--csv", type=Path, help="write the table")
    parser.add_argument("--report", type=Path, help="write a page (.html) or picture (.png, .pdf, .svg)")
    args = parser.parse_args()
    if len(args.videos) < 2 and not args.no_reference:
        parser.error("there must be a reference and a processed video, or --no-reference")

    try:
        measure(args)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def measure(args: argparse.Namespace) -> None:
    """Measures, prints, and writes what was asked for."""
    named = [(v, v) if "=" not in v or Path(v).exists() else v.split("=", 1) for v in args.videos]
    reference = None if args.no_reference else open_frames(named.pop(0)[1], args.fps)
    names = [name for name, _ in named]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{sorted(repeated)} is named twice: give names, as NAME=PATH")
    processed = {name: open_frames(path, args.fps) for name, path in named}
    from rich.console import Console
    from rich.table import Table
    from tqdm import tqdm

    from mmtempreg.apis import measure_videos

    total = next(iter(processed.values())).num_frames
    progress = partial(tqdm, total=total, unit="frame", dynamic_ncols=True, leave=False)
    found = measure_videos(
        processed, reference, args.metrics, args.channels, flow_folder=args.flow, stops=args.stops, progress=progress
    )
    from mmtempreg.fileio import replace_when_written

    headings, rows = found.table()
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if args.json:
        values = {
            video.name: {name: v if math.isfinite(v) else str(v) for name, v in video.values.items()}
            for video in found.videos
        }
        about = dict(fps=float(found.rate), num_frames=found.num_frames, size=found.size, channels=found.channels)
        with replace_when_written(args.json) as partial_path:
            partial_path.write_text(json.dumps(dict(about, videos=values), indent=2))
    if args.csv:
        buffer = io.StringIO()
        csv.writer(buffer).writerows([headings, *rows])
        with replace_when_written(args.csv) as partial_path:
            partial_path.write_text(buffer.getvalue())
    if args.report:
        from mmtempreg.visualization import write_report

        write_report(args.report, found)


if __name__ == "__main__":
    main()
