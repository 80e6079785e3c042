"""The table of HDR results: fine-tunes the baseline with every config and seed, and tests on moving clips.

Usage: python tools/hdr_table.py [--hdr-images FOLDER] [--seeds 0 1 2] [--images 1600] [--jobs 2] [--out-dir DIR]

The short form for a CPU: one pass over the first --images stills in crops of 64x64, batches of 8, Adam from 3e-4,
x 0.99 every iteration. Tests on 10 procedural clips of 100 frames, and on a pan of 24 frames over each image of FOLDER.
What is finished already is not done again, so that it may be interrupted. Prints both tables.
"""

import argparse
import os
from functools import partial
from pathlib import Path

from experiment import ROOT, print_table, run, run_all, test

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


def evaluate(checkpoint: Path, hdr_images: Path, folder: Path) -> Path:
    """Tests a checkpoint on both kinds of clips; gives the file of its metrics."""
    return test(
        "configs/tempreg/hdr_evaluation.py",
        checkpoint,
        folder,
        "test_dataloader.0.dataset.num_clips=10",
        "test_dataloader.0.dataset.num_frames=100",
        f"test_dataloader.1.dataset.data_root={hdr_images}",
        "test_dataloader.1.dataset.num_frames=24",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hdr-images", type=Path, default=ROOT / "resources" / "hdr", help="folder of .hdr and .exr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=1600, help="training images that a run sees")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time, a core each")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "work_dirs" / "hdr_table")
    args = parser.parse_args()
    out, images = args.out_dir.resolve(), args.hdr_images.resolve()

    def fine_tuned(config: str, seed: int) -> Path:
        folder = out / config / f"seed{seed}"
        return evaluate(train(config, seed, args.images, folder), images, folder)

    runs = {"baseline": [partial(evaluate, BASELINE, images, out / "baseline")]}
    runs |= {name: [partial(fine_tuned, config, seed) for seed in args.seeds] for name, config in ROWS.items()}
    files = run_all(runs, args.jobs)
    for prefix, title in (("procedural", "procedural clips"), ("pans", "pans over real HDR images")):
        print(f"\n{title}\n", flush=True)
        print_table(files, "--prefix", prefix)


if __name__ == "__main__":
    main()
