#!/usr/bin/env bash
# Makes checkpoints/color_baseline.pth on a CPU: color_baseline.py in a form of 64 epochs over crops of 96x96, in bfloat16.
#   PHOTOS  a folder of faces, such as preprocess_celeba_dataset.py makes
#   CLIPS   a folder with the videos of LIST (val.csv of preprocess_youtube_faces_dataset.py), to validate on
set -euo pipefail
USAGE="usage: tools/train_color_baseline_cpu.sh PHOTOS CLIPS LIST [OUT]"
PHOTOS=$(realpath "${1:?$USAGE}") CLIPS=$(realpath "${2:?$USAGE}") LIST=$(realpath "${3:?$USAGE}")
cd "$(dirname "$0")/.."

# 83 steps are an epoch of 1,333 photographs; 64 of them are 5,312
python tools/train.py configs/tempreg/color_baseline.py --work-dir "${4:-work_dirs/color_baseline}" --cfg-options \
    train_dataloader.dataset.data_root="$PHOTOS" train_dataloader.batch_size=16 train_dataloader.num_workers=1 \
    train_dataloader.dataset.pipeline.0.crop_size=96 default_hooks.logger.interval=20 \
    val_dataloader.dataset.data_root="$CLIPS" val_dataloader.dataset.list_file="$LIST" \
    train_cfg.val_interval=8 train_cfg.max_epochs=64 \
    optim_wrapper.type=BFloat16OptimWrapper optim_wrapper.optimizer.lr=1e-3 \
    param_scheduler._delete_=True param_scheduler.type=CosineAnnealingLR param_scheduler.by_epoch=False \
    param_scheduler.T_max=5312 param_scheduler.eta_min=1e-5
