#!/usr/bin/env bash
# Makes checkpoints/color_baseline.pth on a CPU: color_baseline.py in a form of 36 + 48 epochs over crops of 96x96.
#   PHOTOS  a folder of faces, such as preprocess_celeba_dataset.py makes
#   CLIPS   a folder with the videos of LIST (val.csv of preprocess_youtube_faces_dataset.py), to validate on
set -euo pipefail
USAGE="usage: tools/train_color_baseline_cpu.sh PHOTOS CLIPS LIST [OUT]"
PHOTOS=$(realpath "${1:?$USAGE}") CLIPS=$(realpath "${2:?$USAGE}") LIST=$(realpath "${3:?$USAGE}")
cd "$(dirname "$0")/.."
OUT=${4:-work_dirs/color_baseline}

train() {
    python tools/train.py configs/tempreg/color_baseline.py --work-dir "$1" --cfg-options \
        train_dataloader.dataset.data_root="$PHOTOS" train_dataloader.batch_size=16 train_dataloader.num_workers=1 \
        train_dataloader.dataset.pipeline.0.crop_size=96 default_hooks.logger.interval=20 \
        val_dataloader.dataset.data_root="$CLIPS" val_dataloader.dataset.list_file="$LIST" \
        param_scheduler.step_size=83 train_cfg.val_interval=12 "${@:2}"  # 83 steps: an epoch of 1,333 photographs
}
train "$OUT/first" optim_wrapper.optimizer.lr=1e-3 param_scheduler.gamma=0.9 train_cfg.max_epochs=36
train "$OUT" load_from="$OUT/first/epoch_36.pth" \
    optim_wrapper.optimizer.lr=5e-4 param_scheduler.gamma=0.93 train_cfg.max_epochs=48
