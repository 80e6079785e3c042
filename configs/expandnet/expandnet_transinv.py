# The paper's recipe: transform invariance (Eq. 4), with squares. The truth has no scale of its own here, so that it is
# the network as it came.
_base_ = './expandnet_finetune.py'
experiment_name = 'expandnet_transinv'
work_dir = './work_dirs/expandnet_transinv'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model=dict(
        type='RelativeRadianceModel',
        generator=dict(type='ExpandNet'),
        pixel_loss=dict(type='MSELoss')),
    target='teacher',
    teacher={{_base_.load_from}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss'),
    alpha=0.8)
