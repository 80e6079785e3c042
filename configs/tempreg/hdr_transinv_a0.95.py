# Transform invariance (Eq. 4), stronger.
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_transinv_a0.95'
work_dir = './work_dirs/hdr_transinv_a0.95'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='AffineTransformPair'),
    regularization=dict(type='TransformInvarianceLoss'),
    alpha=0.95)
