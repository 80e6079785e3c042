# Augmentation by T (Eq. 5): half of the loss on x and y, half on T(x) and T(y).
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_augment'
work_dir = './work_dirs/hdr_augment'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='AugmentationLoss'),
    alpha=0.5)
