"""Tables, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .command_line import printable


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], bold: int | None = None) -> None:
    """Prints a table, however wide: what does not fit the terminal goes on in its next line, and nothing is cut.

    Args:
        headings: Titles of the columns.
        rows: Texts, shown as they are.
        bold: Number of the row that stands out.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(escape(printable(text)) for text in headings))
    for number, row in enumerate(rows):
        table.add_row(*(escape(printable(text)) for text in row), style="bold" if number == bold else None)
    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; each row begins with its name, over which nothing stands."""
    head = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in rows)])
