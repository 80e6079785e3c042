# Plain fine-tuning of the baseline: what regularised fine-tuning has to be compared with.
_base_ = '../_base_/color.py'
experiment_name = 'color_finetune'
work_dir = './work_dirs/color_finetune'
load_from = 'checkpoints/color_baseline.pth'
