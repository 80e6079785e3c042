"""Writes the tables of documents anew from the files of results: a document says what the files say.

Usage: python -m experiments.fill_tables README.md docs/results.md docs/metrics.md [--check]

Where a document has a line `<!-- table.py ARGUMENTS -->`, what table.py prints with these arguments replaces the table
that follows. The arguments must ask for one table; paths are seen from the repository. `<!-- measures -->` stands
before the table of all measures of clips, as they describe themselves. --check only says whether all are as they should
be.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, run

from .grid import ROOT
from .table import markdown_table, parser, tables

MARKED = re.compile(r"(<!-- (table\.py ([^>]*)|measures) -->\n\n?)((?:\|.*\n)*)")


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


def measures_table() -> str:
    """All measures, as they describe themselves."""
    from mmtempreg.meters import METERS

    lines = []
    for meter in METERS.values():
        of = "display values" if meter.display else "any domain"
        lines.append([f"`{meter.name}`", f"`{meter.metric}`", meter.about, meter.better, of, meter.reference])
    return markdown_table(["value in results", "what", "better", "of", "reference"], lines) + "\n"


def filled(text: str) -> str:
    """A document with its tables written anew."""

    def written(match: re.Match) -> str:
        table = table_of(match[3]) if match[3] is not None else measures_table()
        return match[1] + table + ("" if match[4] else "\n")

    return MARKED.sub(written, text)


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("documents", type=Path, nargs="+")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is not as it should be")
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Writes the tables anew, or checks them."""
    old = {path: path.read_text() for path in args.documents}
    new = {path: filled(text) for path, text in old.items()}
    changed = [path for path in old if old[path] != new[path]]
    if args.check and changed:
        sys.exit(f"tables differ from the results: {', '.join(map(str, changed))}")
    for path in changed:
        with replace_when_written(path) as partial:
            partial.write_text(new[path])
    print(f"{len(changed)} of {len(old)} documents have changed")


if __name__ == "__main__":
    main()
