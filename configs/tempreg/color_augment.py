# Augmentation by T (Eq. 5): half of the loss on x and y, half on T(x) and T(y).
_base_ = './color_finetune.py'
experiment_name = 'color_augment'
work_dir = './work_dirs/color_augment'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='AugmentationLoss'),
    alpha=0.5,
)
