"""The table of HDR results: fine-tunes the baseline with every config and seed, and tests on moving clips.

Usage: python tools/hdr_table.py [--hdr-images FOLDER] [--seeds 0 1 2] [--images 1600] [--jobs 2] [--out-dir DIR]

The short form for a CPU: one pass over the first --images stills in crops of 64x64, batches of 8, Adam from 3e-4,
x 0.99 every iteration. Tests on 10 procedural clips of 100 frames, and on a pan of 24 frames over each image of FOLDER.
What is finished already is not done again, so that it may be interrupted. Prints both tables.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "checkpoints" / "hdr_baseline.pth"
ROWS = {
    "plain fine-tuning": "hdr_finetune",
    "augmentation": "hdr_augment",
    "stability, noise, 0.8": "hdr_stability_noise_a0.8",
    "stability, motion, 0.8": "hdr_stability_a0.8",
    "transform invariance 0.8": "hdr_transinv_a0.8",
    "transform invariance 0.95": "hdr_transinv_a0.95",
    "sparse Jacobian 0.95": "hdr_jacobian_a0.95",
    "sparse Jacobian 0.5, local motion, noise": "hdr_jacobian_a0.5_local",
}


def run(log: Path, *command: str) -> None:
    """Runs a tool on one thread; its output goes to `log`.

    Raises:
        RuntimeError: If it fails; with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
    with open(log, "w") as file:
        code = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=file, stderr=file
        ).returncode
    if code:
        raise RuntimeError(f"{' '.join(command)} failed, see {log}:\n" + "\n".join(log.read_text().splitlines()[-5:]))


def train(config: str, seed: int, images: int, folder: Path, *more: str) -> Path:
    """Fine-tunes the baseline, with `more` options of the config; gives the checkpoint."""
    checkpoint = folder / "epoch_1.pth"
    options = [
        "train_dataloader.dataset.pipeline.0.crop_size=(64,64)",
        f"train_dataloader.dataset.indices={images}",
        "train_dataloader.batch_size=8",
        "train_dataloader.num_workers=1",
        "train_cfg.max_epochs=1",
        "train_cfg.val_interval=2",
        "optim_wrapper.optimizer.lr=3e-4",
        "param_scheduler.by_epoch=False",  # x 0.99 every iteration
        f"randomness.seed={seed}",
    ]
    if config != "hdr_finetune":
        options.append(f"model.seed={seed}")
    options += more
    if not checkpoint.exists():
        path = f"configs/tempreg/{config}.py"
        run(folder / "train.log", "tools/train.py", path, "--work-dir", str(folder), "--cfg-options", *options)
    return checkpoint


def test(checkpoint: Path, hdr_images: Path, folder: Path, *more: str) -> Path:
    """Tests a checkpoint, with `more` options of the config; gives the file of its metrics."""
    metrics = folder / "metrics.json"
    if not metrics.exists():
        partial = folder / "partial.json"
        run(
            folder / "test.log",
            *("tools/test.py", "configs/tempreg/hdr_evaluation.py", str(checkpoint), "--out", str(partial)),
            *("--work-dir", str(folder / "test"), "--cfg-options", "test_dataloader.0.dataset.num_clips=10"),
            "test_dataloader.0.dataset.num_frames=100",
            f"test_dataloader.1.dataset.data_root={hdr_images}",
            "test_dataloader.1.dataset.num_frames=24",
            *more,
        )
        partial.rename(metrics)
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hdr-images", type=Path, default=ROOT / "resources" / "hdr", help="folder of .hdr and .exr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=1600, help="training images that a run sees")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time, a core each")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "work_dirs" / "hdr_table")
    args = parser.parse_args()
    out, images = args.out_dir.resolve(), args.hdr_images.resolve()

    def baseline() -> Path:
        return test(BASELINE, images, out / "baseline")

    def fine_tuned(config: str, seed: int) -> Path:
        folder = out / config / f"seed{seed}"
        return test(train(config, seed, args.images, folder), images, folder)

    with ThreadPoolExecutor(args.jobs) as pool:
        files = {"baseline": [pool.submit(baseline)]}
        for seed in args.seeds:
            for name, config in ROWS.items():
                files.setdefault(name, []).append(pool.submit(fine_tuned, config, seed))
        runs = [run for row in files.values() for run in row]
        for result in tqdm(runs, desc="runs", unit="run"):
            result.result()
    rows = [f"{name}={','.join(str(run.result()) for run in row)}" for name, row in files.items()]
    for prefix, title in (("procedural", "procedural clips"), ("pans", "pans over real HDR images")):
        print(f"\n{title}\n", flush=True)
        table = [sys.executable, str(ROOT / "tools/analysis_tools/metrics_table.py"), "--prefix", prefix, *rows]
        subprocess.run(table, check=True)


if __name__ == "__main__":
    main()
