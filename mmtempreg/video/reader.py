"""Opens the frames of a video file, a folder or a pattern, in order and with their times."""

from __future__ import annotations

import glob
from fractions import Fraction
from pathlib import Path

from ..utils.choices import IMAGE_SUFFIXES
from ..utils.claims import check_input
from .frames import FrameSource, checked_rate
from .image_files import is_animated_png, pages
from .image_sequence import FrameFiles, ImagePages
from .video_file import VideoFile

UNREAD_SUFFIXES = (".heic", ".heif")
"""Suffixes of images that FFmpeg would take for several videos of a tile each."""


def open_frames(
    path: str | Path,
    rate: float | Fraction | None = None,
    *,
    any_order: bool = False,
    color: str | None = None,
    stream: int = 0,
    strict: bool = False,
) -> FrameSource:
    """Opens a video file, a folder of images, a pattern such as `frames/*.png`, or an image that holds several.

    Args:
        path: Where the frames are. In a folder the images count, in natural order (2 before 10).
        rate: Frames per second. Needed for images, which do not tell; overrides a file's, whose frames are then
            taken to be evenly spaced.
        any_order: Images need not be numbered evenly: they are taken in natural order as they are.
        color: Colour matrix of a video, 'bt601' or 'bt709', whatever it says. None: as it says, and if it does not, as
            players do: BT.709 from 720 lines on, BT.601 below.
        stream: Which of a video file's picture tracks, counted from 0; covers do not count.
        strict: Refuse a video that is damaged. Else its damaged frames are what the decoder makes of them, with a note.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it cannot be read, is a pipe, or for images: a frame is missing, sizes differ, no rate is given.
    """
    text = str(check_input(path))
    if rate is not None:
        rate = checked_rate(rate, "the frame rate")
    if Path(path).is_dir():
        entries = [entry for entry in Path(path).iterdir() if not entry.is_dir() and not entry.name.startswith(".")]
        files = [check_input(entry) for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise FileNotFoundError(f"{path}: the folder holds no image ({', '.join(IMAGE_SUFFIXES)})")
        source = FrameFiles(text, files, rate, any_order=any_order)
        if others := sorted(entry.name for entry in set(entries) - set(files)):
            source.note(f"holds {len(others)} files that are no frames: {', '.join(others[:3])}")
        return source
    if not Path(path).exists():
        if not glob.has_magic(text):
            raise FileNotFoundError(f"there is no file or folder {path}")
        matching = _matching(Path(path))
        if not matching:
            raise FileNotFoundError(f"no file matches {path}")
        return FrameFiles(text, matching, rate, any_order=any_order)
    if Path(path).suffix.lower() in UNREAD_SUFFIXES:
        raise ValueError(f"{path}: images of this kind are not read: save it as .png or .jpg first")
    if Path(path).suffix.lower() not in IMAGE_SUFFIXES or is_animated_png(path):
        return VideoFile(path, rate, color=color, stream=stream, strict=strict)
    if pages(path) > 1:
        return ImagePages(Path(path), rate)
    return FrameFiles(text, [Path(path)], rate, any_order=any_order)


def _matching(pattern: Path) -> list[Path]:
    """The files that match; folders whose names hold [ or * are taken as they are, if they are there."""
    folder = str(pattern.parent)
    if pattern.parent.is_dir():
        folder = glob.escape(folder)
    return [Path(name) for name in glob.glob(str(Path(folder) / pattern.name))]
