# Stability training with motion (Eq. 2).
_base_ = './color_finetune.py'
experiment_name = 'color_stability_a0.8'
work_dir = './work_dirs/color_stability_a0.8'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='StabilityLoss'),
    alpha=0.8,
)
