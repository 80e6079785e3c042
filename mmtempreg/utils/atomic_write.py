"""Files that are there whole, or not at all, and what may be written where."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

LONGEST_NAME = 255
"""Bytes that file systems allow."""
ADDED = 64
"""Bytes at most of what a temporary name has before the name."""


@contextmanager
def replace_when_written(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and renames it to `path` when the block ends.

    Whoever reads `path`, at whatever moment and after whatever crash, finds the old file or the new one. The
    temporary name starts with a dot and keeps the suffix, which many writers choose the format by. Folders are made.
    If the block raises, `path` stays as it was and the temporary file is removed.

    Raises:
        OSError: If `path` is a link, a folder or a device: those are never replaced; if it cannot be written, with
            its name.
    """
    partial = partial_path(path)
    try:
        yield partial
        move_into_place(partial, path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(partial)):
            raise type(error)(error.errno, f"{path} cannot be written: {error.strerror or error}") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any, indent: int | None = 2) -> None:
    """Writes JSON that every reader takes, whole or not at all: null for NaN and infinity, a text for a path."""
    with replace_when_written(path) as partial:
        partial.write_text(json.dumps(_plain(value), indent=indent, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def check_output(path: str | Path, inputs: Iterable[str | Path] = (), folder: bool = False) -> None:
    """Checks before any work that an output can be written.

    Args:
        path: What is to be written.
        inputs: Files that are read, none of which may be it.
        folder: It becomes a folder, and not a file.

    Raises:
        OSError: If it is a link, a device, a folder instead of a file or the reverse, or must not be written there.
        ValueError: If it is one of the inputs, or `-`.
    """
    path = Path(path)
    if str(path) == "-":
        raise ValueError("nothing is written to the standard output: name a file or a folder instead of -")
    _check_kind(path, folder)
    for other in inputs if path.exists() else ():
        if Path(other).exists() and path.samefile(other):
            raise ValueError(f"{path} is read and would be overwritten: choose another name for what is written")
    there = path.parent
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {there} is no folder")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise PermissionError(f"{path} cannot be written: {there}: {error.strerror or error}") from error


def _check_kind(path: Path, folder: bool) -> None:
    """Raises OSError if what is there must not be replaced."""
    if path.is_symlink():
        raise OSError(f"{path} is a symbolic link, which would be replaced: name {path.resolve()} instead")
    if not path.exists():
        return
    if folder and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file, and a folder is to be written: choose another name")
    if not folder and path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file is to be written: choose another name")
    if not folder and not path.is_file():
        raise OSError(f"{path} is no file but a device, which would be replaced: choose another name")


def partial_path(path: str | Path) -> Path:
    """A temporary path beside `path`, whose folders are made: starts with a dot, and keeps the suffix.

    What processes that died have left half-written in its folder is removed, the first time that it is asked for there.

    Raises:
        OSError: If `path` is a link or a device.
    """
    path = Path(path)
    _check_kind(path, folder=path.is_dir())
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_once(path.parent.absolute())
    return path.with_name(f".partial_{os.getpid()}-{_host()}_{_short(path.name)}")


def move_into_place(partial: Path, path: str | Path) -> None:
    """Renames a file that is written, after its content is on the disk."""
    with open(partial, "rb") as file:
        os.fsync(file.fileno())  # the rename must not reach the disk before the content
    os.replace(partial, path)


@cache
def _clear_once(folder: Path) -> None:
    """Looks through a folder once, and not for each of the thousands of frames that go into it."""
    remove_abandoned(folder)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Removes what processes of this machine that are dead have left half-written.

    Args:
        folder: Where.
        name: Of which file; None: of any.
    """
    for partial in folder.glob(".partial_*"):
        found = re.fullmatch(r"\.partial_(\d+)(?:-([^_]*))?_(.*)", partial.name, flags=re.DOTALL)
        if (
            not found
            or (name is not None and found[3] != _short(name))
            or found[2] not in (None, _host())
            or _alive(int(found[1]))
        ):
            continue
        if partial.is_dir() and not partial.is_symlink():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def _short(name: str) -> str:
    """A name to which something can be added: a long one gives up its middle for its hash."""
    data = os.fsencode(name)
    if len(data) <= LONGEST_NAME - ADDED:
        return name
    suffix = Path(name).suffix if len(os.fsencode(Path(name).suffix)) < 16 else ""
    return f"{data[:ADDED].decode(errors='ignore')}{hashlib.sha256(data).hexdigest()[:16]}{suffix}"


def _host() -> str:
    """Tells processes of machines that share a disk apart."""
    return re.sub(r"[^A-Za-z0-9.-]", "", platform.node())[:24]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
