"""The frame rate of `process_video` against that of the bare network, on the same frames.

Usage: python -m benchmarks.process_video [INPUT] [--rounds 3] [--frames 60] [--size 426 320] [--device cpu] [--half]
       [--config CONFIG] [--checkpoint CHECKPOINT]

The network is the shipped HDR baseline or that of CONFIG, the video INPUT or a pan over a photograph. The bare network
gets frames that lie in the device's memory already, in the same precision and memory format; `process_video` decodes,
runs and encodes (a tone-mapped .mp4). They take turns; printed is the median of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
import torch
from mmengine.config import Config

import mmtempreg  # noqa: F401, before MMagic is imported
from mmtempreg.allocator import keep_freed_memory
from mmtempreg.apis import FrameModel, process_video
from mmtempreg.video import Frame, VideoWriter, open_frames

ROOT = Path(__file__).resolve().parent.parent


class Speed(NamedTuple):
    """What was measured.

    Attributes:
        bare: Frames per second of the network alone.
        share: The frame rate of `process_video` over that, the median of the rounds.
    """

    bare: float
    share: float


def pan(path: Path, count: int, size: tuple[int, int] = (426, 320)) -> Path:
    """Writes a pan over a photograph, of (width, height)."""
    width, height = size
    scale = max(width / 426, height / 320)
    photo = cv2.resize(skimage.data.astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    top = round(100 * scale)
    with VideoWriter(path, 25) as writer:
        for t in range(count):
            writer.write(Frame(photo[top : top + height, t % 80 : t % 80 + width], Fraction(t, 25)))
    return path


def measure(model: FrameModel, path: Path, rounds: int) -> Speed:
    """The bare network and `process_video` on the same frames, in turns."""
    source = open_frames(path)
    images = [torch.from_numpy(f.image.transpose(2, 0, 1).astype(np.float32) / 255)[None] for f in source]
    model(images[0])
    held = [image.to(model.device) for image in images]
    half = torch.float16 if model.device.type == "cuda" else torch.bfloat16
    bare, ratios = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(model.device.type, dtype=half) if model.half else nullcontext():
            for image in held:
                model.model.generator(image)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        bare.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            done = process_video(model, source, Path(folder) / "out.mp4")
        ratios.append(bare[-1] / done.seconds)
    return Speed(len(images) / statistics.median(bare), statistics.median(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, nargs=2, default=[426, 320], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints" / "hdr_baseline.pth")
    args = parser.parse_args()
    keep_freed_memory()  # as the tool does
    model = FrameModel(Config.fromfile(args.config), str(args.checkpoint), args.device, args.half)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.mp4"
        if args.input is None:
            pan(path, args.frames, tuple(args.size))
        else:
            source = open_frames(args.input)
            with VideoWriter(path, source.rate) as writer:
                for frame in islice(source, args.frames):
                    writer.write(frame)
        size = "{1}x{0}".format(*open_frames(path).size)
        speed = measure(model, path, args.rounds)
    print(
        f"frames of {size} on {args.device}, {torch.get_num_threads()} threads"
        f"{', half precision' if args.half else ''}: bare network {speed.bare:.2f} frames per second"
    )
    print(f"process_video reaches {100 * speed.share:.1f} % of that (median of {args.rounds} rounds)")


if __name__ == "__main__":
    main()
