"""Measures how much videos flicker: video files, folders of frames, or quoted patterns.

Usage: python tools/measure_video.py REFERENCE PROCESSED [PROCESSED ...] [options]
       python tools/measure_video.py --no-reference [--source VIDEO] PROCESSED [PROCESSED ...] [options]

Prints a table. First of all flicker F along the motion (1: as steady as the reference, above 1 it flickers), detail K
(1: as sharp, 0: a blur) and PSNR, which only say something together; then the others, see --metrics. A video is named
by its path, or as NAME=PATH; the reference's NAME is the title of the report. All must have the same size, length and
frame rate.

Without a reference the motion is that of --source, what the videos were made of (smaller by a whole factor if they were
enlarged), or else of the first video; K is detail compared with it: a blur is no better for changing less.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.choices import MATRICES
from mmtempreg.utils.command_line import (
    PAGE_VIDEO,
    STOPS,
    Parser,
    Results,
    check_report,
    claim,
    distinct,
    numbers,
    run,
    say,
    tell,
    within,
)

if TYPE_CHECKING:
    from mmtempreg.apis.video_measurement import Measurement

CHANNELS = ("luminance", "rgb", "ab")

METRICS = """metrics:
  F            flicker along the motion: 1 is as steady as the truth, above 1 flickers (near 1, needs a reference)
  K            fine detail kept: 1 is as sharp as the truth, 0 a blur, above 1 sharper or noisy (near 1, needs a reference)
  K_coarse     detail an octave coarser than K's, with periods of some 5 to 15 pixels (near 1, on request, needs a reference)
  K_true       the part of K that is the truth's detail; what K has more was invented, or is noise (near 1, on request, needs a reference)
  psnr         is it right? of all values of the clip that count (higher, needs a reference)
  S            the paper's smoothness, at a fixed pixel: above 1 smoother than the truth (near 1, needs a reference)
  R            fast changes of the error, at a fixed pixel: 0 is perfect, 1 what a frozen clip gets (lower, needs a reference)
  warp_error   change from frame to frame, along the motion (mean of squares) (lower)
  ssim         structural similarity of luminance, Wang et al. 2004 (higher, needs a reference)
  tof          how far do the optical flows differ, in pixels? (lower, on request, needs a reference)
  vdp          ColorVideoVDP: what people see on a 4K display; 10 is no difference (higher, on request, needs a reference)
  cdc          do the histograms of R, G and B stay the same? (lower)
  fast_changes root mean square of what changes fast, at a fixed pixel (lower)
"""  # noqa: E501
"""What `METERS` say of themselves, which takes torch to ask."""


def main() -> None:
    parser = Parser(__doc__, overwrite=True, epilog=METRICS)
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="the reference, then what is to be measured")
    parser.add_argument("--no-reference", action="store_true", help="all videos are to be measured")
    parser.add_argument("--source", metavar="VIDEO", help="without a reference: what the videos were made of")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="see below (default: all that need no asking)")
    parser.add_argument(
        "--channels", choices=CHANNELS, default="luminance", help="what is compared (default: luminance)"
    )
    parser.add_argument(
        "--lag",
        type=within("(0, 3600]"),
        help="seconds between the frames that F, E_warp and CDC compare (default: one frame)",
    )
    parser.add_argument("--fps", type=float, help="frames per second of images; of videos: takes frame by frame")
    parser.add_argument(
        "--flow",
        metavar="FOLDER",
        help="exact flow: .flo files to the frame before in FOLDER/backward (see docs/video.md)",
    )
    parser.add_argument("--stops", type=STOPS, default=0.0, help="exposure at which radiance is shown (default: 0)")
    parser.add_argument("--any-order", action="store_true", help="images need not be numbered without gaps")
    parser.add_argument("--input-color", choices=MATRICES, help="colour matrix of videos, whatever they say")
    parser.add_argument(
        "--strict", action="store_true", help="refuse damaged videos, instead of going on past the damage"
    )
    parser.add_argument("--json", type=Path, help="write the values")
    parser.add_argument("--csv", type=Path, help="write the table")
    parser.add_argument("--report", type=Path, help="write a page (.html) or picture (.png, .pdf, .svg)")
    parser.add_argument(
        "--assets", type=Path, metavar="FOLDER", help="of a page: its video, whole, in this folder instead of in it"
    )
    parser.add_argument(
        "--region", type=numbers(4), metavar="X,Y,WIDTH,HEIGHT", help="of a page: all pixels here over time"
    )
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Measures, prints, and writes what was asked for."""
    if len(args.videos) < 2 and not args.no_reference:
        raise ValueError("there must be a reference and a processed video, or --no-reference")
    named = [(v, v) if "=" not in v or Path(v).exists() else tuple(v.split("=", 1)) for v in args.videos]
    if args.source and not args.no_reference:
        raise ValueError("--source is for videos without a reference: give --no-reference too")
    check_report(args.report)
    if (args.assets or args.region) and (args.report is None or args.report.suffix.lower() != ".html"):
        raise ValueError("--assets and --region are of a page: give --report NAME.html")
    outputs = (args.json, args.csv, args.report, args.assets and args.assets / PAGE_VIDEO)
    claim(*outputs, inputs=[args.flow, args.source, *(video for _, video in named)], overwrite=args.overwrite)
    from mmtempreg.video import open_frames

    options = dict(rate=args.fps, any_order=args.any_order, color=args.input_color, strict=args.strict)
    title = None if named[0][0] == named[0][1] or args.no_reference else named[0][0]
    reference = None if args.no_reference else open_frames(named.pop(0)[1], **options)
    processed = {name: open_frames(path, **options) for name, path in distinct(named).items()}
    sources = [*([reference] if reference else []), *processed.values()]
    told = [note for source in sources for note in source.notes]
    tell(told)
    from tqdm import tqdm

    from mmtempreg.apis import measure_videos
    from mmtempreg.utils.tables import print_table

    total = next(iter(processed.values())).num_frames
    progress = partial(tqdm, total=total, unit="frame", dynamic_ncols=True, leave=False)
    how: dict[str, Any] = dict(
        metrics=args.metrics,
        channels=args.channels,
        flow_folder=args.flow,
        stops=args.stops,
        lag=args.lag,
        progress=progress,
        source=open_frames(args.source, **options) if args.source else None,
    )
    results = Results()
    with ExitStack() as stack:
        if args.report:
            from mmtempreg.visualization import Report

            report = stack.enter_context(
                Report(
                    args.report, sources, assets=args.assets, region=args.region, channels=args.channels, title=title
                )
            )
            how["watch"] = report.watch
        found = measure_videos(processed, reference, **how)
        results.write(args.json, lambda: write_json(args.json, found))
        results.write(args.csv, lambda: write_csv(args.csv, found))
        results.write("the table", lambda: print_table(*found.table()))
        results.write("the notes", lambda: [say(note) for note in found.notes()])
        results.write(args.report, lambda: report.write(found))
    tell(note for source in sources for note in source.notes if note not in told)
    results.finish()


def write_json(path: Path, found: Measurement) -> None:
    """Writes all values; what was not measured is null, and why is said."""
    about = dict(fps=float(found.rate), num_frames=found.num_frames, size=found.size, domain=found.domain)
    values = {video.name: {name: _json(value) for name, value in video.values.items()} for video in found.videos}
    reasons = {video.name: video.reasons for video in found.videos if video.reasons}
    own = {name: _json(value) for name, value in found.reference.values.items()} if found.reference else None
    content = dict(about, reference=own, videos=values, not_measured=reasons)
    with replace_when_written(path) as partial_path:
        partial_path.write_text(json.dumps(content, indent=2, allow_nan=False))


def write_csv(path: Path, found: Measurement) -> None:
    """Writes the table, with nothing in it that a spreadsheet would compute."""
    buffer = io.StringIO()
    headings, rows = found.table()
    csv.writer(buffer).writerows([[harmless(cell) for cell in row] for row in (headings, *rows)])
    with replace_when_written(path) as partial_path:
        partial_path.write_text(buffer.getvalue())


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe, numbers do not."""
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
    return cell


def _json(value: float) -> float | str | None:
    """JSON has no NaN and no infinity: what is not there is null."""
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


if __name__ == "__main__":
    main()
