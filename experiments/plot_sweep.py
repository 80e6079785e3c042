"""Draws the results of a sweep: F, K, PSNR, S and R against alpha, and what steadiness costs in detail and PSNR.

Usage: python -m experiments.plot_sweep RESULTS.csv [RESULTS.csv ...] OUTPUT.png [--strategies NAME[=ALPHA] ...]
       [--prefix PREFIX] [--kind {strength,trade-off,length}]
       python -m experiments.plot_sweep RESULTS.json OUTPUT.png, of what real_models.py has measured

`strength`: the paper's Figures 4 and 5, one line for each strategy, mean and standard deviation over the seeds;
strategies without a strength are dashed lines. `trade-off`: a point for each strategy and strength in the planes of F
and K, and of F and PSNR, with the Pareto front. `length`: all of them against the iterations, of sweeps with several
schedules. Of published networks: the excess of E_warp and the detail that is kept. Only what was measured is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, run

from .grid import KNOWN, STRATEGIES, TASKS, Strategy
from .results import Row, one_of_each_seed, read_results
from .table import Group, groups, parse_group, title_of

if TYPE_CHECKING:
    import numpy as np


os.environ.setdefault("MPLBACKEND", "Agg")  # draws into files, whether there is a display or not
METRICS = {
    "F": ("TemporalFlicker",),
    "K": ("SpatialDetail",),
    "PSNR [dB]": ("SaturatedPSNR", "ClipPSNR"),
    "S": ("TemporalSmoothness",),
    "R": ("TemporalResidual",),
}
"""Axis title -> the columns that may hold it."""


def position(alpha: float) -> float:
    """Place of a strength on the axis: -log10(1 - alpha), so that 0.9 and 0.99 lie as far apart as 0 and 0.9."""
    import numpy as np

    return -float(np.log10(1 - alpha))


class Points:
    """Mean and standard deviation of each (strategy, strength) in one set of clips.

    Args:
        rows: Rows of a file of results.
        strategies: Which, by name.
        prefix: What the metrics of the set of clips begin with.
    """

    def __init__(self, rows: Sequence[Row], strategies: dict[str, Strategy], prefix: str) -> None:
        self.strategies = strategies
        self.groups = groups(rows, [(name, "") for name in strategies])
        self.lead = f"{prefix}/" if prefix else ""

    def values(self, key: tuple[str, str], title: str) -> list[float]:
        """The values of a metric, one for each seed."""
        names = [self.lead + name for name in METRICS[title]]
        return [float(next(row[name] for name in names if row.get(name))) for row in self.groups[key]]

    def mean(self, key: tuple[str, str], title: str) -> float:
        return statistics.mean(self.values(key, title))

    def spread(self, key: tuple[str, str], title: str) -> float:
        """Sample standard deviation; 0 of a single value."""
        values = self.values(key, title)
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def complete(self, keys: Sequence[tuple[str, str]]) -> np.ndarray:
        """Marks those that have as many seeds as any has; the baseline, which is not trained, has."""
        import numpy as np

        many = max(len(rows) for rows in self.groups.values())
        return np.array([len(self.groups[key]) == many or key[0] == "baseline" for key in keys])

    def seeds(self) -> str:
        """Numbers of seeds behind the points."""
        counts = [len(rows) for (name, _), rows in self.groups.items() if name != "baseline"] or [1]
        few, many = min(counts), max(counts)
        return f"{many} seed{'s' * (many > 1)}" if few == many else f"{many} seeds (hollow: fewer, {few} at least)"


def strength_figure(points: Points, title: str) -> Any:
    """All of `METRICS` against alpha, one above the other."""
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(len(METRICS), 1, figsize=(7, 12), sharex=True, layout="constrained")
    strengths = sorted({float(alpha) for _, alpha in points.groups if alpha})
    for panel, metric in zip(axes, METRICS):
        for number, (name, strategy) in enumerate(points.strategies.items()):
            keys = [key for key in points.groups if key[0] == name]
            if not keys:
                continue
            means = np.array([points.mean(key, metric) for key in keys])
            spreads = np.array([points.spread(key, metric) for key in keys])
            style: dict[str, Any] = dict(color=f"C{number}", label=strategy.title)
            if strategy.alphas:
                x, solid = np.array([position(float(alpha)) for _, alpha in keys]), points.complete(keys)
                panel.plot(x[solid], means[solid], marker="o", markersize=4, **style)
                # others apart: joined to means over more seeds, they would bend the line
                panel.plot(x[~solid], means[~solid], "o", markersize=4, markerfacecolor="none", color=style["color"])
                low, high = (means - spreads)[solid], (means + spreads)[solid]
                panel.fill_between(x[solid], low, high, color=style["color"], alpha=0.12, linewidth=0)
            else:
                panel.axhline(means[0], linestyle=":" if name == "baseline" else "--", linewidth=1.3, **style)
                panel.axhspan(
                    means[0] - spreads[0], means[0] + spreads[0], color=style["color"], alpha=0.1, linewidth=0
                )
        if metric in ("F", "K", "S"):
            panel.axhline(1, color="black", linewidth=0.8, alpha=0.5)  # the truth
        panel.set_ylabel(metric)
        panel.grid(alpha=0.3)
    axes[-1].set_xticks([position(alpha) for alpha in strengths], [f"{alpha:g}" for alpha in strengths])
    axes[-1].set_xlabel("regularisation strength α")
    axes[0].set_title(f"{title}\nmean and standard deviation over {points.seeds()}", fontsize="medium")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def pareto(costs: np.ndarray) -> np.ndarray:
    """Indices of the (N, 2) points that no other beats in both costs, in rising order of the first."""
    import numpy as np

    order = np.lexsort((costs[:, 1], costs[:, 0]))
    best, front = np.inf, []
    for index in order:
        if costs[index, 1] < best:
            best = costs[index, 1]
            front.append(index)
    return np.array(front, dtype=int)


def trade_off_figure(points: Points, title: str) -> Any:
    """The planes of F and K, and of F and PSNR; F of 1 is as steady as the truth."""
    import matplotlib
    import matplotlib.pyplot as plt
    import matplotlib.ticker
    import numpy as np

    figure, axes = plt.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
    for panel, metric in zip(axes, ("K", "PSNR [dB]")):
        keys = list(points.groups)
        xy = np.array([[points.mean(key, "F"), points.mean(key, metric)] for key in keys])
        for number, (name, strategy) in enumerate(points.strategies.items()):
            mine = [i for i, key in enumerate(keys) if key[0] == name]
            if not mine:
                continue
            spread = [[points.spread(keys[i], m) for i in mine] for m in ("F", metric)]
            style = dict(color=f"C{number % 10}", marker="os^Dvp*X"[number // 10 + (number % 10) % 2 * 3])
            panel.errorbar(*xy[mine].T, xerr=spread[0], yerr=spread[1], linewidth=0.8, label=strategy.title, **style)
            hollow = xy[mine][~points.complete([keys[i] for i in mine])]
            panel.plot(*hollow.T, marker="o", markersize=3, color="white", linestyle="none", zorder=5)
            for i in mine:
                panel.annotate(keys[i][1], xy[i], textcoords="offset points", xytext=(4, 4), fontsize=7)
        front = pareto(np.stack([xy[:, 0], -xy[:, 1]], axis=1))
        panel.plot(*xy[front].T, color="black", linewidth=3, alpha=0.25, zorder=0, label="Pareto front")
        panel.set(xlabel="F (1: as steady as the truth; to the right it flickers)", ylabel=metric, xscale="log")
        panel.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:g}"))
        panel.xaxis.set_minor_formatter(matplotlib.ticker.StrMethodFormatter("{x:g}"))
        panel.grid(alpha=0.3)
    figure.suptitle(f"{title}: mean and standard deviation over {points.seeds()}; numbers are α", fontsize="medium")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def length_figure(rows: Sequence[Row], wanted: Sequence[Group], sets: Mapping[str, str]) -> Any:
    """All of `METRICS` against the iterations, a column for each set of clips; dotted: what was fine-tuned.

    Raises:
        ValueError: If rows do not tell their iterations.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    if any(not row.get("iterations") for row in rows):
        raise ValueError("the results do not tell how long was trained: their column `iterations` is missing or empty")
    chosen = groups(rows, wanted)
    figure, axes = plt.subplots(
        len(METRICS), len(sets), figsize=(5 * len(sets) + 1, 12), sharex=True, squeeze=False, layout="constrained"
    )
    for column, (prefix, title) in zip(axes.T, sets.items()):
        column[0].set_title(title, fontsize="medium")
        for panel, metric in zip(column, METRICS):
            for number, (key, group) in enumerate(chosen.items()):
                style: dict[str, Any] = dict(color=f"C{number}", label=title_of(*key))
                lengths = sorted({int(row["iterations"]) for row in group})
                points = [
                    Points([row for row in group if int(row["iterations"]) == n], {key[0]: KNOWN[key[0]]}, prefix)
                    for n in lengths
                ]
                means = np.array([one.mean(key, metric) for one in points])
                if lengths == [0]:
                    panel.axhline(means[0], linestyle=":", linewidth=1.3, **style)
                    continue
                spreads = np.array([one.spread(key, metric) for one in points])
                panel.plot(lengths, means, marker="o", markersize=4, **style)
                panel.fill_between(lengths, means - spreads, means + spreads, color=style["color"], alpha=0.12)
            if metric in ("F", "K", "S"):
                panel.axhline(1, color="black", linewidth=0.8, alpha=0.5)  # the truth
            panel.set_ylabel(metric)
            panel.grid(alpha=0.3)
        ticks = sorted({int(row["iterations"]) for row in rows} - {0})
        column[-1].set(xscale="log", xlabel="iterations")
        column[-1].set_xticks(ticks, [f"{n:,}" for n in ticks])
        column[-1].minorticks_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def frontier_figure(values: Mapping[str, Any]) -> Any:
    """The plane of the excess of E_warp and of K kept, for each kind of clips: what steadiness costs in detail."""
    import matplotlib.pyplot as plt
    import numpy as np

    kinds = [kind for kind in ("videos", "pans") if values[kind]]
    figure, axes = plt.subplots(1, len(kinds), figsize=(5.5 * len(kinds), 5.5), layout="constrained", squeeze=False)
    for panel, kind in zip(axes[0], kinds):
        xy = np.array(
            [
                [
                    statistics.fmean(clip[network][name] for clip in values[kind].values())
                    for name in ("excess", "K kept")
                ]
                for network in values["networks"]
            ]
        )
        for number, (network, point) in enumerate(zip(values["networks"], xy)):
            marker = "os^Dvp*X"[number // 10 + number % 2 * 4]
            panel.plot(*point, marker, color=f"C{number % 10}", markersize=8, label=network)
        front = pareto(np.stack([xy[:, 0], -xy[:, 1]], axis=1))
        panel.plot(*xy[front].T, color="black", linewidth=3, alpha=0.25, zorder=0, label="Pareto front")
        panel.axhline(1, color="black", linewidth=0.8, alpha=0.5)
        panel.set(xlabel="excess of E_warp over the truth's (0: as steady as the truth)", ylabel="K kept", title=kind)
        panel.grid(alpha=0.3)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS")
    parser.add_argument("output", type=Path)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), metavar="NAME[=ALPHA]")
    parser.add_argument("--prefix", nargs="+", help="set of clips (default: the first); of `length` several")
    parser.add_argument("--kind", choices=("strength", "trade-off", "length"), default="strength")
    run(parser, plot)


def plot(args: argparse.Namespace) -> None:
    """Draws what is asked for."""
    claim(args.output, inputs=args.results, overwrite=args.overwrite)
    if args.results[0].suffix == ".json":
        save(frontier_figure(json.loads(args.results[0].read_text())), args.output)
        return
    wanted = [parse_group(text) for text in args.strategies]
    rows = one_of_each_seed([row for path in args.results for row in read_results(path)])
    if not rows:
        raise ValueError(f"{', '.join(map(str, args.results))}: no results")
    sets = TASKS[rows[0]["task"]].prefixes
    prefixes = args.prefix or [next(iter(sets))]
    if unknown := [prefix for prefix in prefixes if prefix not in sets]:
        raise ValueError(f"there is no set of clips {unknown[0]!r}: choose from {', '.join(sets)}")
    if args.kind == "length":
        save(length_figure(rows, wanted, {prefix: sets[prefix] for prefix in prefixes}), args.output)
        return
    rows = [row for group in groups(rows, wanted).values() for row in group]
    points = Points(rows, {name: KNOWN[name] for name, _ in wanted}, prefixes[0])
    figure = strength_figure if args.kind == "strength" else trade_off_figure
    save(figure(points, sets[prefixes[0]]), args.output)


def save(figure: Any, path: Path) -> None:
    """Writes a figure whole."""
    import matplotlib.pyplot as plt

    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=120)
    plt.close(figure)
    print(path)


if __name__ == "__main__":
    main()
