"""Prints the metrics that tools/test.py --out has written, as a Markdown table.

Usage: python tools/analysis_tools/metrics_table.py NAME=FILE[,FILE...] ... [--prefix PREFIX]

Several files of a name, such as those of several seeds, give mean and standard deviation.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

COLUMNS = {
    "SaturatedPSNR": ("PSNR [dB]", 2),
    "ClipPSNR": ("PSNR [dB]", 2),
    "TemporalSmoothness": ("S", 3),
    "TemporalResidual": ("R", 3),
    "WarpError": ("E_warp", 7),
    "TemporalOpticalFlow": ("tOF", 3),
    "ColorDistributionConsistency": ("CDC", 5),
    "VideoVDP": ("JOD", 2),
}
"""Metrics that have a column if they were measured, with its title and decimals."""


def read_metrics(path: str, prefix: str = "") -> dict:
    """A file of tools/test.py --out; raises ValueError if it lacks PSNR, S or R, which stand together."""
    metrics = json.loads(Path(path).read_text())
    if prefix:
        metrics = {key.removeprefix(f"{prefix}/"): v for key, v in metrics.items() if key.startswith(f"{prefix}/")}
    titles = {COLUMNS[key][0] for key in metrics if key in COLUMNS}
    missing = [title for title in ("PSNR [dB]", "S", "R") if title not in titles]
    if missing:
        raise ValueError(f"{path} lacks {missing}: test with a config whose evaluator has them")
    return metrics


def cell(values: list, decimals: int) -> str:
    """Mean, and sample standard deviation if there is more than one value."""
    text = f"{statistics.mean(values):.{decimals}f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.{decimals}f}"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; each row begins with its name, over which nothing stands."""
    head = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="NAME=FILE[,FILE...]")
    parser.add_argument("--prefix", default="", help="of the metrics' names, if the evaluator gives them one")
    args = parser.parse_args()
    rows = [row.partition("=")[::2] for row in args.rows]
    metrics = {name: [read_metrics(file, args.prefix) for file in files.split(",")] for name, files in rows}
    measured = [key for key in COLUMNS if all(key in values for row in metrics.values() for values in row)]
    lines = [
        [name, *(cell([values[key] for values in row], COLUMNS[key][1]) for key in measured)]
        for name, row in metrics.items()
    ]
    print(markdown_table([COLUMNS[key][0] for key in measured], lines))


if __name__ == "__main__":
    main()
