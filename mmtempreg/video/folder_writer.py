"""Frames into a folder of images."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from ..utils.atomic_write import partial_path, remove_abandoned
from ..utils.choices import IMAGE_SUFFIXES
from .frame_writer import FrameWriter, interrupted_name, make_way
from .frames import Frame
from .image_files import (
    ALPHA_SUFFIXES,
    DEEP_SUFFIXES,
    HDR_SUFFIXES,
    METADATA_SUFFIXES,
    TIFF_SUFFIXES,
    write_image,
)

NUMBERED = "{:06d}"
"""Names of frames that have none of their own."""

MADE_BY = ".made_by"
"""File in a folder of frames that is not complete yet: the identity of what makes them."""


class FrameFolderWriter(FrameWriter):
    """Writes images into a folder, which is called `NAME.interrupted` until all are there.

    Args:
        path: The folder.
        suffix: Kind of images; `.exr` and `.hdr` for float32 radiance.
        names: Of the frames, without suffix. Default: 000000, 000001, ...
        overwrite: Replace frames that are there, one by one when all are written.
        keep: Keep what there is after an error.
        resume: Go on with what was kept, if something was.
        identity: Of what makes the frames: only what the same has made is resumed.

    Raises:
        FileExistsError: If the folder holds something else than frames of these names.
        ValueError: When entered, if what is to be resumed was made by another.
    """

    def __init__(
        self,
        path: str | Path,
        suffix: str = ".png",
        *,
        names: Sequence[str] | None = None,
        overwrite: bool = True,
        keep: bool = True,
        resume: bool = False,
        identity: str | None = None,
    ) -> None:
        if suffix not in IMAGE_SUFFIXES:
            raise ValueError(f"images end in {', '.join(IMAGE_SUFFIXES)}, not {suffix!r}")
        super().__init__(path)
        self.suffix, self._names = suffix, names
        self._keep, self._resume, self._identity = keep, resume, identity
        make_way(self.path, overwrite, folder=True)
        self._refuse_foreign(self.path)
        self._count = 0

    def _refuse_foreign(self, folder: Path) -> None:
        """Refuses a folder that holds more than such frames: nothing else is replaced, and no older frame stays."""
        expected = None if self._names is None else {f"{name}{self.suffix}" for name in self._names}
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            known = entry.name in expected if expected is not None else self._is_numbered(entry)
            known |= folder != self.path and entry.name == MADE_BY
            if not known or not entry.is_file() or entry.is_symlink():
                raise FileExistsError(
                    f"{folder} holds {entry.name}, which is no frame of this video: choose another folder, or remove it"
                )

    def _is_numbered(self, entry: Path) -> bool:
        return entry.suffix == self.suffix and entry.stem.isdecimal() and NUMBERED.format(int(entry.stem)) == entry.stem

    def __enter__(self) -> FrameFolderWriter:
        found = self._unfinished() if self._resume else None
        self._partial = found or (interrupted_name(self.path) if self._keep else partial_path(self.path))
        self._partial.mkdir(exist_ok=found is not None)
        if self._identity is not None:
            (self._partial / MADE_BY).write_text(self._identity)
        self._count = self.done = self._frames_in(self._partial)
        return self

    def _unfinished(self) -> Path | None:
        """Finds what was kept of an earlier run, the longest if there are several."""
        kept = [path for path in self.path.parent.glob(f"{glob.escape(self.path.name)}.interrupted*") if path.is_dir()]
        ours = [path for path in kept if self._identity in (None, _made_by(path))]
        if kept and not ours:
            raise ValueError(
                f"{kept[0]} was made from another input, by another model or with other options than this: give those "
                "again, or leave out --resume"
            )
        longest = max(filter(self._frames_in, ours), key=self._frames_in, default=None)
        if longest is not None:
            remove_abandoned(longest)
            self._refuse_foreign(longest)
        return longest

    def _frames_in(self, folder: Path) -> int:
        """Number of frames that are there, from the first on."""
        count = 0
        while (self._names is None or count < len(self._names)) and (folder / self._name(count)).is_file():
            count += 1
        return count

    def _name(self, number: int) -> str:
        return f"{self._names[number] if self._names else NUMBERED.format(number)}{self.suffix}"

    def write(self, frame: Frame) -> None:
        """Takes the next frame: uint8 or uint16, or float32 radiance."""
        image, alpha = frame.image, frame.alpha
        if image.dtype == np.uint16 and self.suffix not in (*HDR_SUFFIXES, *DEEP_SUFFIXES):
            image, alpha = _eight_bits(image), None if alpha is None else _eight_bits(alpha)
            self.note(f"holds 8 of the 16 bits that the frames have: {self.suffix} can hold no more")
        if alpha is not None and self.suffix not in ALPHA_SUFFIXES:
            self.note_alpha(alpha)
        icc, exif = frame.metadata
        if icc and self.suffix not in METADATA_SUFFIXES:
            self.note(f"is without the colour profile of the images: {self.suffix} cannot hold it")
        if exif and (self.suffix not in METADATA_SUFFIXES or self.suffix in TIFF_SUFFIXES):
            self.note(f"is without the EXIF data of the images: {self.suffix} does not hold them here")
        write_image(self._partial / self._name(self._count), image, alpha, metadata=frame.metadata)
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._count and kind is None:
            (self._partial / MADE_BY).unlink(missing_ok=True)
            self._move_to(self.path)
            self.written = self.path
            return
        if self._count and self._keep:
            self.written = self._partial
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


def _made_by(folder: Path) -> str | None:
    path = folder / MADE_BY
    return path.read_text() if path.is_file() else None


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Rounds 16-bit values to 8 bits."""
    return np.round(values / 257).astype(np.uint8)
