"""Frames into a video file or a folder: whole under the final name, or not at all.

After Ctrl-C or an error what there is by then is a playable `NAME.interrupted.SUFFIX`, or a folder `NAME.interrupted`
(`NAME.interrupted_2` and so on, if that is there), from which a folder of frames can be resumed. Nothing is replaced or
removed but files that have the names of what is written, and only if that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av

from ..utils.atomic_write import check_output
from .folder_writer import NUMBERED, FrameFolderWriter
from .frame_writer import FrameWriter
from .frames import Appearance, FrameSource
from .image_sequence import ImagePages
from .tracks import told
from .video_file import VideoFile
from .video_writer import SUFFIXES, VideoWriter

IN_STEP = 0.01
"""By this part the frame rate may differ from that of the file that sound is taken from."""


def open_writer(
    path: str | Path,
    source: FrameSource,
    *,
    codec: str | None = None,
    crf: int | None = None,
    suffix: str = ".png",
    audio: bool = True,
    overwrite: bool = False,
    lossless: bool = False,
    resume: bool = False,
    identity: str | None = None,
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
        resume, identity: See `FrameFolderWriter`.

    Raises:
        FileExistsError: If it is there, and not to be overwritten, or a folder holds something else than such frames.
        ValueError: If the name or the codec cannot be used, it is `source` itself, a video is to be resumed, or sound
            would go along with a picture of another length.
        OSError: If it cannot be written there.
    """
    folder, path = is_folder(path), Path(path)
    check_output(path, files_of(source), folder)
    appearance: Appearance = getattr(source, "appearance", Appearance())
    if path.suffix.lower() in SUFFIXES:
        if resume:
            raise ValueError(f"{path}: a video cannot be resumed, a folder of frames can: leave out --resume")
        video = source if isinstance(source, VideoFile) else None
        track = video if audio and video and video.has_tracks else None
        if track is not None:
            _check_in_step(track)
        return VideoWriter(
            path,
            source.rate,
            codec=codec,
            crf=crf,
            audio=track,
            overwrite=overwrite,
            lossless=lossless,
            appearance=appearance,
            about=video,
        )
    if not folder:
        raise ValueError(f"{path}: videos end in {', '.join(SUFFIXES)}; for a folder end its name in /")
    files = getattr(source, "files", None)
    names = [file.stem for file in files] if files else None
    notes = []
    if isinstance(source, ImagePages):
        names = None
    if names is not None and len(set(names)) < len(names):
        names = [NUMBERED.format(number) for number in range(len(names))]
        notes.append(f"{source.name}: several frames have the same name: they are numbered instead")
    if appearance.pixel_aspect != 1:
        aspect = str(appearance.pixel_aspect).replace("/", ":")
        notes.append(f"{source.name} has pixels that are not square ({aspect}), which images cannot say")
    if names is None and path.is_dir() and any(path.iterdir()):
        names = [NUMBERED.format(number) for number in range(source.count())]
    writer = FrameFolderWriter(path, suffix, names=names, overwrite=overwrite, resume=resume, identity=identity)
    beside = ["other tracks"] * source.has_tracks + list(told(source.metadata)) if isinstance(source, VideoFile) else []
    if beside:
        notes.append(f"{path} holds pictures alone, without what {source.name} has beside: {', '.join(beside)}")
    writer.notes += notes
    return writer


def check_options(
    paths: Sequence[str | Path], *, codec: str | None, crf: int | None, lossless: bool, suffix: str | None
) -> None:
    """Refuses options that would do nothing, since there is no output of their kind.

    Args:
        paths: All that is to be written.
        codec, crf, lossless, suffix: As of `open_writer`; None or False: not given.

    Raises:
        ValueError: If there are options of a video and no video, or a suffix of images and no folder.
    """
    videos = [Path(path).suffix.lower() in SUFFIXES and not Path(path).is_dir() for path in paths]
    if not any(videos) and (codec is not None or crf is not None or lossless):
        raise ValueError(
            f"codec, crf and lossless are of a video, and {paths[0]} is a folder of images: leave them out"
        )
    if all(videos) and suffix is not None:
        raise ValueError(f"suffix={suffix!r} is of images in a folder, and {paths[0]} is a video: leave it out")


def _check_in_step(source: VideoFile) -> None:
    """Raises ValueError if the frame rate that was given for a video makes it leave its sound behind."""
    with av.open(f"file:{source.path}") as container:
        own = container.streams[source.index].average_rate  # type: ignore[attr-defined]
    if own and abs(source.rate / own - 1) > IN_STEP:
        raise ValueError(
            f"{source.name} has {float(own):.5g} frames per second and sound or text beside them, which would not fit "
            f"{float(source.rate):.5g}: leave them out (--no-audio), or the frame rate"
        )


def is_folder(path: str | Path) -> bool:
    """True if a name is meant for a folder: it has no ending, is one already, ends in a slash, or counts (out_v1.2)."""
    suffix = Path(path).suffix
    return not suffix or Path(path).is_dir() or str(path).endswith("/") or suffix[1:].isdecimal()


def files_of(source: FrameSource) -> Iterator[Path]:
    """The files of a source, and the folders that hold its images."""
    if isinstance(source, VideoFile):
        yield source.path
    files = getattr(source, "files", [])
    yield from files
    yield from {file.parent for file in files}
