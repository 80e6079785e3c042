"""Writes the tables of documents anew from the files of results: a document says what the files say.

Usage: python tools/experiments/fill_tables.py README.md docs/results.md [--check]

Where a document has a line `<!-- table.py ARGUMENTS -->`, what table.py prints with these arguments replaces the table
that follows. The arguments must ask for one table; paths are seen from the repository. --check only says whether all
are as they should be.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

from grid import ROOT
from table import parser, tables

from mmtempreg.fileio import replace_when_written

MARKED = re.compile(r"(<!-- table\.py ([^>]*) -->\n\n?)((?:\|.*\n)*)")


def table_of(arguments: str) -> str:
    """The one table that these arguments of table.py ask for.

    Raises:
        ValueError: If that is not one table.
    """
    args = parser().parse_args(shlex.split(arguments))
    args.results = [ROOT / path for path in args.results]
    found = list(tables(args))
    if len(found) != 1:
        raise ValueError(f"these are {len(found)} tables, name one with --prefix: {arguments}")
    return found[0][1] + "\n"


def filled(text: str) -> str:
    """A document with its tables written anew."""
    return MARKED.sub(lambda match: match[1] + table_of(match[2]) + ("" if match[3] else "\n"), text)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("documents", type=Path, nargs="+")
    arguments.add_argument("--check", action="store_true", help="write nothing; fail if a table is not as it should be")
    args = arguments.parse_args()
    try:
        old = {path: path.read_text() for path in args.documents}
        new = {path: filled(text) for path, text in old.items()}
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    changed = [path for path in old if old[path] != new[path]]
    if args.check and changed:
        sys.exit(f"tables differ from the results: {', '.join(map(str, changed))}")
    for path in changed:
        with replace_when_written(path) as partial:
            partial.write_text(new[path])
    print(f"{len(changed)} of {len(old)} documents have changed")


if __name__ == "__main__":
    main()
