"""Tables, on the terminal and in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .meters import METERS, EquivarianceMeter, Meter, PSNRMeter, column_of


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], bold: int | None = None) -> None:
    """Prints a table, however wide: what does not fit the terminal goes on in its next line, and nothing is cut.

    Args:
        headings: Titles of the columns.
        rows: Texts, shown as they are.
        bold: Number of the row that stands out.
    """
    table = Table(*map(escape, headings))
    for number, row in enumerate(rows):
        table.add_row(*map(escape, row), style="bold" if number == bold else None)
    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)


def columns_of(names: Iterable[str]) -> dict[str, tuple[str, type[Meter]]]:
    """Those of the metrics that have a column, with heading and measure, in the order of columns."""
    found = {name: column for name in names if (column := column_of(name))}
    order = list(METERS.values())
    order.insert(order.index(PSNRMeter) + 1, EquivarianceMeter)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1][1]), item[1][0])))


def cell(values: Sequence[float], meter: type[Meter]) -> str:
    """Mean, and sample standard deviation if there is more than one value."""
    text = meter.format(statistics.fmean(values))
    if len(values) == 1 or text == "n/a":
        return text
    spread = statistics.stdev(values)
    return f"{text} ± {spread:.2g}" if meter.spec.endswith("g") else f"{text} ± {meter.format(spread)}"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; each row begins with its name, over which nothing stands."""
    head = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in rows)])
