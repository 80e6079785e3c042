"""Frames into a folder of images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from ..utils.atomic_write import partial_path
from .frame_writer import FrameWriter, interrupted_name, make_way
from .frames import Frame
from .image_files import (
    ALPHA_SUFFIXES,
    DEEP_SUFFIXES,
    HDR_SUFFIXES,
    IMAGE_SUFFIXES,
    METADATA_SUFFIXES,
    TIFF_SUFFIXES,
    write_image,
)

NUMBERED = "{:06d}"
"""What frames are called that have no names."""


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
        super().__init__(path)
        self.suffix, self._names = suffix, names
        make_way(self.path, overwrite, folder=True)
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
        write_image(self._partial / f"{name}{self.suffix}", image, alpha, frame.metadata)
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._count and (kind is None or issubclass(kind, KeyboardInterrupt)):
            target = self.path if kind is None else interrupted_name(self.path)
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


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Of 16."""
    return np.round(values / 257).astype(np.uint8)
