# Transform invariance (Eq. 4). The large network.
_base_ = './color_vgg_finetune.py'
experiment_name = 'color_vgg_transinv_a0.8'
work_dir = './work_dirs/color_vgg_transinv_a0.8'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss'),
    alpha=0.8,
)
