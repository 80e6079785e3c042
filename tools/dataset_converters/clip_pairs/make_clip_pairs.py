"""Makes pairs of clips for blind video consistency: videos or moved photographs, and what an image model makes of them.

Usage: python tools/dataset_converters/clip_pairs/make_clip_pairs.py CONFIG CHECKPOINT OUT_DIR
       [--videos FOLDER] [--photographs FOLDER] [--num-frames 24] [--num-clips N] [--size 224] [--stops 0] [--name NAME]

Writes OUT_DIR/original/CLIP/ and OUT_DIR/processed/CLIP/ as .png frames, for `ClipPairDataset`. --photographs are moved
as a hand-held camera would, and OUT_DIR/flow/CLIP/ holds the exact flow of each frame to the one before. --videos come
as they are; their flow is estimated when they are read. What a model of HDR predicts is written as (H / 10)^(1/2.2),
clipped; --stops exposes what it sees longer, so that there is something to reconstruct. Clips that are there already
are left alone: give pairs of another model in the same folder another --name.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mmtempreg.utils.atomic_write import partial_path
from mmtempreg.utils.command_line import COUNT, STOPS, WHOLE, Assignments, Parser, claim_work_dir, run, within

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mmtempreg.apis import FrameModel

RATE = 24


def moved_photograph(path: Path, size: int, num_frames: int, seed: int) -> tuple[list[np.ndarray], list[Tensor]]:
    """Frames (size, size, 3) uint8 of a moving view of a photograph's middle, and the flow from each to the last."""
    import cv2
    import numpy as np
    import torch

    from mmtempreg.functional import to_pixels
    from mmtempreg.transforms import MOTIONS, ImageRange, RandomAffine, draw_generator, motion_between
    from mmtempreg.video import open_frames

    image = next(iter(open_frames(path, RATE))).image
    scale = 1.4 * size / min(image.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation)
    top, left = ((extent - size) // 2 for extent in image.shape[:2])
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()[None]
    pair = RandomAffine(scale=2)
    drawn = MOTIONS["wander"](pair, num_frames - 1, x, generator=draw_generator(seed, 0), image_range=ImageRange())
    window = (..., slice(top, top + size), slice(left, left + size))
    frames = [x, *(frame.apply_output(x) for frame in drawn)]
    shape = (x.shape[-2], x.shape[-1])
    flows = [motion_between(now, then, shape)[0].flow[window] for then, now in pairwise([None, *drawn])]
    return [to_pixels(f[window][0] / 255) for f in frames], flows


def video_frames(path: Path, size: int, num_frames: int) -> Iterator[np.ndarray]:
    """The first frames of a video, whose shorter edge becomes `size`, as uint8."""
    import cv2
    import numpy as np

    from mmtempreg.video import open_frames

    for number, frame in enumerate(open_frames(path, RATE)):
        if number == num_frames:
            return
        image = frame.image if frame.image.dtype == np.uint8 else np.round(frame.image / 257).astype(np.uint8)
        scale = size / min(image.shape[:2])
        yield cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def exposed(frame: np.ndarray, stops: float) -> np.ndarray:
    """A uint8 frame as if it had been exposed that much longer: it clips at white."""
    if stops == 0:
        return frame
    import torch

    from mmtempreg.functional import from_display, to_display, to_pixels

    return to_pixels(to_display(from_display(torch.from_numpy(frame).permute(2, 0, 1).float() / 255), stops))


def write_pair(
    out_dir: Path, clip: str, frames: Sequence[np.ndarray], flows: Sequence[Tensor], model: FrameModel
) -> None:
    """Writes the three folders; that of the processed frames, by which a clip is known, last."""
    import torch

    from mmtempreg.functional import RADIANCE_STOPS, to_display, to_pixels
    from mmtempreg.video import Frame, FrameFolderWriter
    from mmtempreg.video.flow_files import write_flow

    done = out_dir / "processed" / clip
    if done.exists():
        return
    partial = partial_path(out_dir / clip)
    try:
        with FrameFolderWriter(out_dir / "original" / clip, overwrite=True, keep=False) as writer:
            for number, frame in enumerate(frames):
                writer.write(Frame(frame, Fraction(number, RATE)))
        if flows:
            (out_dir / "flow" / clip).mkdir(parents=True, exist_ok=True)
        for number, flow in enumerate(flows, start=1):
            write_flow(out_dir / "flow" / clip / f"{number:06d}.flo", flow)
        with FrameFolderWriter(partial, overwrite=True, keep=False) as writer:
            for number, frame in enumerate(frames):
                out = model(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255)[0]
                display = to_display(out, RADIANCE_STOPS) if model.radiance else out
                writer.write(Frame(to_pixels(display), Fraction(number, RATE)))
        done.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(done)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--videos", type=Path, help="folder of video files or of folders of frames")
    parser.add_argument("--photographs", type=Path, help="folder of photographs")
    parser.add_argument("--num-frames", type=within("[2, 1e6]", int), default=24, help="of a clip")
    parser.add_argument("--num-clips", type=WHOLE, help="of each kind (default: all)")
    parser.add_argument("--size", type=within("[16, 65536]", int), default=224, help="shorter edge in pixels")
    parser.add_argument("--seed", type=COUNT, default=0, help="of the photographs' motion")
    parser.add_argument("--stops", type=STOPS, default=0.0, help="longer exposure of what the model sees")
    parser.add_argument("--name", default="", help="what the clips' names begin with")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Runs the model over all clips."""
    if not (args.videos or args.photographs):
        raise ValueError("name --videos, --photographs or both")
    claim_work_dir(args.out_dir)
    from tqdm import tqdm

    from mmtempreg.apis import FrameModel
    from mmtempreg.openmmlab.configs import read_config

    model = FrameModel(read_config(args.config, args.cfg_options), args.checkpoint)
    videos = sorted(args.videos.iterdir())[: args.num_clips] if args.videos else []
    for path in tqdm(videos, desc="videos"):
        frames = [exposed(frame, args.stops) for frame in video_frames(path, args.size, args.num_frames)]
        write_pair(args.out_dir, args.name + path.stem, frames, [], model)
    photographs = sorted(args.photographs.iterdir())[: args.num_clips] if args.photographs else []
    for index, path in enumerate(tqdm(photographs, desc="photographs")):
        frames, flows = moved_photograph(path, args.size, args.num_frames, args.seed + index)
        frames = [exposed(frame, args.stops) for frame in frames]
        write_pair(args.out_dir, args.name + path.stem, frames, flows, model)


if __name__ == "__main__":
    main()
