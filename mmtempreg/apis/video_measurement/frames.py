"""Frames of several videos side by side, and how measures see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...functional import white_of
from ...meters import DOMAINS, Picture
from ...meters.base import as_float, grey
from ...meters.domains import Domain, shown
from ...utils.ahead import ahead
from ...video import Frame, FrameSource
from ...video.frames import check_steady
from ...video.resized import ResizedFrames

CHANNELS = {"luminance": "log luminance", "rgb": "log", "ab": None}
"""Domain of display values -> that of radiance."""

GRID = 24
"""Pixels along either side of the grid that is remembered over time, for pictures."""

READ_AHEAD = 2
"""Frames of each video that are decoded while those before them are measured."""


def as_large(source: FrameSource, video: FrameSource) -> FrameSource:
    """Enlarges what a video was made of to its size.

    Raises:
        ValueError: If the video is no whole multiple of it.
    """
    if source.size == video.size:
        return source
    if not _enlarged(source, video):
        sizes = " and ".join(f"{width}x{height}" for height, width in (video.size, source.size))
        raise ValueError(f"{video.name} and {source.name} are of {sizes} pixels, which is no whole multiple")
    return ResizedFrames(source, video.size)


def common_rate(sources: Sequence[FrameSource]) -> Fraction:
    """The frame rate of all sources, which must be alike."""
    first = sources[0]
    for other in sources[1:]:
        pair = f"{first.name} and {other.name}"
        if first.size != other.size:
            sizes = " and ".join(f"{width}x{height}" for height, width in (first.size, other.size))
            hint = (
                "; if the first is what the second was made of: --no-reference --source"
                if _enlarged(first, other)
                else ""
            )
            raise ValueError(f"{pair} differ in size: {sizes} pixels{hint}")
        if abs(float(first.rate / other.rate) - 1) > 1e-3:  # 29.97 is written in several ways
            rates = f"{float(first.rate):.4g} and {float(other.rate):.4g}"
            raise ValueError(f"{pair} differ in frame rate: {rates}; --fps takes frame by frame")
        if None not in (first.num_frames, other.num_frames) and first.num_frames != other.num_frames:
            raise ValueError(f"{pair} differ in length: {first.num_frames} and {other.num_frames} frames")
    return first.rate


def _enlarged(first: FrameSource, other: FrameSource) -> bool:
    """True if the second has a whole multiple of the first's size."""
    (height, width), (h, w) = other.size, first.size
    return height > h and height % h == 0 and height // h * w == width


def together(sources: Sequence[FrameSource]) -> Iterator[list[Frame]]:
    """Frames of all sources side by side.

    Raises:
        ValueError: If they differ in size, frame rate or length.
    """
    rate = common_rate(sources)
    streams = [ahead(check_steady(iter(source), rate, source.name), READ_AHEAD) for source in sources]
    for count in range(10**9):
        frames = [next(stream, None) for stream in streams]
        present = [frame for frame in frames if frame is not None]
        if not present:
            return
        if len(present) < len(frames):
            short = next(s.name for s, frame in zip(sources, frames) if frame is None)
            long = next(s.name for s, frame in zip(sources, frames) if frame is not None)
            raise ValueError(f"{short} ends after {count} frames, {long} goes on: cut them to one length")
        for source, frame in zip(sources, present):
            if frame.alpha is not None and frame.alpha.min() < np.iinfo(frame.alpha.dtype).max:
                source.note("is measured without its transparency")
        yield present


class View(NamedTuple):
    """A frame as display values, RGB, and in the domain in which videos are compared."""

    shown: Picture
    value: Picture


def is_radiance(frame: Frame) -> bool:
    return frame.image.dtype == np.float32


def domain_of(frames: Sequence[Frame], channels: str) -> str:
    """The domain that frames of this kind are compared in."""
    if len({is_radiance(frame) for frame in frames}) > 1:
        raise ValueError("radiance (.hdr, .exr) cannot be compared with display values: tone-map it first")
    domain = CHANNELS[channels] if is_radiance(frames[0]) else channels
    if domain is None:
        raise ValueError(f"{channels} is of display values, not of radiance: tone-map it first")
    return domain


def view_of(image: np.ndarray, domain: Domain, stops: float) -> View:
    """Prepares an image (H, W, 3) for measures: RGB of 8 bits stays as it is, in a quarter of the memory."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    if domain.radiance:
        return View(Picture(shown(planes, True, stops)), Picture(domain.convert(planes)))
    picture = Picture(planes if white_of(image.dtype) == 255 else as_float(planes))
    if domain is DOMAINS["rgb"]:
        return View(picture, picture)
    return View(
        picture, picture.once(grey) if domain is DOMAINS["luminance"] else Picture(domain.convert(picture.floats()))
    )


def grid(size: tuple[int, int]) -> Tensor:
    """Indices of a grid of pixels in the flattened picture."""
    y, x = (((torch.arange(min(GRID, n)) + 0.5) * n / min(GRID, n)).long() for n in size)
    return (y[:, None] * size[1] + x[None, :]).flatten()
