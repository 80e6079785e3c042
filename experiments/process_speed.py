"""The frame rate of `process_video` over that of the bare network, on the same frames."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmtempreg.apis import FrameModel


class Speed(NamedTuple):
    """Measured speed.

    Attributes:
        bare: Frames per second of the network alone.
        share: The frame rate of `process_video` over that, the median of the rounds.
    """

    bare: float
    share: float


def pan(path: Path, count: int, size: tuple[int, int] = (426, 320)) -> Path:
    """Writes a pan over a photograph, of (width, height)."""
    import cv2
    import skimage.data

    from mmtempreg.video import Frame, VideoWriter

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
    import numpy as np
    import torch

    from mmtempreg.apis import process_video
    from mmtempreg.video import open_frames

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
