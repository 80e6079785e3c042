"""Frames of a video file, a folder or a pattern, in order and with their times, one at a time."""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation

from .image_files import IMAGE_SUFFIXES, read_image

STEADY = 0.05
"""A frame is out of step if it comes this part of a frame's time earlier or later than the frame rate says."""


RATES = (0.1, 1000)
"""Frames per second that a video can have."""

ACCURATE = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
"""How FFmpeg converts between RGB and YUV here. Its faster default darkens a 4:2:0 video by a level."""


class Frame(NamedTuple):
    """A frame.

    Attributes:
        image: (H, W, 3) RGB, uint8 or uint16 display values, or float32 linear radiance.
        time: When it begins, in seconds from that of the first.
    """

    image: np.ndarray
    time: Fraction


class FrameSource:
    """Frames in order; may be iterated again.

    Attributes:
        name: What it was opened by.
        size: (H, W) in pixels, the same for all frames.
        rate: Frames per second; the mean rate if it varies.
        num_frames: How many frames there are; None if the file does not say.
    """

    name: str
    size: tuple[int, int]
    rate: Fraction
    num_frames: int | None

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def count(self) -> int:
        """How many frames there are; goes through the file if it does not say."""
        return self.num_frames or sum(1 for _ in self)


def open_frames(path: str | Path, rate: float | Fraction | None = None) -> FrameSource:
    """Opens a video file, a folder of images, or a pattern such as `frames/*.png`.

    Args:
        path: Where the frames are. In a folder the images count, in natural order (2 before 10).
        rate: Frames per second. Needed for images, which do not tell; overrides a file's, whose frames are then
            taken to be evenly spaced.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it cannot be read, or for images: a frame is missing, sizes differ, no rate is given.
    """
    text = str(path)
    if rate is not None:
        rate = checked_rate(rate, "the frame rate")
    if Path(path).is_dir():
        files = [f for f in Path(path).iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
        if not files:
            raise FileNotFoundError(f"{path}: the folder holds no image ({', '.join(IMAGE_SUFFIXES)})")
        return FrameFiles(text, files, rate)
    if not Path(path).exists():
        if not glob.has_magic(text):
            raise FileNotFoundError(f"there is no file or folder {path}")
        files = [Path(name) for name in glob.glob(text)]
        if not files:
            raise FileNotFoundError(f"no file matches {path}")
        return FrameFiles(text, files, rate)
    if Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return FrameFiles(text, [Path(path)], rate)
    return VideoFile(path, rate)


def checked_rate(rate: float | Fraction, what: str) -> Fraction:
    """A frame rate as a fraction.

    Raises:
        ValueError: If it is not within `RATES`: filters over time would hold one frame, or millions.
    """
    if not (math.isfinite(rate) and RATES[0] <= rate <= RATES[1]):
        raise ValueError(f"{what} must be in [{RATES[0]}, {RATES[1]}] frames per second, got {float(rate):g}")
    return Fraction(rate).limit_denominator(1001)


# ---------------------------------------------------------------- images


def _natural_key(path: Path) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _check_numbering(files: Sequence[Path]) -> None:
    """Numbered frames must be numbered evenly.

    Raises:
        ValueError: If a number is missing; the message names it.
    """
    numbers = []
    for file in files:
        found = re.findall(r"\d+", file.stem)
        if not found:
            return
        numbers.append(int(found[-1]))
    stems = {re.sub(r"\d+(?=\D*$)", "#", file.stem) for file in files}
    steps = [b - a for a, b in pairwise(numbers)]
    if len(stems) > 1 or not steps:
        return  # not a numbered sequence
    step = min(steps)
    for before, after, gap in zip(files, files[1:], steps):
        if step < 1 or gap != step:
            raise ValueError(
                f"a frame is missing between {before} and {after.name}: "
                f"the others are numbered in steps of {step}, here it is {gap}"
            )


class FrameFiles(FrameSource):
    """Images as the frames of a clip.

    Args:
        name: What messages call it.
        files: Image files, in any order.
        rate: Frames per second.

    Raises:
        ValueError: If there is no rate, a frame is missing, or the first cannot be read; when iterated, if one cannot
            be read or differs from the first in size or type.
    """

    def __init__(self, name: str, files: Sequence[Path], rate: Fraction | None) -> None:
        if rate is None:
            raise ValueError(f"{name}: images do not tell their frame rate; give it (--fps)")
        self.name, self.rate = name, rate
        self.files = sorted(files, key=_natural_key)
        _check_numbering(self.files)
        first = read_image(self.files[0])
        self.size = (first.shape[0], first.shape[1])
        self.num_frames: int = len(self.files)
        self._dtype = first.dtype

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self.files):
            image = read_image(file)
            if image.shape[:2] != self.size or image.dtype != self._dtype:
                expected = f"{self.size[1]}x{self.size[0]} {self._dtype}"
                got = f"{image.shape[1]}x{image.shape[0]} {image.dtype}"
                raise ValueError(f"{file} is {got}, the frames before it {expected}")
            yield Frame(image, index / self.rate)


# ---------------------------------------------------------------- video files


class VideoFile(FrameSource):
    """A video file, whatever FFmpeg reads; rotated as it says.

    Args:
        path: The file.
        rate: Frames per second that its frames are taken to be evenly spaced by; None: their own times.

    Attributes:
        has_audio: Whether there is a sound track.
        start: Time of its first frame in the file, in seconds.

    Raises:
        ValueError: If it is not a video, or its first frame cannot be read. When iterated: if a frame is damaged, the
            file ends early, or the picture's size changes.
    """

    def __init__(self, path: str | Path, rate: Fraction | None = None) -> None:
        self.name, self.path, self._given_rate = str(path), Path(path), rate
        try:
            with av.open(self.name) as container:
                if not container.streams.video:
                    raise ValueError(f"{path} has no picture, only {[s.type for s in container.streams]}")
                stream = container.streams.video[0]
                self.has_audio = bool(container.streams.audio)
                self.num_frames = stream.frames or None
                first = next(container.decode(stream), None)
                own_rate = stream.average_rate or stream.guessed_rate
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f"{path} cannot be read as a video: {_reason(error)}") from error
        if first is None:
            raise ValueError(f"{path} holds no frame")
        known_rate = rate or own_rate
        if not known_rate:
            raise ValueError(f"{path} does not tell its frame rate; give it (--fps)")
        if not RATES[0] <= known_rate <= RATES[1]:
            raise ValueError(f"{path} tells a frame rate of {float(known_rate):g}, which cannot be: give it (--fps)")
        self.rate = known_rate
        self.size = _upright(first).shape[:2]
        self.start = _time(first) or Fraction(0)

    def __iter__(self) -> Iterator[Frame]:
        count = packets = 0
        end = Fraction(0)
        try:
            with av.open(self.name) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                stream.codec_context.options = {"err_detect": "explode"}  # or damage would be painted over
                for packet in container.demux(stream):
                    packets += packet.size > 0
                    for frame in packet.decode():
                        if frame.is_corrupt:
                            raise ValueError(f"{self.name}: frame {count} is damaged")
                        image = _upright(frame)
                        if image.shape[:2] != self.size:
                            raise ValueError(
                                f"{self.name}: frame {count} changes size from {self.size} to {image.shape[:2]}"
                            )
                        end = self._time_of(frame, count)
                        yield Frame(image, end)
                        count += 1
                self._check_complete(container, stream, count, packets, end)
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f"{self.name}: frame {count} cannot be read: {_reason(error)}") from error

    def count(self) -> int:
        if self.num_frames:
            return self.num_frames
        with av.open(self.name) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))  # without decoding them

    def _time_of(self, frame: Any, count: int) -> Fraction:
        if self._given_rate is not None:
            return count / self._given_rate
        time = _time(frame)
        if time is None:
            raise ValueError(f"{self.name}: frame {count} has no time; give the frame rate (--fps)")
        return time - self.start

    def _check_complete(self, container: Any, stream: Any, count: int, packets: int, end: Fraction) -> None:
        if packets < stream.frames:
            raise ValueError(f"{self.name} is cut off: {packets} of {stream.frames} frames are there")
        if stream.frames == 0 and container.duration and self._given_rate is None:
            stated, there = container.duration / av.time_base, float(end + 1 / self.rate)
            if there < stated - max(1.0, 0.05 * stated):  # sound may go on for a little
                raise ValueError(f"{self.name} is cut off: {there:.2f} of {stated:.2f} seconds are there")


def _time(frame: Any) -> Fraction | None:
    return None if frame.pts is None else frame.pts * frame.time_base


def _upright(frame: Any) -> np.ndarray:
    deep = max(component.bits for component in frame.format.components) > 8
    image = frame.to_ndarray(format="rgb48le" if deep else "rgb24", interpolation=ACCURATE)
    return np.ascontiguousarray(np.rot90(image, k=round(frame.rotation / 90) % 4))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def check_steady(frames: Iterator[Frame], rate: Fraction, name: str) -> Iterator[Frame]:
    """The same frames; an even frame rate is what temporal filters need.

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
