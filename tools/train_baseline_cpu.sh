#!/usr/bin/env bash
# Makes checkpoints/hdr_baseline.pth on a CPU: hdr_baseline.py in a form of four epochs of 64x64 crops.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${1:-work_dirs/hdr_baseline}
python tools/train.py configs/tempreg/hdr_baseline.py --work-dir "$OUT" --cfg-options \
    train_dataloader.dataset.pipeline.0.crop_size="(64,64)" train_dataloader.num_workers=1 \
    train_cfg.max_epochs=4 train_cfg.val_interval=4 param_scheduler.gamma=0.5 default_hooks.logger.interval=25
