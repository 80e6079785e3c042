"""Compares stability per second: regularising each step, each k-th step, or a part of each batch.

Usage: python -m experiments.regularization_schedule [--seeds 0 1 2] [--jobs 1] [--out-dir DIR]

Fine-tunes the shipped HDR baseline with transform invariance 0.95, and without regularisation, each for the same number
of network passes (a regularised image takes two), on crops of 64x64 in batches of 8, Adam 1e-4; and tests on the pans
over real HDR images, 24 frames each. What is finished already is not done again. The time of a step is measured by
`benchmarks.siamese_step`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .grid import ROOT, TASKS, Strategy, cells
from .results import read_results
from .sweep import Sweep, hardware, revision, run_all
from .table import layout, measured_in, values_of

TASK = TASKS["hdr"]
# name: (config, options of the wrapper, share of the images that is regularised)
ROWS: dict[str, tuple[str, dict[str, float], float]] = {
    "no regularisation": ("finetune", {}, 0.0),
    "every step": ("transinv_a0.95", {}, 1.0),
    "every 2nd step": ("transinv_a0.95", {"model.regularize_every": 2}, 1 / 2),
    "every 4th step": ("transinv_a0.95", {"model.regularize_every": 4}, 1 / 4),
    "half of each batch": ("transinv_a0.95", {"model.regularize_fraction": 0.5}, 1 / 2),
    "a quarter of each batch": ("transinv_a0.95", {"model.regularize_fraction": 0.25}, 1 / 4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=300, help="network passes of a batch that each run may take")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, a core each")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "work_dirs" / "regularization_schedule")
    args = parser.parse_args()

    from mmtempreg.meters.columns import columns_of

    schedule, tests = TASK.schedules["short"], TASK.tests["short"]
    images = "train_dataloader.dataset.indices"
    strategies = {}
    for name, (config, options, share) in ROWS.items():
        steps = round(args.passes / (1 + share))
        more = {**options, images: steps * schedule["train_dataloader.batch_size"], "param_scheduler.gamma": 1.0}
        strategies[name.replace(" ", "_")] = Strategy(name, config, options=more)
    # of the procedural clips only a few frames: this benchmark looks at the pans
    tests = {**tests, "test_dataloader.0.dataset.num_clips": 1, "test_dataloader.0.dataset.num_frames": 30}
    out = args.out_dir.resolve()
    schedule = {key: value for key, value in schedule.items() if key != images}
    sweep = Sweep(out, out / "results.csv", strategies, schedule, tests, hardware(), revision())
    run_all(sweep, cells("hdr", strategies, list(strategies), None, args.seeds), args.jobs)
    rows = read_results(sweep.results)
    names = measured_in(rows, "pans")
    values = {
        strategy.title: values_of([row for row in rows if row["strategy"] == name], "pans", names)
        for name, strategy in strategies.items()
    }
    print(layout(list(columns_of(names).values()), values))


if __name__ == "__main__":
    main()
