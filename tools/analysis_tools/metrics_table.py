"""Prints the metrics that tools/test.py --out has written, as a Markdown table.

Usage: python tools/analysis_tools/metrics_table.py NAME=FILE[,FILE...] ... [--prefix PREFIX]

Several files of a name, such as those of several seeds, give mean and standard deviation.
"""

import argparse
import json
import math
from pathlib import Path

from mmtempreg.tables import cell, columns_of, markdown_table

TOGETHER = ("F", "K", "PSNR [dB]")
"""What says nothing alone: a blur has a fine F, noise a fine K."""


def read_metrics(path: str, prefix: str = "") -> dict:
    """A file of tools/test.py --out; raises ValueError if it lacks F, K or PSNR, which stand together."""
    metrics = {name: math.nan if v is None else v for name, v in json.loads(Path(path).read_text()).items()}
    if prefix:
        metrics = {key.removeprefix(f"{prefix}/"): v for key, v in metrics.items() if key.startswith(f"{prefix}/")}
    titles = {title for title, _ in columns_of(metrics).values()}
    missing = [title for title in TOGETHER if title not in titles]
    if missing:
        raise ValueError(f"{path} lacks {missing}: test with a config whose evaluator has them")
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="NAME=FILE[,FILE...]")
    parser.add_argument("--prefix", default="", help="of the metrics' names, if the evaluator gives them one")
    args = parser.parse_args()
    rows = [row.partition("=")[::2] for row in args.rows]
    metrics = {name: [read_metrics(file, args.prefix) for file in files.split(",")] for name, files in rows}
    columns = columns_of(key for key in next(iter(metrics.values()))[0])
    columns = {key: c for key, c in columns.items() if all(key in values for row in metrics.values() for values in row)}
    lines = [
        [name, *(cell([values[key] for values in row], meter) for key, (_, meter) in columns.items())]
        for name, row in metrics.items()
    ]
    print(markdown_table([title for title, _ in columns.values()], lines))


if __name__ == "__main__":
    main()
