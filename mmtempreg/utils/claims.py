"""Claims on what a run reads and writes: nothing is lost that is read, made by others, or being written.

A lock file, `.NAME.lock`, stands beside each output while it is made, and `.lock` in a work directory; it says by which
process. The system lets go of the lock when that ends, in whatever way: a file that is left over hinders nobody.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import platform
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import combinations
from pathlib import Path

from .atomic_write import check_output

_held: dict[Path, int] = {}
"""Lock file -> the process that holds it: a fork has this list too, and not the locks."""


def check_input(path: str | Path) -> Path:
    """Checks that an input can be read from its beginning as often as needed.

    Raises:
        ValueError: If it is a pipe, a socket or a device, which would be waited for.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        kind = "a pipe" if stat.S_ISFIFO(path.stat().st_mode) else "a device"
        raise ValueError(f"{path} is {kind}, which cannot be read twice: save what comes from it as a file")
    return path


@contextmanager
def claimed_outputs(
    files: Iterable[str | Path | None] = (),
    folders: Iterable[str | Path | None] = (),
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> Iterator[None]:
    """Checks what a run will write, and holds it while the block runs.

    Args:
        files, folders: All that is written; None is left out.
        inputs: All that is read; of a folder, or of a pattern's, each file in it counts. None is left out.
        overwrite: What is there may be replaced.

    Raises:
        FileExistsError: If it is there already (a folder: with something in it), or another process is writing it.
        ValueError: If it is read, two outputs are one, one would lie in another, or an input is a pipe.
        OSError: As `atomic_write.check_output`.
    """
    outputs = [(Path(path), False) for path in files if path is not None]
    outputs += [(Path(path), True) for path in folders if path is not None]
    read = [check_input(path) for path in inputs if path is not None]
    for path, folder in outputs:
        check_output(path, read, folder)
        _check_not_among(path, folder, read)
    _check_apart([path for path, _ in outputs])
    for path, _ in outputs:
        if not overwrite and (any(path.iterdir()) if path.is_dir() else path.exists()):
            raise FileExistsError(f"{path} is there already: choose another name, or overwrite it (--overwrite)")
    with ExitStack() as stack:
        for path, _ in outputs:
            real = Path(os.path.realpath(path))
            stack.enter_context(_held_lock(real.with_name(_lock_name(real.name)), path))
        yield


@contextmanager
def claimed_work_dir(path: str | Path) -> Iterator[None]:
    """Holds a folder that a run adds to and that may hold something already, such as a training's.

    Raises:
        FileExistsError: If another process is writing there.
        OSError: If it is a file, or must not be written.
    """
    folder = Path(os.path.realpath(path))
    lock = folder / ".lock"
    check_output(lock if folder.is_dir() else folder, folder=not folder.is_dir())  # its parent may be read-only
    with _held_lock(lock, Path(path)):
        yield


def _check_not_among(path: Path, folder: bool, read: Iterable[Path]) -> None:
    """Raises ValueError if a file lies among those that are read, or a folder holds some of them."""
    real = Path(os.path.realpath(path))
    for other in read:
        pattern = glob.has_magic(str(other)) and not other.exists()
        place = Path(os.path.realpath(other.parent if pattern else other))
        if not folder and path.exists() and place.is_dir() and real.parent == place:
            raise ValueError(f"{path} is there and lies in {place}, which is read: choose another name")
        if folder and path.exists() and real in (place, *place.parents):
            raise ValueError(f"{path} holds {other}, which is read and would be overwritten: choose another name")


def _check_apart(paths: Iterable[Path]) -> None:
    """Raises ValueError if two outputs are one, or one lies in another."""
    for one, other in combinations(paths, 2):
        first, second = (Path(os.path.realpath(path)) for path in (one, other))
        if first == second:
            raise ValueError(f"two outputs are both {other}: give each a name of its own")
        if first in second.parents or second in first.parents:
            raise ValueError(f"of the outputs {one} and {other} one lies in the other: give each a place of its own")


def _lock_name(name: str) -> str:
    """Name of a file's or folder's lock; names cannot be longer than 255 bytes."""
    data = os.fsencode(name)
    return f".{name}.lock" if len(data) < 240 else f".{hashlib.sha256(data).hexdigest()[:32]}.lock"


@contextmanager
def _held_lock(lock: Path, what: Path) -> Iterator[None]:
    if _held.get(lock) == os.getpid():  # by this process, for the work that this is part of
        yield
        return
    made = [folder for folder in lock.parents if not folder.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(lock, what)
    _held[lock] = os.getpid()
    try:
        yield
    finally:
        if _held.get(lock) == os.getpid():
            del _held[lock]
            lock.unlink(missing_ok=True)  # first: who has opened it then finds that it is another's no more
            os.close(descriptor)
            with suppress(OSError):  # where nothing came to be written there are no new folders either
                for folder in made:
                    folder.rmdir()


def _acquire(lock: Path, what: Path) -> int:
    """The open file whose lock is ours.

    The lock is POSIX's, of a process: a data loader's worker, which is a fork, does not keep it when its trainer is
    killed, and it holds between machines that share a disk.
    """
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                holder = os.pread(descriptor, 1000, 0).decode(errors="replace") or "another process"
                os.close(descriptor)
                raise FileExistsError(
                    f"{what} is being written by {holder}: wait until that has ended, or choose another name"
                ) from None
            # else the file system has no locks: what is there then is all that can be done
        try:
            current = os.stat(lock).st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            current = False
        if current:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} of {platform.node()}".encode(), 0)
            return descriptor
        os.close(descriptor)  # of another process that was done at this moment
