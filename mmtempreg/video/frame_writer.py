"""The base of all writers of frames, and the places where they may write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..utils.atomic_write import check_output
from .frames import Frame


class FrameWriter:
    """Takes frames in order; a context manager.

    Attributes:
        path: The final name.
        written: Where the frames are after the context has ended; differs from `path` after an error.
        done: How many frames were there already when the context was entered: of a run that is resumed.
        notes: What could not be kept as it was, a sentence each.
    """

    written: Path | None = None
    done: int = 0

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Adds what a user should know, once, with the output's name before it."""
        if (sentence := f"{self.path} {text}") not in self.notes:
            self.notes.append(sentence)

    def write(self, frame: Frame) -> None:
        """Takes the next frame."""
        raise NotImplementedError

    def note_alpha(self, alpha: np.ndarray) -> None:
        """Notes that transparency is lost, if there is any."""
        if alpha.min() < np.iinfo(alpha.dtype).max:
            self.note(
                "is opaque, and the frames are not: their alpha channel is dropped. Images in .png, .tif and .webp "
                "hold it, .webm, .mov with --codec prores_ks, and .mkv with --lossless"
            )

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: Any) -> None:
        raise NotImplementedError


def write_frames(writer: FrameWriter, frames: Iterator[Frame]) -> None:
    """Writes all frames."""
    with writer:
        for frame in frames:
            writer.write(frame)


def make_way(path: Path, overwrite: bool, folder: bool = False) -> None:
    """Makes the folder that a file, or a folder of frames, goes into.

    Raises:
        FileExistsError: If it is there, and not to be overwritten; else as `check_output`.
    """
    check_output(path, folder=folder)
    occupied = any(path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another name, or overwrite it (--overwrite)")
    path.parent.mkdir(parents=True, exist_ok=True)


def interrupted_name(path: Path) -> Path:
    """A free name for what there is of `path`."""
    for number in range(1, 10**6):
        free = path.with_name(f"{path.stem}.interrupted{f'_{number}' * (number > 1)}{path.suffix}")
        if not free.exists():
            return free
    raise FileExistsError(f"{path}: there is no free name for what was done until it was interrupted")
