# Plain fine-tuning of the baseline: what regularised fine-tuning has to be compared with.
_base_ = '../_base_/hdr.py'
experiment_name = 'hdr_finetune'
work_dir = './work_dirs/hdr_finetune'
load_from = 'checkpoints/hdr_baseline.pth'
# The network that is fine-tuned is the one that is used: with the averages of its batch normalisation.
custom_hooks = [*_base_.custom_hooks, dict(type='NormEvalHook')]
