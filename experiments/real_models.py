"""Do published super-resolution networks get steadier, and stay as sharp? On real clips, and on pans over photographs.

Usage: python -m experiments.real_models CONFIG NAME=CHECKPOINT [NAME=CHECKPOINT ...] --videos FILE [FILE ...]
       --photographs FILE [FILE ...] [--num-frames 30] [--work-dir DIR] [--out FILE.json] [--vdp]
       [--picture FILE.png CLIP ...]

Each clip (its middle, HEIGHTxWIDTH pixels) is the truth; reduced by 4 it is what the networks see. Pans move a window
over a photograph by a fraction of a pixel a frame: their motion is exact; in clips it is estimated in the truth.
The first network is the one as it came: K is given against the truth and against it, and the excess, E_warp less the
truth's, as a share of its. EQ is that of the middle frame. What is done already is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, claim_work_dir, distinct, named, run, within

from .table import real_models_table

if TYPE_CHECKING:
    import numpy as np

    from mmtempreg.apis import FrameModel


os.environ.setdefault("MPLBACKEND", "Agg")  # draws into files, whether there is a display or not
RATE = 24
SCALE = 4
SIZE = (224, 288)
"""(H, W) of the truth."""


def clip_frames(path: Path, num_frames: int) -> Iterator[np.ndarray]:
    """The middle of the first frames of a video, (H, W, 3) uint8."""
    import numpy as np

    from mmtempreg.video import open_frames

    for number, frame in enumerate(open_frames(path, RATE)):
        if number == num_frames:
            return
        height, width = (min(a, b) // SCALE * SCALE for a, b in zip(frame.image.shape, SIZE))
        top, left = (frame.image.shape[0] - height) // 2, (frame.image.shape[1] - width) // 2
        yield np.ascontiguousarray(frame.image[top : top + height, left : left + width])


def pan_frames(path: Path, step: tuple[float, float], num_frames: int) -> Iterator[np.ndarray]:
    """A window that moves over a photograph, (H, W, 3) uint8; one that stands upright is laid on its side."""
    import numpy as np

    from mmtempreg.apis.steady.pictures import pan
    from mmtempreg.video.image_files import read_image

    image = read_image(path)
    image = image if image.shape[0] < image.shape[1] else np.rot90(image).copy()
    return pan(image, step, num_frames=num_frames, size=SIZE)


def write_clip(folder: Path, frames: Sequence[np.ndarray]) -> None:
    """The truth and the networks' input of a clip, as folders of frames."""
    import numpy as np

    from mmtempreg.datasets.photograph_twice import reduced
    from mmtempreg.video import Frame, FrameFolderWriter

    for kind in ("input", "truth"):
        with FrameFolderWriter(folder / kind, overwrite=True, keep=False) as writer:
            for number, frame in enumerate(frames):
                small = np.clip(np.rint(reduced(frame, SCALE)), 0, 255).astype(np.uint8)
                writer.write(Frame(small if kind == "input" else frame, Fraction(number, RATE)))


def write_pan_motion(folder: Path, step: tuple[float, float], num_frames: int) -> None:
    """The exact motion of a pan; unknown at the border, where it comes from outside."""
    import torch

    from mmtempreg.video.flow_files import write_flow

    flow = torch.zeros(2, *SIZE)
    flow[0], flow[1] = step
    flow[:, :8], flow[:, -8:], flow[:, :, :8], flow[:, :, -8:] = 1e10, 1e10, 1e10, 1e10
    (folder / "flow" / "backward").mkdir(parents=True, exist_ok=True)
    for number in range(1, num_frames):
        write_flow(folder / "flow" / "backward" / f"{number:06d}.flo", flow)


def run_network(model: FrameModel, folder: Path, name: str) -> None:
    """A network's video of a clip, and its EQ in a file beside it."""
    from mmtempreg.apis import measure_image_equivariance, process_video
    from mmtempreg.video import open_frames

    frames = open_frames(folder / "input", RATE)
    middle = folder / "input" / f"{(frames.num_frames or 0) // 2:06d}.png"
    equivariance = measure_image_equivariance(model, [middle], num_transforms=2)
    with replace_when_written(folder / f"{name}.json") as partial:
        partial.write_text(json.dumps(equivariance))
    process_video(model, frames, folder / name)


def measured(folder: Path, names: Sequence[str], vdp: bool) -> dict[str, dict[str, float]]:
    """The measures of each network's video of a clip, and those of the truth under the name 'truth'."""
    from mmtempreg.apis import measure_videos
    from mmtempreg.video import open_frames

    sources = {name: open_frames(folder / name, RATE) for name in names}
    flow = folder / "flow" if (folder / "flow").exists() else None
    metrics = ["F", "warp_error", "K", "K_true", "psnr", *(["vdp"] if vdp else [])]
    found = measure_videos(sources, open_frames(folder / "truth", RATE), metrics, "rgb", flow_folder=flow)
    kept = measure_videos(sources, open_frames(folder / names[0], RATE), ["K", "K_coarse"], "rgb")
    second = measure_videos(sources, open_frames(folder / "truth", RATE), ["F"], "rgb", flow_folder=flow, lag=1.0)
    values = {video.name: dict(video.values) for video in found.videos}
    for video in second.videos:
        equivariance = json.loads((folder / f"{video.name}.json").read_text())
        values[video.name]["EQ"] = equivariance["EQ"]
        if math.isfinite(video.values["F"]):  # the clip is longer than a second
            values[video.name]["F 1 s"] = video.values["F"]
    assert found.reference is not None
    floor = found.reference.values["warp_error"]
    for video in kept.videos:
        values[video.name]["K kept"] = video.values["K"]
        values[video.name]["K coarse kept"] = video.values["K_coarse"]
        own, came = (values[name]["warp_error"] - floor for name in (video.name, names[0]))
        values[video.name]["excess"] = own / came
    return {"truth": dict(warp_error=floor), **values}


def draw(folders: Sequence[Path], names: Sequence[str], output: Path) -> None:
    """A frame of each clip as it should be and as each network makes it, and where it changes along the motion."""
    import matplotlib.pyplot as plt
    import numpy as np

    from mmtempreg.apis import measure_videos
    from mmtempreg.video import open_frames

    figure, axes = plt.subplots(
        2 * len(folders), len(names) + 1, figsize=(3 * (len(names) + 1), 4.6 * len(folders)), layout="constrained"
    )
    for row, folder in enumerate(folders):
        sources = {name: open_frames(folder / name, RATE) for name in names}
        flow = folder / "flow" if (folder / "flow").exists() else None
        found = measure_videos(
            sources, open_frames(folder / "truth", RATE), ["warp_error", "K"], "rgb", flow_folder=flow
        )
        maps = [video.maps["warp_error"] for video in found.videos]
        top = float(np.nanquantile(maps[0], 0.995))
        for column, name in enumerate(("truth", *names)):
            pictures = axes[2 * row : 2 * row + 2, column]
            frames = list(open_frames(folder / name, RATE))
            pictures[0].imshow(frames[len(frames) // 2].image, interpolation="nearest")
            pictures[0].set_title(name)
            if column:
                pictures[1].imshow(maps[column - 1], vmin=0, vmax=top, cmap="inferno")
                pictures[1].set_title(f"K {found.videos[column - 1].values['K']:.2f}", fontsize="medium")
            for axis in pictures:
                axis.axis("off")
    with replace_when_written(output) as partial:
        figure.savefig(partial, dpi=100)
    plt.close(figure)


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config", help="of any of the checkpoints: the network is what counts")
    parser.add_argument(
        "checkpoints", nargs="+", type=named, metavar="NAME=CHECKPOINT", help="the network as it came first"
    )
    parser.add_argument("--videos", type=Path, nargs="+", default=[])
    parser.add_argument("--photographs", type=Path, nargs="+", default=[])
    parser.add_argument("--num-frames", type=within("[2, 1e6]", int), default=30, help="more than a second of them")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/real_models"))
    parser.add_argument("--out", type=Path, help="write the values of every clip")
    parser.add_argument("--picture", nargs="+", metavar="FILE CLIP", help="draw these clips (names without ending)")
    parser.add_argument("--vdp", action="store_true", help="ColorVideoVDP too (slow)")
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Makes the clips, runs the networks and measures."""
    from mmengine.config import Config
    from tqdm import tqdm

    from mmtempreg.apis import FrameModel
    from mmtempreg.apis.steady.pictures import STEPS

    checkpoints = distinct(args.checkpoints)
    read = [args.config, *checkpoints.values(), *args.videos, *args.photographs]
    claim(args.out, args.picture and args.picture[0], inputs=read, overwrite=args.overwrite)
    claim_work_dir(args.work_dir)
    config = Config.fromfile(args.config)
    config.model = config.model.model  # the teacher is for training
    clips: dict[str, Path] = {}
    for path in [*args.videos, *args.photographs]:
        clips[path.stem] = folder = args.work_dir / path.stem
        if (folder / "truth").exists():
            continue
        if path in args.videos:
            write_clip(folder, list(clip_frames(path, args.num_frames)))
        else:
            step = STEPS[args.photographs.index(path) % len(STEPS)]
            write_pan_motion(folder, step, args.num_frames)
            write_clip(folder, list(pan_frames(path, step, args.num_frames)))
    for name, checkpoint in checkpoints.items():
        model = None
        for folder in tqdm(clips.values(), desc=name, unit="clip"):
            if not (folder / name).exists():
                model = model or FrameModel(config, checkpoint)
                run_network(model, folder, name)
    values: dict[str, Any] = dict(networks=list(checkpoints), num_frames=args.num_frames, videos={}, pans={})
    for name, folder in tqdm(clips.items(), desc="measuring", unit="clip"):
        kind = "pans" if (folder / "flow").exists() else "videos"
        values[kind][name] = measured(folder, list(checkpoints), args.vdp)
    for kind in ("videos", "pans"):
        if values[kind]:
            print(f"\n{kind} ({len(values[kind])})\n\n{real_models_table(values, kind)}")
    if args.out:
        with replace_when_written(args.out) as partial:
            partial.write_text(json.dumps(values, indent=2))
    if args.picture:
        draw([args.work_dir / name for name in args.picture[1:]], list(checkpoints), Path(args.picture[0]))


if __name__ == "__main__":
    main()
