"""Prints the metrics that tools/test.py --out has written, as a Markdown table.

Usage: python tools/analysis_tools/metrics_table.py NAME=FILE[,FILE...] ... [--prefix PREFIX]

Several files of a name, such as those of several seeds, give mean and standard deviation.
"""

import argparse
import json
import math
from pathlib import Path

from mmtempreg.utils.command_line import Parser, distinct, named, run, say

TOGETHER = ("F", "K", "PSNR [dB]")
"""What says nothing alone: a blur has a fine F, noise a fine K."""


def read_metrics(path: str, prefix: str = "") -> dict:
    """A file of tools/test.py --out; raises ValueError if it lacks F, K or PSNR, which stand together."""
    from mmtempreg.meters.columns import columns_of

    try:
        values = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a {type(values).__name__}, not the metrics of tools/test.py --out")
    metrics = {name: math.nan if v is None else v for name, v in values.items()}
    if prefix:
        metrics = {key.removeprefix(f"{prefix}/"): v for key, v in metrics.items() if key.startswith(f"{prefix}/")}
    titles = {column.title for column in columns_of(metrics).values()}
    missing = [title for title in TOGETHER if title not in titles]
    if missing:
        raise ValueError(f"{path} lacks {missing}: test with a config whose evaluator has them")
    return metrics


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("rows", nargs="+", type=named, metavar="NAME=FILE[,FILE...]")
    parser.add_argument("--prefix", default="", help="of the metrics' names, if the evaluator gives them one")
    run(parser, show)


def show(args: argparse.Namespace) -> None:
    """Reads all files and prints the table."""
    from mmtempreg.meters.columns import cell, columns_of
    from mmtempreg.utils.tables import markdown_table

    rows = distinct(args.rows).items()
    metrics = {name: [read_metrics(file, args.prefix) for file in files.split(",")] for name, files in rows}
    columns = columns_of(key for key in next(iter(metrics.values()))[0])
    columns = {key: c for key, c in columns.items() if all(key in values for row in metrics.values() for values in row)}
    lines = [
        [name, *(cell([values[key] for values in row], column.meter) for key, column in columns.items())]
        for name, row in metrics.items()
    ]
    say(markdown_table([column.title for column in columns.values()], lines))


if __name__ == "__main__":
    main()
