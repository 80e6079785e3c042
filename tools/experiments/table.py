"""The results of a sweep as Markdown tables: a row for each strategy and strength, as in the paper's Tables 3 and 4.

Usage: python tools/experiments/table.py RESULTS.csv [--strategies NAME ...] [--alphas A ...] [--prefix PREFIX]

Mean and standard deviation over the seeds that are there; their number stands in the last column.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from grid import STRATEGIES, TASKS, VARIANTS, Strategy
from results import Row, read_results

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis_tools"))
from metrics_table import COLUMNS, cell


def groups(rows: Iterable[Row], names: Iterable[str]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each (strategy, strength), strategies in this order, strengths rising; others are left out."""
    found: dict[tuple[str, str], list[Row]] = {}
    order = list(names)
    for row in rows:
        found.setdefault((row["strategy"], row["alpha"]), []).append(row)
    keys = [key for key in found if key[0] in order]
    return {key: found[key] for key in sorted(keys, key=lambda key: (order.index(key[0]), float(key[1] or 0)))}


def markdown(rows: Iterable[Row], strategies: Mapping[str, Strategy], prefix: str = "") -> str:
    """The table of one set of clips, of these strategies in this order."""
    found = groups(rows, strategies)
    lead = f"{prefix}/" if prefix else ""
    some = next(iter(found.values()))[0]
    measured = [name for name in COLUMNS if some.get(lead + name)]
    lines = ["| | " + " | ".join(COLUMNS[name][0] for name in measured) + " | seeds |"]
    lines += ["|---" * (len(measured) + 2) + "|"]
    for (strategy, alpha), group in found.items():
        title = strategies[strategy].title + (f" {float(alpha):g}" if alpha else "")
        values = [cell([float(row[lead + name]) for row in group], COLUMNS[name][1]) for name in measured]
        lines.append(f"| {title} | " + " | ".join(values) + f" | {len(group)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    known = {**STRATEGIES, **VARIANTS}
    parser.add_argument("--strategies", nargs="+", choices=known, default=list(known), metavar="NAME")
    parser.add_argument("--alphas", type=float, nargs="+", help="only these strengths")
    parser.add_argument("--prefix", help="only this set of clips")
    args = parser.parse_args()
    try:
        rows = read_results(args.results)
        if not rows:
            raise ValueError(f"{args.results} holds no results")
    except ValueError as error:
        sys.exit(f"error: {error}")
    if args.alphas:
        rows = [row for row in rows if not row["alpha"] or float(row["alpha"]) in args.alphas]
    for prefix, title in TASKS[rows[0]["task"]].prefixes.items():
        if args.prefix in (None, prefix):
            print(f"\n{title}\n\n{markdown(rows, {name: known[name] for name in args.strategies}, prefix)}")


if __name__ == "__main__":
    main()
