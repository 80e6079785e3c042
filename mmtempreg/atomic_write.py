"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_when_written(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and renames it to `path` when the block ends.

    Whoever reads `path`, at whatever moment and after whatever crash, finds the old file or the new one. The
    temporary name starts with a dot and keeps the suffix, which many writers choose the format by. Folders are made.
    If the block raises, `path` stays as it was and the temporary file is removed.
    """
    partial = partial_path(path)
    try:
        yield partial
        move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: str | Path) -> Path:
    """A temporary path beside `path`, whose folders are made: starts with a dot, and keeps the suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".partial_{os.getpid()}_{path.name}")


def move_into_place(partial: Path, path: str | Path) -> None:
    """Renames a file that is written, after its content is on the disk."""
    with open(partial, "rb") as file:
        os.fsync(file.fileno())  # the rename must not reach the disk before the content
    os.replace(partial, path)
