# Plain fine-tuning of the large network.
_base_ = '../_base_/color_places.py'
experiment_name = 'color_vgg_finetune'
work_dir = './work_dirs/color_vgg_finetune'
# The baseline has no published weights: train it first.
load_from = 'work_dirs/color_vgg_baseline/epoch_15.pth'
# The network that is fine-tuned is the one that is used: with the averages of its batch normalisation.
custom_hooks = [*_base_.custom_hooks, dict(type='NormEvalHook')]
