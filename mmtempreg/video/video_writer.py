"""Frames into a video file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from ..utils.atomic_write import move_into_place, partial_path
from .color_tags import ACCURATE, CONVERSION_THREADS, WHITE_OF_16_BITS
from .frame_writer import FrameWriter, interrupted_name, make_way
from .frames import Appearance, Frame
from .tracks import CONTAINERS, Track, copy_metadata, lost_metadata, open_tracks
from .video_file import VideoFile

SUFFIXES = tuple(CONTAINERS)

CODECS = {".webm": "libvpx-vp9"}
"""Encoders of containers that H.264 does not belong into."""

LOSSLESS = {".mkv": "ffv1", ".mp4": "libx264rgb", ".mov": "libx264rgb"}
"""Encoders of RGB as it is."""

ALPHA_CODECS = ("libvpx-vp9", "prores_ks", "ffv1")
"""Encoders whose alpha players read."""

CRF = 16
"""Default constant rate factor: hard to tell from the original, since compression must not add or hide flicker."""


def check_codec(codec: str, suffix: str, crf: int | None) -> None:
    """Checks before any work that encoder and quality can be used.

    Raises:
        ValueError: If there is no such encoder of pictures, the container cannot hold what it makes, or the quality is
            out of range.
    """
    try:
        encoder = av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise ValueError(f"this FFmpeg has no encoder {codec!r}; libx264, libx265, ffv1 are usual") from error
    if encoder.type != "video":
        raise ValueError(f"the codec {codec!r} is for {encoder.type}, not for pictures; libx264, libx265 are usual")
    with av.open(BytesIO(), "w", format=CONTAINERS[suffix]) as container:
        if encoder.canonical_name not in container.supported_codecs:
            raise ValueError(f"{suffix} cannot hold what the codec {codec!r} makes: choose another codec, or .mkv")
    highest = 63 if "vp9" in codec or "av1" in codec else 51
    if crf is not None and not 0 <= crf <= highest:
        raise ValueError(f"crf must be in [0, {highest}] for {codec}, 0 is best: got {crf}")


@cache
def try_encoder(codec: str, crf: int | None) -> None:
    """Checks before any work that an encoder begins to encode, and has a use for the quality.

    Raises:
        ValueError: If so.
    """
    known = [entry.name for entry in av.Codec(codec, "w").video_formats or []]
    context: Any = av.CodecContext.create(codec, "w")
    context.width = context.height = 64
    context.pix_fmt = "yuv420p" if not known or "yuv420p" in known else known[0]
    context.time_base = Fraction(1, 24)
    context.options = {} if crf is None else {"crf": str(crf)}
    try:
        context.open()
    except (av.error.FFmpegError, ValueError) as error:
        raise ValueError(
            f"the codec {codec!r} does not begin to encode here ({_reason(error)}): libx264, libx265 are usual"
        ) from error
    if "crf" in context.options:
        raise ValueError(f"the codec {codec!r} knows no crf: leave it out, or choose libx264, libx265 or another codec")


@contextmanager
def _naming(path: Path, what: str = "") -> Iterator[None]:
    """Names the file where FFmpeg, or the disk, says only what is wrong."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise OSError(f"{path} cannot be written{what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


class VideoWriter(FrameWriter):
    """Writes a video file; times are kept, so that a varying frame rate stays as it is.

    8-bit frames become 4:2:0, or 4:4:4 if a side is odd; 16-bit frames 10 bits. The colour matrix is BT.709's, and
    tagged so; primaries and curve are what `appearance` says, since values stay as they are.

    Args:
        path: The file.
        rate: Mean frames per second.
        codec: See `open_writer`.
        crf: See `open_writer`.
        audio: A video whose tracks of sound and text are taken over: as they are if the container can hold them; else
            sound is encoded anew, and text left out.
        overwrite: Replace a file that is there.
        lossless: See `open_writer`.
        appearance: Shape of the pixels and meaning of the colours.
        encoder_options: More options of FFmpeg's encoder, such as `g`, how many frames lean on one that stands alone.
        about: A video whose title, place, times, chapters and the like go along.
        keep: Keep what there is after an error.
    """

    def __init__(
        self,
        path: str | Path,
        rate: float | Fraction,
        *,
        codec: str | None = None,
        crf: int | None = None,
        audio: VideoFile | None = None,
        overwrite: bool = True,
        lossless: bool = False,
        appearance: Appearance = Appearance(),
        encoder_options: Mapping[str, str] | None = None,
        about: VideoFile | None = None,
        keep: bool = True,
    ) -> None:
        super().__init__(path)
        self._encoder_options, self._about, self._keep = encoder_options or {}, about, keep
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(f"{path}: videos end in {', '.join(SUFFIXES)}")
        if lossless and (suffix not in LOSSLESS or codec is not None or crf is not None):
            raise ValueError(f"{path}: lossless video goes into {', '.join(LOSSLESS)}, with neither codec nor crf")
        self._codec = LOSSLESS[suffix] if lossless else codec or CODECS.get(suffix, "libx264")
        self._lossless, self._appearance = lossless, appearance
        check_codec(self._codec, suffix, crf)
        if not lossless:
            try_encoder(self._codec, crf)
        self._rate = Fraction(rate).limit_denominator(1001)
        self._crf = CRF if crf is None else crf
        self._audio_source = audio
        make_way(self.path, overwrite)
        self._stream: Any = None
        self._tracks: list[Track] = []
        self._last, self._end, self._first_dts = -1, 0, 0
        self._waiting: Any = None

    def __enter__(self) -> VideoWriter:
        self._partial = partial_path(self.path)
        # .mp4 holds a cover, or all that is said and not what is usual alone
        full = self.path.suffix.lower() in (".mp4", ".mov") and not (
            self._audio_source and self._audio_source.has_cover
        )
        options = {"movflags": "use_metadata_tags"} if full else {}
        with _naming(self.path):  # "file:", or a folder 12:30 would be taken for a protocol
            self._container = av.open(f"file:{self._partial}", "w", options=options)
        return self

    def write(self, frame: Frame) -> None:
        """Takes the next frame, (H, W, 3) uint8 or uint16.

        Raises:
            ValueError: If it differs in size from the frames before, is no display image, or is not later than they.
        """
        if self._stream is None:
            self._begin(frame.image, frame.alpha is not None)
        height, width, depth = self._stream.height, self._stream.width, self._dtype
        if frame.image.shape != (height, width, 3) or frame.image.dtype != depth:
            got = f"{frame.image.shape} {frame.image.dtype}"
            raise ValueError(f"{self.path}: a frame is {got}, the frames before it {(height, width, 3)} {depth}")
        pts = round(frame.time / self._base)
        if pts <= self._last:
            raise ValueError(
                f"the frame at {float(frame.time):.4f} s is not later than the one before it: the times in the source "
                f"repeat or go back; give its frame rate (--fps) to take its frames as evenly spaced ({self.path})"
            )
        self._last = pts
        picture = self._picture(frame)
        picture.pts, picture.time_base = pts, self._base
        picture.duration = max(round((frame.duration or 1 / self._rate) / self._base), 1)
        with _naming(self.path, f" as {width}x{height} pixels of {self._codec}"):
            self._mux(self._stream.encode(picture))
            for track in self._tracks:
                track.write_until(frame.time)

    def _mux(self, packets: Sequence[Any]) -> None:
        """Writes all but the last packet, which waits for what comes."""
        for packet in packets:
            self._end = max(self._end, packet.pts + packet.duration)
            if self._waiting is None:
                self._first_dts = packet.dts
            else:
                self._container.mux(self._waiting)
            self._waiting = packet

    def _mux_last(self) -> None:
        """.mp4 and .mov tell the length from when packets are decoded, not shown: the last one's makes it right."""
        if self._waiting is not None:
            if self.path.suffix.lower() in (".mp4", ".mov"):
                self._waiting.duration = self._end - (self._waiting.dts - self._first_dts)
            self._container.mux(self._waiting)

    def _picture(self, frame: Frame) -> Any:
        """Converts a frame to what the encoder takes."""
        image, alpha, deep = frame.image, frame.alpha, self._dtype == np.uint16
        if alpha is not None and not self._alpha:
            self.note_alpha(alpha)
        if frame.metadata.icc or frame.metadata.exif:
            self.note("is without what the images say beside their pixels (colour profile, EXIF)")
        if deep and not self._lossless:
            image = np.rint(image * np.float32(WHITE_OF_16_BITS / 65535)).astype(np.uint16)
        if self._alpha:
            image = np.dstack([image, np.full_like(image[..., 0], 65535 if deep else 255) if alpha is None else alpha])
        layout = ("rgba64le" if deep else "rgba") if self._alpha else ("rgb48le" if deep else "rgb24")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=layout)
        if self._lossless:
            return picture.reformat(format=self._stream.pix_fmt, threads=CONVERSION_THREADS)
        return picture.reformat(
            format=self._stream.pix_fmt,
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
            interpolation=ACCURATE,
            threads=CONVERSION_THREADS,
        )

    def _begin(self, image: np.ndarray, has_alpha: bool) -> None:
        if image.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{self.path}: a video holds 8 or 16-bit display values, not {image.dtype}: tone-map them")
        self._dtype = image.dtype
        height, width = image.shape[:2]
        self._stream = self._container.add_stream(self._codec, rate=self._rate)
        self._stream.height, self._stream.width = height, width
        self._alpha = has_alpha and self._codec in ALPHA_CODECS
        self._stream.pix_fmt = self._pixel_format(height, width)
        options = {"crf": str(self._crf)}
        if self._lossless:
            options = {"level": "3"} if self._codec == "ffv1" else {"qp": "0", "preset": "medium"}
        elif self._codec == "libvpx-vp9":
            options |= {"b:v": "0", "row-mt": "1", "deadline": "good", "cpu-used": "4"}
        elif self._codec == "libx264":
            options |= {"preset": "medium"}
        self._stream.options = {**options, **self._encoder_options}
        # fine enough for any timing, and exact for a constant frame rate
        numerator = self._rate.numerator
        self._base = Fraction(1, numerator * -(-10000 // numerator))
        context = self._stream.codec_context
        context.time_base = self._base
        context.flags |= Flags.frame_duration
        context.color_primaries, context.color_trc = self._appearance.primaries, self._appearance.transfer
        context.colorspace = 0 if self._lossless else 1  # RGB; BT.709
        context.color_range = 2 if self._lossless else 1  # all values; 16 to 235
        if self._appearance.pixel_aspect != 1:
            context.sample_aspect_ratio = self._appearance.pixel_aspect
        if self._about is not None:
            copy_metadata(self._about, self._container, self._stream)
        if self._audio_source is not None:
            self._tracks, notes = open_tracks(self._audio_source, self._container, self.path.suffix.lower())
            self.notes += notes

    def _pixel_format(self, height: int, width: int) -> str:
        """FFmpeg's name of the layout of the pixels that go into the file."""
        deep = self._dtype == np.uint16
        if self._lossless:
            if deep and self._codec != "ffv1":
                raise ValueError(f"{self.path}: only .mkv holds 16 bits without loss")
            plain, with_alpha = ("gbrp16le", "gbrap16le") if deep else ("bgr0", "bgra")
            return (with_alpha if self._alpha else plain) if self._codec == "ffv1" else "rgb24"
        known = [entry.name for entry in av.Codec(self._codec, "w").video_formats or []]
        chroma, odd = "yuva" if self._alpha else "yuv", height % 2 or width % 2
        wanted = [f"{chroma}444p" if odd else f"{chroma}420p", f"{chroma}420p", f"{chroma}444p"]
        wanted = [name + "10le" for name in wanted if deep] + wanted + [f"{chroma}422p10le", f"{chroma}444p10le"]
        chosen = next((name for name in wanted if not known or name in known), known[0] if known else wanted[0])
        if odd and "444" in chosen and self._codec in ("libx264", "libx265"):
            self.note(
                f"is of {width}x{height} pixels, an odd number, and so in 4:4:4, which QuickTime and many other "
                "players do not show: those need even sizes"
            )
        return chosen

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = kind is not None and self._keep and self._stream is not None
        try:
            with suppress(Exception) if kind is not None else nullcontext():  # the first error is the one to tell
                self._close(complete=kind is None, interrupted=interrupted)
                if kind is None and self._about is not None:
                    self.notes += lost_metadata(self._about, self._partial, self.path)
                if kind is None or interrupted:
                    target = self.path if kind is None else interrupted_name(self.path)
                    move_into_place(self._partial, target)
                    self.written = target
        finally:
            self._partial.unlink(missing_ok=True)

    def _close(self, complete: bool, interrupted: bool) -> None:
        """Writes what encoder and sound track still hold, and closes the file."""
        try:
            if complete and self._stream is None:
                raise ValueError(f"{self.path}: there is no frame to write")
            if self._stream is not None and (complete or interrupted):
                with _naming(self.path):
                    self._mux(self._stream.encode())
                    self._mux_last()
                    for track in self._tracks if complete else ():
                        track.write_until(None)
        except BaseException:
            complete = interrupted = False
            raise
        finally:
            for track in self._tracks:
                track.close()
            with _naming(self.path) if complete or interrupted else suppress(av.error.FFmpegError, OSError):
                self._container.close()
