"""The file of results of a sweep: a line of CSV for each cell."""

from __future__ import annotations

import csv
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written

KEY = ("task", "strategy", "alpha", "seed", "config_hash")
"""What tells a cell from others."""

Row = dict[str, str]


def read_results(path: str | Path) -> list[Row]:
    """The rows; none if there is no such file yet.

    Raises:
        ValueError: If columns are missing.
    """
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if missing := [name for name in KEY if rows and rows[0].get(name) is None]:
        raise ValueError(f"{path} is no file of a sweep's results: it lacks the columns {missing}")
    return rows


def append_result(path: str | Path, row: Mapping[str, object]) -> None:
    """Adds a row, or replaces that of the same cell; several processes may do so at once."""
    with _locked(Path(path)):
        new = {name: str(value) for name, value in row.items()}
        rows = [old for old in read_results(path) if _key(old) != _key(new)]
        _write(path, [*rows, new])


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _write(path: str | Path, rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replace_when_written(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
