"""An array on disk that is made once, and then shared by all processes through the page cache."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import shutil
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..utils.atomic_write import remove_abandoned, replace_when_written

MARK = b"crc32"
"""Bytes between the array and its checksum of 4 bytes."""


def cached_array(path: Path, *, shape: tuple[int, ...], dtype: str, rows: Iterable[np.ndarray]) -> np.ndarray:
    """The read-only memory-mapped array at `path`; made from `rows` first if it is not there, or damaged.

    Of several processes that ask at once, one makes it and the others wait. It is written under a temporary
    name: what a process that is killed leaves behind cannot be taken for the array, and is removed by the next. A
    checksum stands behind it, which is compared whenever the array is opened.

    Args:
        path: The .npy file; folders are made.
        shape: (number of rows, ...).
        dtype: NumPy dtype name.
        rows: Gives the rows in order; looked at only if the file has to be made.

    Raises:
        ValueError: If the file holds an array of another shape or dtype, or `rows` has not the number of rows.
        OSError: If there is not enough space for it; nothing is left then.
    """
    array = _read(path, shape, dtype)
    if array is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when a process dies
            array = _read(path, shape, dtype)
            if array is None:
                remove_abandoned(path.parent, path.name)
                _write(path, shape, dtype, rows)
                array = _read(path, shape, dtype)
                assert array is not None
    return array


def _read(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray | None:
    """The array; None if it has to be made."""
    if not path.exists():
        return None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        _say(path, f"is cut off or empty ({error})")
        return None
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ValueError(f"{path} holds {array.dtype} of shape {array.shape}, expected {dtype} {shape}: delete it")
    with open(path, "rb") as file:
        file.seek(array.offset + array.nbytes)
        end = file.read()
    if end and end != _seal(array):
        _say(path, "has changed since it was written")
        return None
    return array


def _say(path: Path, what: str) -> None:
    tqdm.write(f"{path} {what}: it is made anew", file=sys.stderr)


def _seal(array: np.ndarray) -> bytes:
    """The mark, and the checksum of an array's bytes."""
    return MARK + zlib.crc32(np.ravel(array).view(np.uint8).data).to_bytes(4, "little")


def _write(path: Path, shape: tuple[int, ...], dtype: str, rows: Iterable[np.ndarray]) -> None:
    with replace_when_written(path) as partial:
        _reserve(path, partial, shape, np.dtype(dtype))
        array = np.load(partial, mmap_mode="r+")
        count = 0
        for row in tqdm(rows, desc=f"making {path.name}", total=shape[0], unit="image"):
            if count == shape[0]:
                raise ValueError(f"{path}: expected {shape[0]} rows, got more")
            array[count] = row
            count += 1
        if count != shape[0]:
            raise ValueError(f"{path}: expected {shape[0]} rows, got {count}")
        array.flush()
        with open(partial, "ab") as file:
            file.write(_seal(array))
        del array


def _reserve(path: Path, partial: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """An array file without values, with its space on the disk.

    To write to a map of a file that does not fit the disk kills the process (SIGBUS).
    """
    with open(partial, "wb") as file:
        header = dict(descr=np.lib.format.dtype_to_descr(dtype), fortran_order=False, shape=shape)
        np.lib.format.write_array_header_1_0(file, header)
        size = file.tell() + math.prod(shape) * dtype.itemsize
        try:
            os.posix_fallocate(file.fileno(), 0, size + len(MARK) + 4)
            file.truncate(size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise
            free = shutil.disk_usage(path.parent).free
            raise OSError(
                f"{path} needs {size / 2**20:.0f} MiB, and {free / 2**20:.0f} MiB are free there: make room, or choose "
                "another place for it (the dataset's data_root or cache_dir)"
            ) from error
