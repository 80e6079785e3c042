"""Runs a model over a video: a file, a folder of frames, or a pattern.

Usage: python tools/process_video.py CONFIG CHECKPOINT INPUT OUTPUT [options]

With --original VIDEO the model is one of blind video consistency (configs/blind_consistency), INPUT is what an image
model has made of that VIDEO, and OUTPUT the same with less flicker.

INPUT is a video, an animated image, a folder, or a quoted pattern such as 'frames/*.png' (png, jpg, tif with 8 or 16
bits). OUTPUT is a video (.mp4, .mkv, .mov, .webm) or a folder. Frame times and sound stay. Models that predict radiance
write .exr frames into a folder, and a tone-mapped video. After Ctrl-C or an error what is done is kept as
OUTPUT.interrupted; into a folder --resume goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.choices import IMAGE_SUFFIXES, MATRICES
from mmtempreg.utils.command_line import COUNT, STOPS, Assignments, Parser, check_report, claim, run, say, tell, within
from mmtempreg.utils.shipped import shipped

if TYPE_CHECKING:
    from mmtempreg.video import FrameSource


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument(
        "--fps", type=float, help="frames per second of images; of a video: takes them as evenly spaced"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default: cpu)")
    parser.add_argument(
        "--half", action="store_true", help="half precision: float16 on a GPU, bfloat16 on a CPU that has it"
    )
    parser.add_argument("--batch-size", type=within("[1, 1024]", int), default=1)
    parser.add_argument("--original", metavar="VIDEO", help="what INPUT was made of, for blind video consistency")
    parser.add_argument(
        "--tile", type=within("[16, inf)", int), help="cut larger frames into tiles of this many pixels, to save memory"
    )
    parser.add_argument("--tile-overlap", type=COUNT, default=32)
    parser.add_argument(
        "--shifts",
        type=within("[1, 16]", int),
        default=1,
        help="mean over so many whole-pixel shifts: steadier without training, as many times as slow",
    )
    parser.add_argument("--codec", help="FFmpeg's encoder (default: libx264, libvpx-vp9 for .webm)")
    parser.add_argument("--crf", type=int, help="quality of the encoder, less is better (default: 16)")
    parser.add_argument(
        "--lossless", action="store_true", help="keep every value: FFV1 in .mkv, H.264 in .mp4 and .mov"
    )
    parser.add_argument("--no-audio", action="store_true", help="leave sound and text tracks out")
    parser.add_argument("--any-order", action="store_true", help="images need not be numbered without gaps")
    parser.add_argument("--input-color", choices=MATRICES, help="colour matrix of INPUT, whatever it says")
    parser.add_argument("--stream", type=COUNT, default=0, help="which of INPUT's picture tracks, from 0 (default: 0)")
    parser.add_argument(
        "--strict", action="store_true", help="refuse a damaged video, instead of going on past the damage"
    )
    parser.add_argument(
        "--suffix",
        choices=IMAGE_SUFFIXES,
        metavar="SUFFIX",
        help="images in a folder: .png, .jpg, .tif; .exr or .hdr for radiance",
    )
    parser.add_argument("--tone-mapped", metavar="VIDEO", help="for radiance in a folder: also a video of it")
    parser.add_argument("--stops", type=STOPS, default=0.0, help="exposure of what is tone-mapped (default: 0)")
    parser.add_argument(
        "--report", type=Path, help="measure what came out, and write a page (.html) with both videos, or a picture"
    )
    parser.add_argument(
        "--resume", action="store_true", help="into a folder: go on from OUTPUT.interrupted, if it is there"
    )
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, process)


def process(args: argparse.Namespace) -> None:
    """Checks what can be checked before the model is loaded, and runs it over the video."""
    from mmtempreg.video import open_frames, open_writer
    from mmtempreg.video.writer import check_options, files_of, is_folder

    source = open_frames(
        args.input, args.fps, any_order=args.any_order, color=args.input_color, stream=args.stream, strict=args.strict
    )
    tell(source.notes)
    check_report(args.report)
    outputs = [path for path in (args.output, args.tone_mapped) if path is not None]
    check_options(outputs, codec=args.codec, crf=args.crf, lossless=args.lossless, suffix=args.suffix)
    claim(
        args.report,
        *(path for path in outputs if not is_folder(path)),
        folders=[path for path in outputs if is_folder(path)],
        inputs=[args.config, args.checkpoint, args.input, args.original, *files_of(source)],
        overwrite=args.overwrite,
    )
    how: dict[str, Any] = dict(codec=args.codec, crf=args.crf, lossless=args.lossless)
    how |= dict(audio=not args.no_audio, overwrite=args.overwrite, resume=args.resume)
    for path in outputs:  # what is wrong with them is said before the model is loaded
        open_writer(path, source, suffix=args.suffix or frames_of(path), **how)
    from tqdm import tqdm

    from mmtempreg.apis import BlindConsistencyFilter, FrameModel, process_video
    from mmtempreg.openmmlab.configs import config_hash, read_config, type_name

    config = read_config(args.config, args.cfg_options)
    if (type_name(config.model) == "BlindConsistencyModel") != bool(args.original):
        raise ValueError("--original VIDEO goes with a config of BlindConsistencyModel, and with no other")
    if args.original and args.resume:
        raise ValueError("blind video consistency goes from frame to frame, not on amid them: leave out --resume")
    if args.original and (args.tile or args.half or args.shifts > 1):
        raise ValueError(
            "blind video consistency takes whole frames in full precision: leave out --tile, --half and --shifts"
        )
    if args.original:
        model = BlindConsistencyFilter(
            config, args.checkpoint, open_frames(args.original, args.fps), device=args.device
        )
    else:
        model = FrameModel(
            config,
            args.checkpoint,
            device=args.device,
            half=args.half,
            tile=args.tile,
            tile_overlap=args.tile_overlap,
            shifts=args.shifts,
        )
    done = process_video(
        model,
        source,
        args.output,
        tone_mapped=args.tone_mapped,
        stops=args.stops,
        batch_size=args.batch_size,
        suffix=args.suffix,
        progress=partial(tqdm, total=source.num_frames, unit="frame", dynamic_ncols=True),
        identity=identity(args, config_hash(config)),
        **how,
    )
    tell(done.notes)
    places = ", ".join(str(path) for path in done.outputs)
    say(f"{done.num_frames} frames in {done.seconds:.1f} s ({done.num_frames / done.seconds:.2f} per second): {places}")
    if args.report is not None:
        write_report(args, source, done.outputs)


def frames_of(folder: str) -> str:
    """The kind of frames that a folder holds: what a model of radiance has written can be written again."""
    return ".exr" if any(Path(folder).glob("*.exr")) else ".png"


def identity(args: argparse.Namespace, config: str) -> str:
    """Tells frames that were made otherwise from those that would be made now."""
    checkpoint = shipped(args.checkpoint)
    weights = hashlib.sha256(checkpoint.read_bytes()).hexdigest() if checkpoint.is_file() else args.checkpoint  # a URL
    how = (args.half, args.tile, args.tile_overlap, args.shifts, args.suffix, args.input_color, args.any_order)
    return hashlib.sha256(repr((Path(args.input).absolute(), config, weights, how)).encode()).hexdigest()


def write_report(args: argparse.Namespace, source: FrameSource, outputs: list[Path]) -> None:
    """Writes the report of the output, beside the input where these can be compared; there is no reference."""
    from tqdm import tqdm

    from mmtempreg.video import ResizedFrames, open_frames
    from mmtempreg.visualization import report_videos

    shown = outputs[-1]  # of radiance what is tone-mapped, if it was asked for
    made = open_frames(shown, None if shown.is_file() else source.rate)
    videos, notes = {"output": made}, []
    if is_radiance(made):
        notes = ["The input is left out: its display values do not compare with radiance; --tone-mapped VIDEO helps"]
    elif made.size == source.size:
        videos = {"input": source, **videos}
    else:
        videos = {"input, resized": ResizedFrames(source, made.size), **videos}
    progress = partial(tqdm, total=source.num_frames, unit="frame", desc="measuring", dynamic_ncols=True, leave=False)
    title = Path(args.input).resolve().name
    stops = args.stops if is_radiance(made) else 0.0  # what is tone-mapped has its exposure by now
    found = report_videos(args.report, videos, title=title, notes=notes, stops=stops, progress=progress)
    for note in (*notes, *found.notes()):
        say(note)
    say(args.report)


def is_radiance(frames: FrameSource) -> bool:
    """True of images of radiance."""
    from mmtempreg.video import FrameFiles
    from mmtempreg.video.image_files import HDR_SUFFIXES

    return frames.files[0].suffix.lower() in HDR_SUFFIXES if isinstance(frames, FrameFiles) else False


if __name__ == "__main__":
    main()
