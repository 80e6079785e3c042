"""Frames of a video file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from .color_tags import (
    ACCURATE,
    CONVERSION_THREADS,
    FULL_RANGE,
    MATRICES,
    UNSPECIFIED,
    WHITE_OF_16_BITS,
    check_range,
    matrix_of,
    side_data,
)
from .frames import RATES, Appearance, Frame, FrameSource
from .orientation import Orientation, of_display_matrix

SIDE_DATA = {
    "STEREO3D": "says how two views lie in its picture (stereo 3D): the output will not say it",
    "SPHERICAL": "says how its picture lies on a sphere (360 degrees): the output will not say it",
}
"""Kinds of what comes with a frame that is not kept -> what there is to say."""

INTERLACED = (
    "is interlaced: its combs stay, and the output is marked progressive; take them out first, as with ffmpeg -i IN "
    "-vf bwdif OUT"
)

CROPPED = "says that its borders are to be cut off, which they are not: cut them first, as with ffmpeg -i IN OUT"

NOT_MOVING = Disposition.attached_pic | Disposition.timed_thumbnails


class VideoFile(FrameSource):
    """A video file, whatever FFmpeg reads; turned and mirrored as it says.

    Args:
        path: The file.
        rate: Frames per second that its frames are taken to be evenly spaced by; None: their own times. Of times that
            repeat or go back, a frame comes one frame's time after the one before, with a note.
        color, stream, strict: See `open_frames`.

    Attributes:
        has_tracks: Whether there is sound, text, a cover or the like beside the picture.
        has_cover: Whether there is a still picture that stands for it.
        metadata: What it says of itself: title, place, ...
        start: Time of its first frame in the file, in seconds.
        index: Of its picture's track in the file.

    Raises:
        ValueError: If it is not a video, its first frame cannot be read, or its colours are of high dynamic range (PQ,
            HLG), which a network of display values would wash out. When iterated: if the file ends early, the picture's
            size changes, or, with `strict`, a frame is damaged.
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction | None = None,
        *,
        color: str | None = None,
        stream: int = 0,
        strict: bool = False,
    ) -> None:
        super().__init__(str(path))
        if color not in (None, *MATRICES):
            raise ValueError(f"color must be one of {', '.join(MATRICES)} or None, got {color!r}")
        self.path, self._given_rate, self._color, self.strict = Path(path), rate, color, strict
        self._url = f"file:{path}"  # a name such as clip:1.mp4 would be taken for a protocol
        try:
            with av.open(self._url) as container:
                self.index = self._choose(container, stream)
                own: Any = container.streams[self.index]
                self.metadata = dict(container.metadata)
                self.has_cover = any(s.disposition & Disposition.attached_pic for s in container.streams.video)
                self.has_tracks = any(s.index != self.index and not is_metadata(s) for s in container.streams)
                aspect, self.num_frames = own.sample_aspect_ratio, own.frames or None
                self.rate = self._checked_rate(rate or own.average_rate or own.guessed_rate)
            first = next(self._decoded(tolerant=not strict), None)
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f"{path} cannot be read as a video: {_reason(error)}") from error
        if first is None:
            raise ValueError(f"{path} holds no frame that can be read")
        check_range(self.name, first)
        _, said = matrix_of(self.name, first, color)
        self.size = self._upright(first)[0].shape[:2]
        self.start = _time(first) or Fraction(0)
        if aspect and _orientation(first).transposed:
            aspect = 1 / aspect
        primaries, transfer = (int(value) for value in (first.color_primaries, first.color_trc))
        self.appearance = Appearance(
            aspect or Fraction(1), *(1 if value in UNSPECIFIED else value for value in (primaries, transfer))
        )
        kinds = side_data(first)
        notes = [said] + [about for kind, about in SIDE_DATA.items() if kind in kinds]
        notes += [INTERLACED] if first.interlaced_frame else []
        notes += [CROPPED] if _is_cropped(self.path) else []
        for text in filter(None, notes):
            self.note(text)

    def __iter__(self) -> Iterator[Frame]:
        previous: Fraction | None = None
        steady = True
        count = -1
        try:
            for count, frame in enumerate(self._whole()):
                image, alpha = self._upright(frame)
                if image.shape[:2] != self.size:
                    raise ValueError(f"{self.name}: frame {count} changes size from {self.size} to {image.shape[:2]}")
                time = self._time_of(frame, count)
                if previous is not None and time <= previous:
                    if steady:
                        self.note(
                            f"has times that repeat or go back, the first at frame {count}: such frames come one "
                            "frame's time after the one before (--fps spaces all evenly)"
                        )
                    steady = False
                    time = previous + 1 / self.rate
                previous = time
                own = Fraction(frame.duration or 0) * frame.time_base
                yield Frame(image, time, alpha, own if own and self._given_rate is None else 1 / self.rate)
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(
                f"{self.name}: frame {count + 1} cannot be read, it is damaged: {_reason(error)}"
            ) from error

    def count(self) -> int:
        if self.num_frames:
            return self.num_frames
        with av.open(self._url) as container:
            return sum(packet.size > 0 for packet in container.demux(container.streams[self.index]))  # undecoded

    def _choose(self, container: Any, number: int) -> int:
        """Index of the track with the picture that is asked for."""
        moving = [s for s in container.streams.video if not s.disposition & NOT_MOVING]
        if not moving:
            raise ValueError(
                f"{self.path} has no picture, only {[s.type for s in container.streams]} (covers do not count)"
            )
        if not 0 <= number < len(moving):
            raise ValueError(f"{self.path} has {len(moving)} picture tracks, from 0 on: there is no {number}")
        if len(moving) > 1:
            self.note(f"has {len(moving)} picture tracks, of which {number} is taken (--stream)")
        return moving[number].index

    def _checked_rate(self, rate: Fraction | None) -> Fraction:
        if not rate:
            raise ValueError(f"{self.path} does not tell its frame rate; give it (--fps)")
        if not RATES[0] <= rate <= RATES[1]:
            raise ValueError(f"{self.path} tells a frame rate of {float(rate):g}, which cannot be: give it (--fps)")
        return rate

    # ------------------------------------------------------------ damage

    def _whole(self) -> Iterator[Any]:
        """All frames. A decoder that refuses damage goes first; where it stops, one that paints over it goes on."""
        count = 0
        try:
            for frame in self._decoded(tolerant=False):
                yield frame
                count += 1
            return
        except av.error.FFmpegError:
            if self.strict:
                raise
        yield from islice(self._decoded(tolerant=True), count, None)

    def _decoded(self, tolerant: bool) -> Iterator[Any]:
        """Frames as FFmpeg has them; a tolerant one says at the end which of them are damaged."""
        count, packets, reached = 0, 0, Fraction(0)
        damaged: dict[int | None, int | None] = {}  # time of a packet -> number of its frame
        waiting: list[int] = []  # times of packets before there is a frame
        first: int | None = None
        with ExitStack() as stack:
            container = stack.enter_context(av.open(self._url))
            stream = container.streams[self.index]
            decode, witness = _decoder(stream), None
            if tolerant:
                other = stack.enter_context(av.open(self._url))
                witness = other.streams[self.index].codec_context
                witness.options, witness.thread_type = {"err_detect": "explode"}, "NONE"  # it names the packet
            else:
                stream.codec_context.options = {"err_detect": "explode"}
            for packet in container.demux():
                if packet.pts is not None:
                    reached = max(reached, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream.index != self.index:  # `stream_index` is 0 of the last, empty ones
                    continue
                packets += packet.dts is not None or packet.size > 0  # AVI has packets without data: no new picture
                if not packet.size and packet.dts is not None:
                    continue
                if first is None and packet.pts is not None and not packet.is_discard:
                    waiting.append(packet.pts)
                if witness is not None and packet.size and _fails(witness, packet):
                    damaged[packet.pts] = None
                try:
                    frames = decode(packet)
                except av.error.FFmpegError:
                    if not tolerant:
                        raise
                    continue
                for frame in frames:
                    first = frame.pts if first is None else first
                    if frame.is_corrupt and not tolerant:
                        raise av.error.InvalidDataError(1, f"frame {count} is damaged")
                    if frame.is_corrupt or frame.pts in damaged:
                        damaged[frame.pts] = count
                    yield frame
                    count += 1
            if tolerant and first is not None:
                self._tell_damage(damaged, {time for time in waiting if time < first})
            self._check_complete(container, stream, packets, reached)

    def _tell_damage(self, damaged: dict[int | None, int | None], early: set[int]) -> None:
        """Notes which frames are not what they were, and how many are not there: `early` ones came before the first."""
        shown = sorted(number for number in damaged.values() if number is not None)
        gone = sum(number is None and time not in early for time, number in damaged.items())
        if early:
            self.note(f"begins amid a group of pictures: {len(early)} frames before its first key frame are left out")
        if shown or gone:
            listed = ", ".join(map(str, shown[:12])) + ", ..." * (len(shown) > 12)
            self.note(
                "is damaged: "
                + f"frames {listed} are what the decoder makes of them" * bool(shown)
                + "; " * bool(shown and gone)
                + f"{gone} frames are lost" * bool(gone)
                + ". Those after them, up to the next key frame, may show it too (--strict refuses such files)"
            )

    def _check_complete(self, container: Any, stream: Any, packets: int, reached: Fraction) -> None:
        """Raises ValueError if the file says that it holds more, of its picture or of any track."""
        if packets >= stream.frames > 0:
            return
        begin = Fraction(container.start_time or 0, av.time_base)
        stated, there = (container.duration or 0) / av.time_base, float(reached - begin)
        # an edit list hides frames, and says how long what it shows is
        if stream.frames and there < stated - 1.5 / float(self.rate):
            raise ValueError(f"{self.name} is cut off: {packets} of {stream.frames} frames are there")
        if stated and there < stated - max(1.0, 0.05 * stated):
            raise ValueError(f"{self.name} is cut off: {there:.2f} of {stated:.2f} seconds are there")

    # ------------------------------------------------------------ one frame

    def _upright(self, frame: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """RGB, and alpha if there is one, the right way up."""
        parts = frame.format.components
        has_alpha, bits = any(part.is_alpha for part in parts), max(part.bits for part in parts)
        deep, (matrix, _) = bits > 8, matrix_of(self.name, frame, self._color)
        image = frame.to_ndarray(
            format=("rgba64le" if deep else "rgba") if has_alpha else ("rgb48le" if deep else "rgb24"),
            interpolation=ACCURATE, src_colorspace=matrix, src_color_range=frame.color_range or None,
            threads=CONVERSION_THREADS,
        )  # fmt: skip
        if deep:
            largest = ((1 << bits) - 1) << (16 - bits)
            limited = matrix is not None and frame.color_range != FULL_RANGE
            white = np.full(image.shape[2], largest, np.float32)
            white[:3] = WHITE_OF_16_BITS if limited else largest
            image = np.rint(image * (65535 / white)).clip(0, 65535).astype(np.uint16)
        upright = _orientation(frame)
        return upright.apply(image[..., :3]), upright.apply(image[..., 3]) if has_alpha else None

    def _time_of(self, frame: Any, count: int) -> Fraction:
        if self._given_rate is not None:
            return count / self._given_rate
        time = _time(frame)
        if time is None:
            raise ValueError(f"{self.name}: frame {count} has no time; give the frame rate (--fps)")
        return time - self.start


def is_metadata(stream: Any) -> bool:
    """True if a track holds chapters or the time code, which are read with the file's metadata."""
    if stream.type == "data":
        return "timecode" in stream.metadata or stream.discard.name == "all"
    context = stream.codec_context  # None: of a kind that FFmpeg does not know
    return stream.type == "subtitle" and context is not None and context.codec_tag == "text"  # tx3g is to be shown


def _decoder(stream: Any) -> Callable[[Any], Any]:
    """From packets to frames; of VP8 and VP9 with alpha FFmpeg's own decoders would leave it out."""
    name = stream.codec_context.name
    if stream.metadata.get("alpha_mode") == "1" and name in ("vp8", "vp9"):
        decoder = av.CodecContext.create("libvpx-vp9" if name == "vp9" else "libvpx", "r")
        return lambda packet: decoder.decode(packet if packet.size else None)
    stream.thread_type = "AUTO"
    return stream.decode


def _fails(decoder: Any, packet: Any) -> bool:
    """True if a decoder that refuses damage refuses this packet."""
    try:
        decoder.decode(packet)
    except av.error.FFmpegError:
        return True
    return False


def _is_cropped(path: Path) -> bool:
    """True if a Matroska file's header has a PixelCrop... that is not 0, which FFmpeg's decoders do not follow."""
    with open(path, "rb") as file:
        head = file.read(65536).partition(b"\x1f\x43\xb6\x75")[0]  # up to the first cluster
    return head[:4] == b"\x1a\x45\xdf\xa3" and bool(re.search(rb"\x54[\xaa\xbb\xcc\xdd](\x81[^\0]|\x82..)", head, re.S))


def _time(frame: Any) -> Fraction | None:
    return None if frame.pts is None else frame.pts * frame.time_base


def _orientation(frame: Any) -> Orientation:
    matrix = side_data(frame).get("DISPLAYMATRIX")
    return of_display_matrix(matrix) if matrix else Orientation()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
