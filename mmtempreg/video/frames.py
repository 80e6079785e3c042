"""The base of all videos, files or folders: frames in order, with their times and metadata."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

STEADY = 0.05
"""A frame is out of step if it comes this part of a frame's time earlier or later than the frame rate says."""

RATES = (0.1, 1000)
"""Frames per second that a video can have."""


class Metadata(NamedTuple):
    """Metadata of an image, as they stand in the file; empty if there are none.

    Attributes:
        icc: ICC profile of its RGB values.
        exif: EXIF data, with the orientation that the pixels have.
    """

    icc: bytes = b""
    exif: bytes = b""


class Frame(NamedTuple):
    """A frame.

    Attributes:
        image: (H, W, 3) RGB, uint8 or uint16 display values, or float32 linear radiance. Not multiplied by alpha.
        time: When it begins, in seconds from that of the first.
        alpha: (H, W) opacity, of the same type: 255 or 65535 hides what is behind. None: it is opaque.
        duration: Seconds that it is shown; None: until the next.
        metadata: Of an image.
    """

    image: np.ndarray
    time: Fraction
    alpha: np.ndarray | None = None
    duration: Fraction | None = None
    metadata: Metadata = Metadata()


class Appearance(NamedTuple):
    """Shape of the pixels and meaning of the colours, which a video made of another takes over.

    Attributes:
        pixel_aspect: Width of a pixel over its height.
        primaries, transfer: Codes of ISO 23091-2 for the colours of the primaries and for the curve; 1: BT.709.
    """

    pixel_aspect: Fraction = Fraction(1)
    primaries: int = 1
    transfer: int = 1


class FrameSource:
    """Frames in order; may be iterated again.

    Attributes:
        name: What it was opened by.
        size: (H, W) in pixels, the same for all frames.
        rate: Frames per second; the mean rate if it varies.
        num_frames: How many frames there are; None if the file does not say.
        appearance: What it says of its picture.
        notes: What was decided for want of information, mended, or cannot be kept, a sentence each. What shows only in
            later frames is added when they are read.
    """

    appearance: Appearance = Appearance()
    name: str
    size: tuple[int, int]
    rate: Fraction
    num_frames: int | None

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The name of its file or folder, without where that is."""
        return Path(self.name).resolve().name

    def count(self) -> int:
        """Counts the frames; goes through the file if it does not say."""
        return self.num_frames or sum(1 for _ in self)

    def note(self, text: str) -> None:
        """Adds what a user should know, once, with the name before it."""
        if (sentence := f"{self.name} {text}") not in self.notes:
            self.notes.append(sentence)


def checked_rate(rate: float | Fraction, what: str) -> Fraction:
    """A frame rate as a fraction.

    Raises:
        ValueError: If it is not within `RATES`: filters over time would hold one frame, or millions.
    """
    if not (math.isfinite(rate) and RATES[0] <= rate <= RATES[1]):
        raise ValueError(f"{what} must be in [{RATES[0]}, {RATES[1]}] frames per second, got {float(rate):g}")
    return Fraction(rate).limit_denominator(1001)


def check_steady(frames: Iterator[Frame], rate: Fraction, name: str) -> Iterator[Frame]:
    """Gives the same frames, and checks that their rate is even, as temporal filters need it.

    Raises:
        ValueError: If a frame is out of step with `rate`.
    """
    for index, frame in enumerate(frames):
        off = float(frame.time * rate - index)
        if abs(off) > STEADY + 0.001 * index:
            raise ValueError(
                f"{name}: frame {index} comes {abs(off):.2f} of a frame's time too {'late' if off > 0 else 'early'} "
                f"for {float(rate):.4g} frames per second: the frame rate varies. Convert it to a constant one, or "
                "give --fps to take its frames as evenly spaced"
            )
        yield frame
