"""Frames into a video file or a folder: whole under the final name, or not at all.

If the writing is interrupted (Ctrl-C), what there is by then becomes a playable `NAME.interrupted.SUFFIX`, or a folder
`NAME.interrupted` (`NAME.interrupted_2` and so on, if that is there); after any other error nothing is left. Nothing is
replaced or removed but files that have the names of what is written, and only if that is allowed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from ..utils.atomic_write import check_output, move_into_place, partial_path
from .image_files import HDR_SUFFIXES, IMAGE_SUFFIXES, write_image
from .reader import ACCURATE, CONVERSION_THREADS, WHITE_OF_16_BITS, Appearance, Frame, FrameSource, VideoFile

CODECS = {".webm": "libvpx-vp9"}
"""Encoders of containers that H.264 does not belong into."""

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm"}
"""Ending -> FFmpeg's name."""

SUFFIXES = tuple(CONTAINERS)

LOSSLESS = {".mkv": "ffv1", ".mp4": "libx264rgb", ".mov": "libx264rgb"}
"""Encoders of RGB as it is."""

NUMBERED = "{:06d}"
"""What frames are called that have no names."""

CRF = 16
"""Default constant rate factor: hard to tell from the original, since compression must not add or hide flicker."""


class FrameWriter:
    """Takes frames in order; a context manager.

    Attributes:
        path: The final name.
        written: Where the frames are after the context has ended; differs from `path` after an interruption.
        notes: What could not be kept as it was, a sentence each.
    """

    notes: Sequence[str] = ()

    path: Path
    written: Path | None = None

    def write(self, frame: Frame) -> None:
        """Takes the next frame."""
        raise NotImplementedError

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: Any) -> None:
        raise NotImplementedError


def open_writer(
    path: str | Path,
    source: FrameSource,
    codec: str | None = None,
    crf: int | None = None,
    suffix: str = ".png",
    audio: bool = True,
    overwrite: bool = False,
    lossless: bool = False,
) -> FrameWriter:
    """A writer for what becomes of `source`: of a video file if the name ends like one, else of a folder.

    Args:
        path: Video file (.mp4, .mkv, .mov, .webm) or folder.
        source: Gives frame rate, sound track, and, if it is images, the frames' names.
        codec: FFmpeg's encoder. Default: libx264, or libvpx-vp9 for .webm.
        crf: Constant rate factor of the encoder, less is better. Default: 16.
        suffix: Kind of images in a folder.
        audio: Keep the tracks of sound and text.
        overwrite: Replace what is there.
        lossless: Keep every value of a video as it is, in RGB: FFV1 in .mkv, H.264 in .mp4 and .mov (8 bits).

    Raises:
        FileExistsError: If it is there, and not to be overwritten, or a folder holds something else than such frames.
        ValueError: If the name or the codec cannot be used, or it is `source` itself.
        OSError: If it cannot be written there.
    """
    folder, path = _is_folder(path), Path(path)
    check_output(path, _inputs(source), folder)
    appearance: Appearance = getattr(source, "appearance", Appearance())
    if path.suffix.lower() in SUFFIXES:
        track = source if audio and isinstance(source, VideoFile) and source.has_tracks else None
        return VideoWriter(path, source.rate, codec, crf, track, overwrite, lossless, appearance)
    if not folder:
        raise ValueError(f"{path}: videos end in {', '.join(SUFFIXES)}; for a folder end its name in /")
    files = getattr(source, "files", None)
    names = [file.stem for file in files] if files else None
    notes = []
    if names is not None and len(set(names)) < len(names):
        names = [NUMBERED.format(number) for number in range(len(names))]
        notes.append(f"{source.name}: several frames have the same name: they are numbered instead")
    if appearance.pixel_aspect != 1:
        aspect = str(appearance.pixel_aspect).replace("/", ":")
        notes.append(f"{source.name} has pixels that are not square ({aspect}), which images cannot say")
    if names is None and path.is_dir() and any(path.iterdir()):
        names = [NUMBERED.format(number) for number in range(source.count())]
    writer = FrameFolderWriter(path, suffix, names, overwrite)
    writer.notes = notes
    return writer


def _is_folder(path: str | Path) -> bool:
    """Whether a name is meant for a folder: it has no ending, is one already, ends in a slash, or counts (out_v1.2)."""
    suffix = Path(path).suffix
    return not suffix or Path(path).is_dir() or str(path).endswith("/") or suffix[1:].isdecimal()


def _inputs(source: FrameSource) -> Iterator[Path]:
    """The files of a source, and the folders that hold its images."""
    if isinstance(source, VideoFile):
        yield source.path
    files = getattr(source, "files", [])
    yield from files
    yield from {file.parent for file in files}


def _make_way(path: Path, overwrite: bool, folder: bool = False) -> None:
    check_output(path, folder=folder)
    occupied = any(path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another name, or overwrite it (--overwrite)")
    path.parent.mkdir(parents=True, exist_ok=True)


def _interrupted(path: Path) -> Path:
    """A free name for what there is of `path`."""
    for number in range(1, 10**6):
        free = path.with_name(f"{path.stem}.interrupted{f'_{number}' * (number > 1)}{path.suffix}")
        if not free.exists():
            return free
    raise FileExistsError(f"{path}: there is no free name for what was done until it was interrupted")


def check_codec(codec: str, suffix: str, crf: int | None) -> None:
    """Says before any work what encoder and quality cannot be used.

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
    """

    def __init__(
        self,
        path: str | Path,
        rate: float | Fraction,
        codec: str | None = None,
        crf: int | None = None,
        audio: VideoFile | None = None,
        overwrite: bool = True,
        lossless: bool = False,
        appearance: Appearance = Appearance(),
        encoder_options: Mapping[str, str] | None = None,
    ) -> None:
        self._encoder_options = encoder_options or {}
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(f"{path}: videos end in {', '.join(SUFFIXES)}")
        if lossless and (suffix not in LOSSLESS or codec is not None or crf is not None):
            raise ValueError(f"{path}: lossless video goes into {', '.join(LOSSLESS)}, with neither codec nor crf")
        self._codec = LOSSLESS[suffix] if lossless else codec or CODECS.get(suffix, "libx264")
        self._lossless, self._appearance = lossless, appearance
        check_codec(self._codec, suffix, crf)
        self._rate = Fraction(rate).limit_denominator(1001)
        self._crf = CRF if crf is None else crf
        self._audio_source = audio
        _make_way(self.path, overwrite)
        self._stream: Any = None
        self._tracks: list[_Track] = []
        self._last = -1

    def __enter__(self) -> VideoWriter:
        self._partial = partial_path(self.path)
        self._container = av.open(str(self._partial), "w")
        return self

    def write(self, frame: Frame) -> None:
        """Takes the next frame, (H, W, 3) uint8 or uint16.

        Raises:
            ValueError: If it differs in size from the frames before, is no display image, or is not later than they.
        """
        if self._stream is None:
            self._begin(frame.image)
        height, width, depth = self._stream.height, self._stream.width, self._dtype
        if frame.image.shape != (height, width, 3) or frame.image.dtype != depth:
            got = f"{frame.image.shape} {frame.image.dtype}"
            raise ValueError(f"{self.path}: a frame is {got}, the frames before it {(height, width, 3)} {depth}")
        pts = round(frame.time / self._base)
        if pts <= self._last:
            raise ValueError(f"{self.path}: the frame at {float(frame.time):.4f} s is not later than the one before it")
        self._last = pts
        image = np.ascontiguousarray(frame.image)
        if depth == np.uint16 and not self._lossless:
            image = np.rint(image * np.float32(WHITE_OF_16_BITS / 65535)).astype(np.uint16)
        picture = av.VideoFrame.from_ndarray(image, format="rgb24" if depth == np.uint8 else "rgb48le")
        if self._lossless:
            picture = picture.reformat(format=self._stream.pix_fmt, threads=CONVERSION_THREADS)
        else:
            picture = picture.reformat(
                format=self._stream.pix_fmt,
                dst_colorspace="ITU709",
                dst_color_range="MPEG",
                interpolation=ACCURATE,
                threads=CONVERSION_THREADS,
            )
        picture.pts, picture.time_base = pts, self._base
        self._container.mux(self._stream.encode(picture))
        for track in self._tracks:
            track.write_until(frame.time)

    def _begin(self, image: np.ndarray) -> None:
        if image.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{self.path}: a video holds 8 or 16-bit display values, not {image.dtype}: tone-map them")
        self._dtype = image.dtype
        height, width = image.shape[:2]
        self._stream = self._container.add_stream(self._codec, rate=self._rate)
        self._stream.height, self._stream.width = height, width
        chroma = "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p"
        depth = image.dtype
        self._stream.pix_fmt = chroma if depth == np.uint8 else f"{chroma}10le"
        options = {"crf": str(self._crf)}
        if self._lossless:
            if depth == np.uint16 and self._codec != "ffv1":
                raise ValueError(f"{self.path}: only .mkv holds 16 bits without loss")
            lossless = {"ffv1": ("bgr0" if depth == np.uint8 else "gbrp16le", {"level": "3"})}
            self._stream.pix_fmt, options = lossless.get(self._codec, ("rgb24", {"qp": "0", "preset": "medium"}))
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
        context.color_primaries, context.color_trc = self._appearance.primaries, self._appearance.transfer
        context.colorspace = 0 if self._lossless else 1  # RGB; BT.709
        context.color_range = 2 if self._lossless else 1  # all values; 16 to 235
        if self._appearance.pixel_aspect != 1:
            context.sample_aspect_ratio = self._appearance.pixel_aspect
        if self._audio_source is not None:
            self._tracks, self.notes = _tracks(self._audio_source, self._container, self.path.suffix.lower())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        try:
            self._close(complete=kind is None, interrupted=interrupted)
            if kind is None or (interrupted and self._stream is not None):
                self.written = self.path if kind is None else _interrupted(self.path)
                move_into_place(self._partial, self.written)
        finally:
            self._partial.unlink(missing_ok=True)

    def _close(self, complete: bool, interrupted: bool) -> None:
        """Writes what encoder and sound track still hold, and closes the file."""
        try:
            if complete and self._stream is None:
                raise ValueError(f"{self.path}: there is no frame to write")
            if self._stream is not None and (complete or interrupted):
                self._container.mux(self._stream.encode())
                for track in self._tracks if complete else ():
                    track.write_until(None)
        except BaseException:
            complete = interrupted = False
            raise
        finally:
            for track in self._tracks:
                track.close()
            with nullcontext() if complete or interrupted else suppress(av.error.FFmpegError, OSError):
                self._container.close()


class _Track:
    """A track of sound or text of a video on its way into another one.

    Args:
        source: The video.
        index: Of the track in it.
        container: What it goes into.
        suffix: Ending of that.
    """

    def __init__(self, source: VideoFile, index: int, container: Any, suffix: str) -> None:
        self._input = av.open(f"file:{source.path}")
        self._start, self._output = source.start, container
        self._waiting: Any = None
        self._resampler: Any = None
        stream: Any = self._input.streams[index]
        self._packets = self._input.demux(stream)
        if _can_hold(suffix, stream):
            self._stream = container.add_stream_from_template(stream)
        else:
            name = "libopus" if suffix == ".webm" else "aac"
            rate = 48000 if name == "libopus" else stream.codec_context.sample_rate
            self._stream = container.add_stream(name, rate=rate)
            layout = stream.codec_context.layout.name
            self._stream.codec_context.layout = layout
            self._resampler = av.AudioResampler(format=self._stream.codec_context.format, layout=layout, rate=rate)
        self._stream.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        self._stream.disposition = stream.disposition

    def write_until(self, time: Fraction | None) -> None:
        """Writes what begins before `time` seconds; None: all that is left."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                break
            if packet.pts is not None and time is not None and packet.pts * packet.time_base - self._start >= time:
                self._waiting = packet
                return
            self._write(packet)
        if time is None and self._resampler:
            self._output.mux(self._stream.encode())

    def _write(self, packet: Any) -> None:
        if self._resampler is None:
            if packet.size and packet.pts is not None:
                shift = round(self._start / packet.time_base)
                packet.pts -= shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                packet.stream = self._stream
                self._output.mux(packet)
            return
        for frame in packet.decode():
            frame.pts -= round(self._start / frame.time_base)
            for resampled in self._resampler.resample(frame):
                self._output.mux(self._stream.encode(resampled))

    def close(self) -> None:
        """Closes the source."""
        self._input.close()


def _can_hold(suffix: str, stream: Any) -> bool:
    """Whether a container takes a track as it is: what it says of its codecs is not always so (flac in .mov)."""
    try:
        with av.open(BytesIO(), "w", format=CONTAINERS[suffix]) as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _tracks(source: VideoFile, container: Any, suffix: str) -> tuple[list[_Track], list[str]]:
    """The tracks of sound and text that go along, and a sentence for each that cannot."""
    tracks, notes = [], []
    with av.open(f"file:{source.path}") as opened:
        for stream in opened.streams:
            language = stream.metadata.get("language", "")
            what = f"{source.name}: the {language} {stream.type} track {stream.index}".replace("  ", " ")
            fits = stream.type in ("audio", "subtitle") and _can_hold(suffix, stream)
            if fits or stream.type == "audio":
                tracks.append(_Track(source, stream.index, container, suffix))
                if not fits:
                    notes.append(f"{what} ({stream.codec_context.name}) is encoded anew, since {suffix} cannot hold it")
            elif stream is not opened.streams.video[0]:
                notes.append(f"{what} is left out: {suffix} cannot hold it, or it is no sound and no text")
    return tracks, notes


class FrameFolderWriter(FrameWriter):
    """Writes images into a folder.

    Args:
        path: The folder.
        suffix: Kind of images; `.exr` and `.hdr` for float32 radiance.
        names: Of the frames, without suffix. Default: 000000, 000001, ...
        overwrite: Replace frames that are there, one by one when all are written.

    Raises:
        FileExistsError: If the folder holds something else than frames of these names.
    """

    def __init__(
        self, path: str | Path, suffix: str = ".png", names: Sequence[str] | None = None, overwrite: bool = True
    ) -> None:
        if suffix not in IMAGE_SUFFIXES:
            raise ValueError(f"images end in {', '.join(IMAGE_SUFFIXES)}, not {suffix!r}")
        self.path, self.suffix, self._names = Path(path), suffix, names
        _make_way(self.path, overwrite, folder=True)
        self._refuse_foreign()
        self._count = 0

    def _refuse_foreign(self) -> None:
        """What lies in the folder must be what is written there: nothing else is replaced, and no older frame stays."""
        expected = None if self._names is None else {f"{name}{self.suffix}" for name in self._names}
        for entry in sorted(self.path.iterdir()) if self.path.is_dir() else []:
            known = entry.name in expected if expected is not None else self._is_numbered(entry)
            if not known or not entry.is_file() or entry.is_symlink():
                raise FileExistsError(
                    f"{self.path} holds {entry.name}, which is no frame of this video: choose another folder, or "
                    "remove it"
                )

    def _is_numbered(self, entry: Path) -> bool:
        return entry.suffix == self.suffix and entry.stem.isdecimal() and NUMBERED.format(int(entry.stem)) == entry.stem

    def __enter__(self) -> FrameFolderWriter:
        self._partial = partial_path(self.path)
        self._partial.mkdir()
        return self

    def write(self, frame: Frame) -> None:
        """Takes the next frame: uint8 or uint16, or float32 radiance."""
        name = self._names[self._count] if self._names else NUMBERED.format(self._count)
        image = frame.image
        if (
            self.suffix not in HDR_SUFFIXES
            and image.dtype == np.uint16
            and self.suffix not in (".png", ".tif", ".tiff")
        ):
            image = np.round(image / 257).astype(np.uint8)
        write_image(self._partial / f"{name}{self.suffix}", image)
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._count and (kind is None or issubclass(kind, KeyboardInterrupt)):
            target = self.path if kind is None else _interrupted(self.path)
            self._move_to(target)
            self.written = target
            return
        shutil.rmtree(self._partial, ignore_errors=True)
        if kind is None:
            raise ValueError(f"{self.path}: there is no frame to write")

    def _move_to(self, target: Path) -> None:
        try:
            os.replace(self._partial, target)  # where nothing is, or an empty folder
        except OSError:
            if not target.is_dir():
                raise
            written = sorted(self._partial.iterdir())
            for frame in written:
                os.replace(frame, target / frame.name)
            self._partial.rmdir()
            older = {entry.name for entry in target.iterdir()} - {frame.name for frame in written}
            if older:
                raise FileExistsError(
                    f"the frames are in {target}, but {min(older)} of an older video ({len(older)} files) is there "
                    "too: remove what does not belong to it"
                ) from None


def write_frames(writer: FrameWriter, frames: Iterator[Frame]) -> None:
    """Writes all frames."""
    with writer:
        for frame in frames:
            writer.write(frame)
