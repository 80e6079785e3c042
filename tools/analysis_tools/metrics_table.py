"""Prints the metrics that tools/test.py --out has written, as a Markdown table.

Usage: python tools/analysis_tools/metrics_table.py NAME=FILE[,FILE...] ... [--prefix PREFIX]

Several files of a name, such as those of several seeds, give mean and standard deviation.
"""

import argparse
import json
import statistics
from pathlib import Path

COLUMNS = {"SaturatedPSNR": "PSNR [dB]", "TemporalSmoothness": "S", "TemporalResidual": "R"}
DECIMALS = {"SaturatedPSNR": 2, "TemporalSmoothness": 3, "TemporalResidual": 3}


def read_metrics(path: str, prefix: str = "") -> dict:
    """A file of tools/test.py --out; raises ValueError if it lacks one of the three metrics."""
    metrics = json.loads(Path(path).read_text())
    if prefix:
        metrics = {key.removeprefix(f"{prefix}/"): v for key, v in metrics.items() if key.startswith(f"{prefix}/")}
    missing = [key for key in COLUMNS if key not in metrics]
    if missing:
        raise ValueError(f"{path} lacks {missing}: test with a config whose evaluator has them")
    return metrics


def cell(values: list, decimals: int) -> str:
    """Mean, and sample standard deviation if there is more than one value."""
    text = f"{statistics.mean(values):.{decimals}f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.{decimals}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="NAME=FILE[,FILE...]")
    parser.add_argument("--prefix", default="", help="of the metrics' names, if the evaluator gives them one")
    args = parser.parse_args()
    rows = [row.partition("=")[::2] for row in args.rows]
    print("| | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" + "|---" * len(COLUMNS) + "|")
    for name, files in rows:
        metrics = [read_metrics(file, args.prefix) for file in files.split(",")]
        cells = [cell([m[key] for m in metrics], DECIMALS[key]) for key in COLUMNS]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
