"""What buys most stability per second: regularising each step, each k-th step, or a part of each batch.

Usage: python -m benchmarks.regularization_schedule [--seeds 0 1 2] [--jobs 1] [--out-dir DIR]

Fine-tunes the shipped HDR baseline with transform invariance 0.95, and without regularisation, each for the same number
of network passes (a regularised image takes two), on crops of 64x64 in batches of 8, Adam 1e-4; and tests on the pans
over real HDR images, 24 frames each. What is finished already is not done again. The time of a step is measured by
`benchmarks.siamese_step`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tools import hdr_table

BATCH = 8
# name: (config, options of the wrapper, share of the images that is regularised)
ROWS: dict[str, tuple[str, dict[str, float], float]] = {
    "no regularisation": ("hdr_finetune", {}, 0.0),
    "every step": ("hdr_transinv_a0.95", {}, 1.0),
    "every 2nd step": ("hdr_transinv_a0.95", {"regularize_every": 2}, 1 / 2),
    "every 4th step": ("hdr_transinv_a0.95", {"regularize_every": 4}, 1 / 4),
    "half of each batch": ("hdr_transinv_a0.95", {"regularize_fraction": 0.5}, 1 / 2),
    "a quarter of each batch": ("hdr_transinv_a0.95", {"regularize_fraction": 0.25}, 1 / 4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=300, help="network passes of a batch that each run may take")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, a core each")
    parser.add_argument("--out-dir", type=Path, default=hdr_table.ROOT / "work_dirs" / "regularization_schedule")
    args = parser.parse_args()

    def run(name: str, seed: int) -> Path:
        config, options, share = ROWS[name]
        folder = args.out_dir.resolve() / name.replace(" ", "_") / f"seed{seed}"
        steps = round(args.passes / (1 + share))
        more = [f"model.{key}={value}" for key, value in options.items()]
        more += ["optim_wrapper.optimizer.lr=1e-4", "param_scheduler.gamma=1.0"]
        checkpoint = hdr_table.train(config, seed, steps * BATCH, folder, *more)
        # of the procedural clips only a few frames: this benchmark looks at the pans
        few = ("test_dataloader.0.dataset.num_clips=1", "test_dataloader.0.dataset.num_frames=30")
        return hdr_table.test(checkpoint, hdr_table.ROOT / "resources" / "hdr", folder, *few)

    with ThreadPoolExecutor(args.jobs) as pool:
        files = {name: [pool.submit(run, name, seed) for seed in args.seeds] for name in ROWS}
        for result in tqdm([one for row in files.values() for one in row], desc="runs", unit="run"):
            result.result()
    rows = [f"{name}={','.join(str(run.result()) for run in row)}" for name, row in files.items()]
    table = [sys.executable, str(hdr_table.ROOT / "tools/analysis_tools/metrics_table.py"), "--prefix", "pans", *rows]
    subprocess.run(table, check=True)


if __name__ == "__main__":
    main()
