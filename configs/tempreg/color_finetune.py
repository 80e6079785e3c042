# Plain fine-tuning of the baseline: what regularised fine-tuning has to be compared with.
_base_ = '../_base_/color.py'
experiment_name = 'color_finetune'
work_dir = './work_dirs/color_finetune'
load_from = 'checkpoints/color_baseline.pth'
# The network that is fine-tuned is the one that is used: with the averages of its batch normalisation.
custom_hooks = [*_base_.custom_hooks, dict(type='NormEvalHook')]
