# The paper's recipe: transform invariance (Eq. 4) and the truth.
_base_ = './expandnet_finetune.py'
experiment_name = 'expandnet_transinv'
work_dir = './work_dirs/expandnet_transinv'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')),
    alpha=0.8)
