# Augmentation by T (Eq. 5): the reconstruction loss on T(x) and T(y) alone.
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_augment'
work_dir = './work_dirs/hdr_augment'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='AffineTransformPair'),
    regularization=dict(type='AugmentationLoss'),
    alpha=1.0)
