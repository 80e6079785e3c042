"""The frame rate of `process_video` against that of the bare network, on the same frames.

Usage: python -m benchmarks.process_video [INPUT] [--rounds 3] [--frames 60]

The network is the shipped HDR baseline, the video INPUT or a pan over a photograph (426x320). The bare network gets
frames that are tensors in memory already; `process_video` decodes, runs and encodes (a tone-mapped .mp4). They take
turns; printed is the median of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import skimage.data
import torch
from mmengine.config import Config

import mmtempreg  # noqa: F401, before MMagic is imported
from mmtempreg.apis import FrameModel, process_video
from mmtempreg.video import Frame, VideoWriter, open_frames

ROOT = Path(__file__).resolve().parent.parent


def pan(path: Path, count: int) -> Path:
    """Writes a pan over a photograph."""
    photo = skimage.data.astronaut()
    with VideoWriter(path, 25) as writer:
        for t in range(count):
            writer.write(Frame(photo[100:420, t % 80 : t % 80 + 426], Fraction(t, 25)))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    args = parser.parse_args()
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
    model = FrameModel(config, str(ROOT / "checkpoints" / "hdr_baseline.pth"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.mp4"
        if args.input is None:
            pan(path, args.frames)
        else:
            source = open_frames(args.input)
            with VideoWriter(path, source.rate) as writer:
                for frame in islice(source, args.frames):
                    writer.write(frame)
        source = open_frames(path)
        images = [torch.from_numpy(f.image.transpose(2, 0, 1).astype(np.float32) / 255)[None] for f in source]
        model(images[0])
        bare, ratios = [], []
        for _ in range(args.rounds):
            start = time.perf_counter()
            with torch.no_grad():
                for image in images:
                    model.model.generator(image)
            bare.append(time.perf_counter() - start)
            done = process_video(model, source, Path(folder) / "out.mp4", overwrite=True)
            ratios.append(bare[-1] / done.seconds)
    rate = len(images) / statistics.median(bare)
    size = "{1}x{0}".format(*source.size)
    share = statistics.median(ratios)
    print(
        f"{len(images)} frames of {size}, {torch.get_num_threads()} threads: bare network {rate:.2f} frames per second"
    )
    print(f"process_video reaches {100 * share:.1f} % of that (median of {args.rounds} rounds)")


if __name__ == "__main__":
    main()
