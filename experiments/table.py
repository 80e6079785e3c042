"""The results of a sweep as Markdown tables: a row for each strategy and strength, as in the paper's Tables 3 and 4.

Usage: python -m experiments.table RESULTS.csv [RESULTS.csv ...] [--strategies NAME[=ALPHA] ...] [--alphas A ...]
       [--prefix PREFIX] [--columns TITLE ...] [--against NAME[=ALPHA]]

Mean and standard deviation over the seeds that are there; their number stands in the last column. With --against the
differences to another strategy, taken seed by seed: at that ALPHA, or each row at its own. The files that rivals.py,
real_models.py and tune_alpha.py write (.json) are tables too. fill_tables.py writes all of these into documents.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.command_line import Parser, run
from mmtempreg.utils.tables import markdown_table

from .grid import KNOWN, TASKS
from .results import Row, one_of_each_seed, read_results

if TYPE_CHECKING:
    from mmtempreg.meters.columns import Column


Group = tuple[str, str]
"""A strategy and its strength, as they stand in the file."""


def parse_group(text: str) -> Group:
    """'NAME=ALPHA', or 'NAME' (the strength is then '').

    Raises:
        ValueError: If there is no such strategy, or ALPHA is no number.
    """
    name, _, alpha = text.partition("=")
    if name not in KNOWN:
        raise ValueError(f"there is no strategy {name!r}: choose from {', '.join(KNOWN)}")
    return name, str(float(alpha)) if alpha else ""


def groups(rows: Iterable[Row], wanted: Sequence[Group], alphas: Sequence[float] = ()) -> dict[Group, list[Row]]:
    """The rows of each (strategy, strength), in this order; without a strength all of them, or `alphas`, rising."""
    found: dict[Group, list[Row]] = {}
    for row in rows:
        found.setdefault((row["strategy"], row["alpha"]), []).append(row)
    rising = sorted(found, key=lambda key: float(key[1] or 0))
    rising = [key for key in rising if not alphas or not key[1] or float(key[1]) in alphas]
    keys = [key for name, alpha in wanted for key in rising if key[0] == name and alpha in ("", key[1])]
    return {key: found[key] for key in keys}


def measured_in(rows: Iterable[Row], prefix: str, titles: Sequence[str] = ()) -> list[str]:
    """Names of the metrics that any of the rows has, of those with a column (of these titles, if any are named)."""
    from mmtempreg.meters.columns import columns_of

    lead = f"{prefix}/" if prefix else ""
    names = {name.removeprefix(lead): None for row in rows for name in row if name.startswith(lead) and row[name]}
    columns = columns_of(name for name in names if "/" not in name)
    return [name for name, column in columns.items() if not titles or column.title in titles]


def values_of(rows: Iterable[Row], prefix: str, names: Sequence[str]) -> list[dict[str, float]]:
    """The metrics of each row; nan of those that it does not have."""
    lead = f"{prefix}/" if prefix else ""
    return [{name: float(row.get(lead + name) or math.nan) for name in names} for row in rows]


def differences(
    rows: Sequence[Row], others: Sequence[Row], prefix: str, names: Sequence[str]
) -> list[dict[str, float]]:
    """Metrics of the rows less those of the other of the same seed, where there is one."""
    by_seed = {row["seed"]: values for row, values in zip(others, values_of(others, prefix, names))}
    own = [(row["seed"], values) for row, values in zip(rows, values_of(rows, prefix, names))]
    return [{name: values[name] - by_seed[seed][name] for name in values} for seed, values in own if seed in by_seed]


def markdown(
    rows: Sequence[Row],
    wanted: Sequence[Group],
    prefix: str = "",
    against: Group | None = None,
    alphas: Sequence[float] = (),
    columns: Sequence[str] = (),
) -> str:
    """The table of one set of clips, of these strengths and columns if any are named; of differences with `against`."""
    from mmtempreg.meters.columns import columns_of

    lines: dict[Group, list[dict[str, float]]] = {}
    chosen = groups(rows, wanted, alphas)
    names = measured_in((row for group in chosen.values() for row in group), prefix, columns)
    for key, group in chosen.items():
        if against is None:
            lines[key] = values_of(group, prefix, names)
            continue
        name, alpha = against
        alpha = alpha or (key[1] if KNOWN[name].alphas else "")
        others = [row for row in rows if (row["strategy"], row["alpha"]) == (name, alpha)]
        if key != (name, alpha) and others and (found := differences(group, others, prefix, names)):
            lines[key] = found
    if not lines:
        raise ValueError("the file holds none of these")
    titles = {title_of(*key): values for key, values in lines.items()}
    truth = None if against else _truth(names, next(iter(chosen.values()))[0], prefix)
    return layout(list(columns_of(names).values()), titles, against is not None, truth)


def _truth(columns: Iterable[str], row: Row, prefix: str) -> list[str]:
    """The cells of the truth itself: what there is to reach."""
    from mmtempreg.meters.columns import columns_of

    lead, cells = f"{prefix}/" if prefix else "", []
    for column in columns_of(columns).values():
        value = float(row.get(lead + column.of_truth) or column.meter.ideal)
        cells.append("" if math.isnan(value) else column.meter.format(value))
    return cells


def title_of(strategy: str, alpha: str) -> str:
    """Title of a strategy at a strength."""
    title = KNOWN[strategy].title
    return f"{title}{',' if ',' in title else ''} {float(alpha):g}" if alpha else title


def layout(
    columns: Sequence[Column],
    rows: Mapping[str, list[dict[str, float]]],
    signed: bool = False,
    truth: Sequence[str] | None = None,
) -> str:
    """Markdown of columns and the values of several runs of each row; their number comes last.

    The first row is for the truth itself, if its cells are given.
    """
    from mmtempreg.meters.columns import cell

    lines = [] if truth is None else [["*the truth itself*", *truth, ""]]
    for title, runs in rows.items():
        values = zip(*(run.values() for run in runs))
        cells = [cell(found, column.meter) for found, column in zip(values, columns)]
        cells = [text if not signed or text.startswith("-") else f"+{text}" for text in cells]
        lines.append([title, *cells, str(len(runs))])
    return markdown_table([*(column.title for column in columns), "seeds"], lines)


OTHERS = dict(chroma="chroma", frames_per_second="frames/s")
"""What rivals.py measures beside the metrics, with one decimal."""


def rivals_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Makes the Markdown table of a file of rivals.py."""
    from mmtempreg.meters.columns import columns_of

    first = next(iter(rows.values()))
    columns, others = columns_of(first), [name for name in OTHERS if name in first]
    lines = [
        [title, *(column.meter.format(row[n]) for n, column in columns.items()), *(f"{row[n]:.1f}" for n in others)]
        for title, row in rows.items()
    ]
    return markdown_table([*(column.title for column in columns.values()), *(OTHERS[name] for name in others)], lines)


def tuned_table(tuned: Mapping[str, Any]) -> str:
    """Makes the Markdown table of a file of tune_alpha.py; its choice is bold."""
    lines = []
    for trial in (tuned["start"], tuned["plain"], *tuned["trials"]):
        name = trial["regularization"] or ("as it came" if trial == tuned["start"] else "plain fine-tuning")
        quality = trial["quality"]
        psnr = quality["psnr"] - tuned["plain"]["quality"]["psnr"]
        name = f"**{name}**" if trial == tuned["best"] else name
        kept = quality["detail"] / tuned["start"]["quality"]["detail"]
        values = [f"{quality['flicker']:.2f}", f"{kept:.2f}", f"{psnr:+.2f}", f"{quality['equivariance']:.2f}"]
        values += [f"{quality['smoothness']:.3f}", f"{quality['residual']:.3f}"]
        lines.append([name, str(trial["alpha"] or ""), *values])
    return markdown_table(["alpha", "F", "K kept", "PSNR, to plain [dB]", "EQ [dB]", "S", "R"], lines)


def causes_table(causes: Mapping[str, Any], wanted: Sequence[str] = ()) -> str:
    """Makes the Markdown table of a file of measure_equivariance.py --why: mean squares of the change, in thousandths.

    Args:
        causes: The file's content.
        wanted: Which of the rows; none of them: all.
    """
    rows = {name: row for name, row in causes["rows"].items() if name in wanted} or causes["rows"]
    shifts = list(next(iter(rows.values()))["shifts"])
    lines = [
        [name, *(f"{1e3 * row['shifts'][shift]:.3g}" for shift in shifts), f"{1e3 * row['noise']:.3g}"]
        for name, row in rows.items()
    ]
    return markdown_table([*(f"{shift} px" for shift in shifts), "noise"], lines)


QUALITY = {"F": "flicker", "K kept": "kept", "K": "detail", "K true": "true_detail", "PSNR [dB]": "psnr"}
"""Heading -> attribute of `apis.steady.quality.Quality`."""


def steady_table(values: Mapping[str, Any]) -> str:
    """Makes the Markdown table of a file of steady.py; the strength that it took is bold, if there is one.

    Args:
        values: What it wrote into `steady.json`.
    """
    rows = [("as it came", values["before"]), *((f"strength {s}", row) for s, row in values["tried"].items())]
    taken = f"strength {values['strength']}"
    columns = {**QUALITY, "to before [dB]": "distance"}
    rows = [(name, {key: math.nan if row[key] is None else row[key] for key in columns.values()}) for name, row in rows]
    known = {head: key for head, key in columns.items() if math.isfinite(rows[-1][1][key])}
    lines = []
    for name, row in rows:
        cells = [f"{row[key]:.2f}" if math.isfinite(row[key]) else "" for key in known.values()]
        lines.append([f"**{name}**" if name == taken else name, *cells])
    return markdown_table(list(known), lines)


def recipes_table(values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Makes the Markdown table of a file of recipes.py: mean and standard deviation over the seeds.

    Args:
        values: The file's content: recipe -> seed -> quality.
    """
    lines = []
    for name, seeds in values.items():
        found = [[quality[key] for quality in seeds.values()] for key in QUALITY.values()]
        cells = [
            f"{statistics.fmean(row):.2f}" + (f" ± {statistics.stdev(row):.2f}" if row[1:] else "") for row in found
        ]
        lines.append([name, *cells, str(len(seeds)) if name != "as it came" else ""])
    return markdown_table([*QUALITY, "seeds"], lines)


def crops_table(values: Mapping[str, Any]) -> str:
    """Makes the Markdown table of a file of crops.py."""
    edges = list(next(iter(values["crops"].values())))
    heads = [head for edge in edges for head in (f"{edge}x{edge}", "as one factor")]
    lines = [
        [name, *(f"{row[edge][what]:.2f}" for edge in edges for what in ("change", "factor"))]
        for name, row in values["crops"].items()
    ]
    return markdown_table(heads, lines)


REAL_MODELS = {
    "F": ("F", ".2f"),
    "F 1 s": ("F, 1 s", ".2f"),
    "excess": ("excess of E_warp", ".2f"),
    "K kept": ("K kept", ".2f"),
    "K coarse kept": ("K coarse kept", ".2f"),
    "K": ("K", ".2f"),
    "K_true": ("K true", ".2f"),
    "EQ": ("EQ [dB]", ".1f"),
    "psnr": ("PSNR [dB]", ".2f"),
    "vdp": ("JOD", ".2f"),
}
"""What real_models.py measures -> heading and format."""


def real_models_table(values: Mapping[str, Any], kind: str, networks: Sequence[str] = ()) -> str:
    """Makes the Markdown table of a file of real_models.py, of 'videos' or 'pans': means over the clips.

    Args:
        values: The file's content.
        kind: Which clips.
        networks: Which of the networks; none: all.
    """
    clips, lines = values[kind], []
    measured = [name for name in REAL_MODELS if name in next(iter(clips.values()))[values["networks"][0]]]
    for network in networks or values["networks"]:
        means = [statistics.fmean(clip[network][name] for clip in clips.values()) for name in measured]
        lines.append([network, *(format(mean, REAL_MODELS[name][1]) for name, mean in zip(measured, means))])
    return markdown_table([REAL_MODELS[name][0] for name in measured], lines)


def parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(__doc__)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS")
    parser.add_argument("--strategies", nargs="+", default=[], metavar="NAME[=ALPHA]", help="in this order")
    parser.add_argument("--alphas", type=float, nargs="+", help="only these strengths")
    parser.add_argument("--prefix", help="only this set of clips")
    parser.add_argument("--columns", nargs="+", metavar="TITLE", help="only these columns, such as F K 'PSNR [dB]'")
    parser.add_argument("--against", metavar="NAME[=ALPHA]", help="differences to this one, seed by seed")
    return parser


def tables(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Title and Markdown of each table that the arguments ask for.

    Raises:
        ValueError: If the file holds no results, none of what is asked for, or two for a seed.
    """
    if args.results[0].suffix == ".json":
        values = json.loads(args.results[0].read_text())
        if "networks" in values:
            kinds = [kind for kind in ("videos", "pans") if values[kind] and args.prefix in (None, kind)]
            wanted = [name for name in args.strategies if name in values["networks"]]
            yield from ((kind, real_models_table(values, kind, wanted)) for kind in kinds)
            return
        if "crops" in values:
            yield args.results[0].stem, crops_table(values)
            return
        if "causes" in values:
            yield args.results[0].stem, causes_table(values["causes"], args.strategies)
            return
        if "as it came" in values:
            yield args.results[0].stem, recipes_table(values)
            return
        if "tried" in values:
            yield args.results[0].stem, steady_table(values)
            return
        yield args.results[0].stem, tuned_table(values) if "trials" in values else rivals_table(values)
        return
    rows = one_of_each_seed([row for path in args.results for row in read_results(path)])
    if not rows:
        raise ValueError(f"{args.results[0]} holds no results")
    wanted = [parse_group(text) for text in args.strategies or KNOWN]
    against = parse_group(args.against) if args.against else None
    for prefix, title in TASKS[rows[0]["task"]].prefixes.items():
        if args.prefix in (None, prefix):
            yield title, markdown(rows, wanted, prefix, against, args.alphas or (), args.columns or ())


def show(args: argparse.Namespace) -> None:
    """Prints the tables."""
    for title, text in tables(args):
        print(f"\n{title}\n\n{text}")


def main() -> None:
    run(parser(), show)


if __name__ == "__main__":
    main()
