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
from .orientation import Orientation, of_display_matrix

STEADY = 0.05
"""A frame is out of step if it comes this part of a frame's time earlier or later than the frame rate says."""


RATES = (0.1, 1000)
"""Frames per second that a video can have."""

CONVERSION_THREADS = 1
"""For colours. FFmpeg keeps its threads for the next picture, and a data loader's worker, a fork, would wait for those
that the process before it had."""

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


class Appearance(NamedTuple):
    """What a video says of its picture beside the values, and what is made of it should say too.

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
        notes: What was decided for want of information, or cannot be kept, a sentence each.
    """

    appearance: Appearance = Appearance()
    notes: Sequence[str] = ()
    name: str
    size: tuple[int, int]
    rate: Fraction
    num_frames: int | None

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def count(self) -> int:
        """How many frames there are; goes through the file if it does not say."""
        return self.num_frames or sum(1 for _ in self)


def open_frames(
    path: str | Path,
    rate: float | Fraction | None = None,
    any_order: bool = False,
    color: str | None = None,
) -> FrameSource:
    """Opens a video file, a folder of images, or a pattern such as `frames/*.png`.

    Args:
        path: Where the frames are. In a folder the images count, in natural order (2 before 10).
        rate: Frames per second. Needed for images, which do not tell; overrides a file's, whose frames are then
            taken to be evenly spaced.
        any_order: Images need not be numbered evenly: they are taken in natural order as they are.
        color: Colour matrix of a video, 'bt601' or 'bt709', whatever it says. None: as it says, and if it does not, as
            players do: BT.709 from 720 lines on, BT.601 below.

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
        return FrameFiles(text, files, rate, any_order)
    if not Path(path).exists():
        if not glob.has_magic(text):
            raise FileNotFoundError(f"there is no file or folder {path}")
        files = _matching(Path(path))
        if not files:
            raise FileNotFoundError(f"no file matches {path}")
        return FrameFiles(text, files, rate, any_order)
    if Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return FrameFiles(text, [Path(path)], rate, any_order)
    return VideoFile(path, rate, color)


def _matching(pattern: Path) -> list[Path]:
    """The files that match; folders whose names hold [ or * are taken as they are, if they are there."""
    folder = str(pattern.parent)
    if pattern.parent.is_dir():
        folder = glob.escape(folder)
    return [Path(name) for name in glob.glob(str(Path(folder) / pattern.name))]


def checked_rate(rate: float | Fraction, what: str) -> Fraction:
    """A frame rate as a fraction.

    Raises:
        ValueError: If it is not within `RATES`: filters over time would hold one frame, or millions.
    """
    if not (math.isfinite(rate) and RATES[0] <= rate <= RATES[1]):
        raise ValueError(f"{what} must be in [{RATES[0]}, {RATES[1]}] frames per second, got {float(rate):g}")
    return Fraction(rate).limit_denominator(1001)


# ---------------------------------------------------------------- images


NUMBER = re.compile(r"([0-9]+)", flags=re.ASCII)
LONGEST_NUMBER = 11
"""Digits of what still counts frames: longer ones are times, in nanoseconds or so."""


def _natural_key(path: Path) -> list[Any]:
    """2 before 10: numbers and what is between them, in turn."""
    return [int(part) if n % 2 else part for n, part in enumerate(NUMBER.split(str(path)))]


def _in_order(files: Sequence[Path]) -> list[Path]:
    """Natural order; names that are times (0.033) or count from below zero (f-1, f0, f1) by their value."""
    stems = [path.stem for path in files]
    if all(re.fullmatch(r"[0-9]+\.[0-9]+", stem, flags=re.ASCII) for stem in stems):
        return sorted(files, key=lambda path: float(path.stem))
    ends = [re.fullmatch(r"(.*?)(-?)([0-9]+)", stem, flags=re.ASCII | re.DOTALL) for stem in stems]
    if all(ends):
        signs = {(end[1], end[2]) for end in ends if end}
        if len({start for start, _ in signs}) == 1 < len(signs):  # a minus before some numbers only is one
            return [path for _, path in sorted((int(end[2] + end[3]), path) for end, path in zip(ends, files) if end)]
    return sorted(files, key=_natural_key)


def _check_numbering(files: Sequence[Path]) -> None:
    """Numbered frames must be numbered evenly.

    Raises:
        ValueError: If a number is missing or there twice; the message names it, and what helps.
    """
    numbers = []
    for file in files:
        found = NUMBER.findall(file.stem)
        if not found or len(found[-1]) > LONGEST_NUMBER or re.search(r"[0-9]\.[0-9]+$", file.stem, flags=re.ASCII):
            return
        numbers.append(int(found[-1]))
    stems = {re.sub(r"[0-9]+(?=[^0-9]*$)", "#", str(file.with_suffix("")), flags=re.ASCII) for file in files}
    if {"#"} == {stem[-1:] for stem in stems} and len(stems) == 2 and len({stem.rstrip("#-") for stem in stems}) == 1:
        return  # from below zero
    steps = [b - a for a, b in pairwise(numbers)]
    if len(stems) > 1 or not steps:
        return  # not a numbered sequence
    step = min(steps)
    for before, after, gap in zip(files, files[1:], steps):
        if gap == 0:
            raise ValueError(
                f"{before} and {after.name} have the same number: name one kind by a pattern, such as "
                f"'{before.parent}/*{before.suffix}', or take all as they are (--any-order)"
            )
        if gap != step:
            raise ValueError(
                f"a frame is missing between {before} and {after.name}: the others are numbered in steps of {step}, "
                f"here it is {gap}; --any-order takes them as they are"
            )


class FrameFiles(FrameSource):
    """Images as the frames of a clip.

    Args:
        name: What messages call it.
        files: Image files, in any order.
        rate: Frames per second.
        any_order: See `open_frames`.

    Raises:
        ValueError: If there is no rate, a frame is missing, or the first cannot be read; when iterated, if one cannot
            be read or differs from the first in size or type.
    """

    def __init__(self, name: str, files: Sequence[Path], rate: Fraction | None, any_order: bool = False) -> None:
        if rate is None:
            raise ValueError(f"{name}: images do not tell their frame rate; give it (--fps)")
        self.name, self.rate = name, rate
        self.files = _in_order(files)
        if not any_order:
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
    """A video file, whatever FFmpeg reads; turned and mirrored as it says.

    Args:
        path: The file.
        rate: Frames per second that its frames are taken to be evenly spaced by; None: their own times.
        color: See `open_frames`.

    Attributes:
        has_tracks: Whether there is sound or text beside the picture.
        start: Time of its first frame in the file, in seconds.

    Raises:
        ValueError: If it is not a video, its first frame cannot be read, or its colours are of high dynamic range (PQ,
            HLG), which a network of display values would wash out. When iterated: if a frame is damaged, the file ends
            early, or the picture's size changes.
    """

    def __init__(self, path: str | Path, rate: Fraction | None = None, color: str | None = None) -> None:
        if color not in (None, *MATRICES):
            raise ValueError(f"color must be one of {', '.join(MATRICES)} or None, got {color!r}")
        self.name, self.path, self._given_rate = str(path), Path(path), rate
        self._url = f"file:{path}"  # a name such as clip:1.mp4 would be taken for a protocol
        try:
            with av.open(self._url) as container:
                if not container.streams.video:
                    raise ValueError(f"{path} has no picture, only {[s.type for s in container.streams]}")
                stream = container.streams.video[0]
                self.has_tracks = bool(container.streams.audio or container.streams.subtitles)
                aspect = stream.sample_aspect_ratio
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
        self._matrix, notes = _matrix(self.name, first, color)
        self.size = self._upright(first).shape[:2]
        self.start = _time(first) or Fraction(0)
        if aspect and _orientation(first).transposed:
            aspect = 1 / aspect
        primaries, transfer = (int(value) for value in (first.color_primaries, first.color_trc))
        self.appearance = Appearance(
            aspect or Fraction(1), *(1 if value in UNSPECIFIED else value for value in (primaries, transfer))
        )
        if first.interlaced_frame:
            notes.append(
                f"{self.name} is interlaced: its combs stay, and the output is marked progressive; take them out "
                "first, as with ffmpeg -i IN -vf bwdif OUT"
            )
        self.notes = notes

    def __iter__(self) -> Iterator[Frame]:
        count = packets = 0
        end = Fraction(0)
        try:
            with av.open(self._url) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                stream.codec_context.options = {"err_detect": "explode"}  # or damage would be painted over
                for packet in container.demux(stream):
                    packets += packet.dts is not None or packet.size > 0  # AVI has packets without data: no new picture
                    for frame in packet.decode():
                        if frame.is_corrupt:
                            raise ValueError(f"{self.name}: frame {count} is damaged")
                        image = self._upright(frame)
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
        with av.open(self._url) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))  # without decoding them

    def _upright(self, frame: Any) -> np.ndarray:
        bits = max(component.bits for component in frame.format.components)
        deep = bits > 8
        image = frame.to_ndarray(
            format="rgb48le" if deep else "rgb24", interpolation=ACCURATE, src_colorspace=self._matrix,
            src_color_range=frame.color_range or None, threads=CONVERSION_THREADS,
        )  # fmt: skip
        if deep and self._matrix is not None:
            white = ((1 << bits) - 1) << (16 - bits) if frame.color_range == FULL_RANGE else WHITE_OF_16_BITS
            image = np.rint(image * np.float32(65535 / white)).clip(0, 65535).astype(np.uint16)
        return _orientation(frame).apply(image)

    def _time_of(self, frame: Any, count: int) -> Fraction:
        if self._given_rate is not None:
            return count / self._given_rate
        time = _time(frame)
        if time is None:
            raise ValueError(f"{self.name}: frame {count} has no time; give the frame rate (--fps)")
        return time - self.start

    def _check_complete(self, container: Any, stream: Any, count: int, packets: int, end: Fraction) -> None:
        if packets >= stream.frames > 0:
            return
        end = end if self._given_rate is None else count / self.rate
        stated, there = (container.duration or 0) / av.time_base, float(end + 1 / self.rate)
        # an edit list hides frames, and says how long what it shows is
        if stream.frames and there < stated - 1.5 / float(self.rate):
            raise ValueError(f"{self.name} is cut off: {packets} of {stream.frames} frames are there")
        if stated and self._given_rate is None and there < stated - max(1.0, 0.05 * stated):  # sound may go on a little
            raise ValueError(f"{self.name} is cut off: {there:.2f} of {stated:.2f} seconds are there")


def _time(frame: Any) -> Fraction | None:
    return None if frame.pts is None else frame.pts * frame.time_base


WHITE_OF_16_BITS = 65280
"""What FFmpeg makes of white when it turns more than 8 bits of YUV to RGB of 16 bits, and takes for white on the way
back: 255 x 256. In full range it is the largest value, shifted."""

FULL_RANGE = 2

MATRICES = {"bt601": 5, "bt709": 1}
"""Name of a colour matrix -> its code in ISO 23091-2."""

UNSPECIFIED = (0, 2)
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}


def _matrix(name: str, frame: Any, forced: str | None) -> tuple[int | None, list[str]]:
    """The code of the matrix that turns a video's frames to RGB, None for RGB itself, and what there is to say of it.

    Raises:
        ValueError: If it cannot be converted, or the video is of high dynamic range.
    """
    if curve := HIGH_DYNAMIC_RANGE.get(int(frame.color_trc)):
        raise ValueError(
            f"{name} is of high dynamic range ({curve}), and would look washed out: convert it first, as with ffmpeg "
            "-i IN -vf zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
            "zscale=t=bt709:m=bt709:r=tv,format=yuv420p OUT.mp4"
        )
    if frame.format.name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "pal8", "gray", "mono")):
        return None, []
    if forced:
        return MATRICES[forced], []
    code = int(frame.colorspace)
    if code in UNSPECIFIED:
        chosen = "bt709" if frame.height >= 720 else "bt601"
        note = f"{name} does not tell its colour matrix: taken for {chosen}, as players do (--input-color)"
        return MATRICES[chosen], [note]
    if code not in KNOWN_MATRICES:
        raise ValueError(
            f"{name} has the colour matrix {code} of ISO 23091-2, which cannot be converted: --input-color"
        )
    return code if code != 6 else 5, []  # SMPTE 170M is BT.601


def _orientation(frame: Any) -> Orientation:
    for side in (frame.side_data[i] for i in range(len(frame.side_data))):  # of PyAV 18 and 19
        if side.type.name == "DISPLAYMATRIX":
            return of_display_matrix(bytes(side))
    return Orientation()


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
