"""Writes configs/tempreg/metafile.yml: every config of the folder, with the results that sweeps have measured.

Usage: python -m experiments.update_metafile docs/results/hdr.csv docs/results/color.csv

A result is the mean over the seeds of the file; configs that no sweep has run have none.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, run

from .grid import ROOT, TASKS
from .results import Row, read_results

FOLDER = ROOT / "configs" / "tempreg"
TASK_NAMES = dict(hdr="HDR reconstruction", color="Colorization")
METRICS = (
    "TemporalFlicker",
    "TemporalFlicker_1s",
    "SpatialDetail",
    "SaturatedPSNR",
    "ClipPSNR",
    "TemporalSmoothness",
    "TemporalResidual",
)
NOT_MODELS = ("hdr_evaluation", "color_evaluation")
"""Configs that only test others'."""


def stem_of(row: Row) -> str:
    """Name of the config that a row is of, if there is one of this strength."""
    strength = f"_a{float(row['alpha']):g}" if row["alpha"] else ""
    return f"{row['task']}_{row['strategy']}{strength}"


def results_of(rows: list[Row], task: str, source: str) -> list[dict]:
    """Entries of a metafile: the means in each set of clips."""
    results = []
    for prefix, title in TASKS[task].prefixes.items():
        lead = f"{prefix}/" if prefix else ""
        names = [name for name in METRICS if rows[0].get(lead + name)]
        means = {name: round(statistics.mean(float(row[lead + name]) for row in rows), 3) for name in names}
        results.append(dict(Dataset=f"{title} ({source}, seeds: {len(rows)})", Metrics=means, Task=TASK_NAMES[task]))
    return results


def metafile(files: list[Path]) -> dict:
    """The metafile's content."""
    measured: dict[str, tuple[list[Row], str]] = {}
    for file in files:
        for row in read_results(file):
            measured.setdefault(stem_of(row), ([], str(file)))[0].append(row)
    models = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem in NOT_MODELS:
            continue
        task = path.stem.split("_")[0]
        model: dict[str, Any] = {
            "Name": path.stem,
            "In Collection": "TempReg",
            "Config": str(path.relative_to(ROOT)),
            "Results": [],
        }
        if path.stem in measured:
            model["Results"] = results_of(measured[path.stem][0], task, measured[path.stem][1])
        weights = Path("checkpoints") / f"{path.stem}.pth"
        if (ROOT / weights).exists():
            model["Weights"] = str(weights)
        models.append(model)
    paper = dict(Title="Single-frame Regularization for Temporally Stable CNNs", URL="https://arxiv.org/abs/1902.10424")
    collection = dict(Name="TempReg", Paper=paper, README="configs/tempreg/README.md", Year=2019)
    return dict(Collections=[collection | dict(Task=list(TASK_NAMES.values()))], Models=models)


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Writes the metafile."""
    import yaml

    content = metafile(args.results)
    with replace_when_written(FOLDER / "metafile.yml") as partial:
        comment = "# Written by experiments/update_metafile.py. How it was measured: docs/results.md.\n"
        partial.write_text(comment + yaml.safe_dump(content, sort_keys=False, width=110))
    print(f"{FOLDER / 'metafile.yml'}: {len(content['Models'])} configs")


if __name__ == "__main__":
    main()
