"""The table of colour results: fine-tunes the baseline with every config and seed, and tests on clips of faces.

Usage: python tools/color_table.py --photographs FOLDER --clips FOLDER --list test.csv [--seeds 0 1 2] [--epochs 1]
       [--jobs 2] [--out-dir DIR]

The short form for a CPU: --epochs passes over the photographs in crops of 96x96, batches of 4, Adam 1e-4. FOLDER and
test.csv are what tools/dataset_converters/ makes of CelebA and YouTube Faces, or of any faces. What is finished already
is not done again, so that it may be interrupted.
"""

import argparse
import os
from functools import partial
from pathlib import Path

from experiment import ROOT, print_table, run, run_all, test

BASELINE = ROOT / "checkpoints" / "color_baseline.pth"
ROWS = {
    "plain fine-tuning": "color_finetune",
    "augmentation": "color_augment",
    "stability, noise, 0.8": "color_stability_noise_a0.8",
    "stability, motion, 0.8": "color_stability_a0.8",
    "transform invariance 0.8": "color_transinv_a0.8",
    "transform invariance 0.95": "color_transinv_a0.95",
    "sparse Jacobian 0.95": "color_jacobian_a0.95",
}


def train(config: str, seed: int, epochs: int, photographs: Path, folder: Path) -> Path:
    """Fine-tunes the baseline; gives the checkpoint."""
    checkpoint = folder / f"epoch_{epochs}.pth"
    if not checkpoint.exists():
        options = [
            f"train_dataloader.dataset.data_root={photographs}",
            "train_dataloader.dataset.pipeline.0.crop_size=96",
            "train_dataloader.num_workers=1",
            f"train_cfg.max_epochs={epochs}",
            f"train_cfg.val_interval={epochs + 1}",
            f"randomness.seed={seed}",
        ]
        if config != "color_finetune":
            options.append(f"model.seed={seed}")
        path = f"configs/tempreg/{config}.py"
        run(folder / "train.log", "tools/train.py", path, "--work-dir", str(folder), "--cfg-options", *options)
    return checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True, help="folder to fine-tune on")
    parser.add_argument("--clips", type=Path, required=True, help="folder of the videos")
    parser.add_argument("--list", type=Path, required=True, help="which clips of them, and where the faces are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time, a core each")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "work_dirs" / "color_table")
    args = parser.parse_args()
    out, photographs, clips, clip_list = (
        path.resolve() for path in (args.out_dir, args.photographs, args.clips, args.list)
    )

    def evaluate(checkpoint: Path, folder: Path) -> Path:
        options = [f"test_dataloader.dataset.data_root={clips}", f"test_dataloader.dataset.list_file={clip_list}"]
        return test("configs/tempreg/color_finetune.py", checkpoint, folder, *options)

    def fine_tuned(config: str, seed: int) -> Path:
        folder = out / config / f"seed{seed}"
        return evaluate(train(config, seed, args.epochs, photographs, folder), folder)

    runs = {"baseline": [partial(evaluate, BASELINE, out / "baseline")]}
    runs |= {name: [partial(fine_tuned, config, seed) for seed in args.seeds] for name, config in ROWS.items()}
    print_table(run_all(runs, args.jobs))


if __name__ == "__main__":
    main()
