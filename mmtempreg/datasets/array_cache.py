"""An array on disk that is made once, and then shared by all processes through the page cache."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..atomic_write import replace_when_written


def cached_array(path: Path, shape: tuple[int, ...], dtype: str, rows: Iterable[np.ndarray]) -> np.ndarray:
    """The read-only memory-mapped array at `path`; made from `rows` first if it is not there.

    Of several processes that ask at once, one makes it and the others wait. It is written under a temporary
    name: what a process that is killed leaves behind cannot be taken for the array, and is removed by the next.

    Args:
        path: The .npy file; folders are made.
        shape: (number of rows, ...).
        dtype: NumPy dtype name.
        rows: Gives the rows in order; looked at only if the file is not there.

    Raises:
        ValueError: If the file holds an array of another shape or dtype, or `rows` has not the number of rows.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when a process dies
            if not path.exists():
                for abandoned in path.parent.glob(f".partial_*_{path.name}"):  # by a process that was killed
                    abandoned.unlink()
                _write(path, shape, dtype, rows)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ValueError(f"{path} holds {array.dtype} of shape {array.shape}, expected {dtype} {shape}: delete it")
    return array


def _write(path: Path, shape: tuple[int, ...], dtype: str, rows: Iterable[np.ndarray]) -> None:
    with replace_when_written(path) as partial:
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
        count = 0
        for row in tqdm(rows, desc=f"making {path.name}", total=shape[0], unit="image"):
            array[count] = row
            count += 1
        if count != shape[0]:
            raise ValueError(f"{path}: expected {shape[0]} rows, got {count}")
        array.flush()
        del array
