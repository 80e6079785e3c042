"""The file of results of a sweep: a line of CSV for each cell."""

from __future__ import annotations

import csv
import fcntl
import io
from collections import Counter
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
        ValueError: If columns are missing, a row is cut off or has too much, or a cell is there twice.
    """
    if not Path(path).exists():
        return []
    text = Path(path).read_text()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    if missing := [name for name in KEY if rows and name not in rows[0]]:
        raise ValueError(f"{path} is no file of a sweep's results: it lacks the columns {missing}")
    for number, row in enumerate(rows, start=1):
        last = number == len(rows)
        if None in row or None in row.values() or (last and not text.endswith("\n")):
            raise ValueError(f"{path}: row {number} is cut off, or has too many values: remove it, and make it again")
    if repeated := [key for key, count in Counter(map(_key, rows)).items() if count > 1]:
        raise ValueError(f"{path} holds {dict(zip(KEY, repeated[0]))} more than once: leave one of these rows")
    return rows


def one_of_each_seed(rows: Sequence[Row]) -> list[Row]:
    """Rows of several files, without those that are in two of them.

    Raises:
        ValueError: If there are two results for a seed and a length, which would count as two seeds.
    """
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = (*(row[name] for name in KEY[:4]), row.get("iterations", ""))
        if found.setdefault(key, row) != row:
            hashes = " and ".join(other["config_hash"] for other in (found[key], row))
            raise ValueError(
                f"there are two results for {dict(zip(KEY[:4], key))}, of the configs {hashes}: leave one of them"
            )
    return list(found.values())


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
