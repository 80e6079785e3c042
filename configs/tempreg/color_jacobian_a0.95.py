# Sparse Jacobian (Eq. 7-8).
_base_ = './color_finetune.py'
experiment_name = 'color_jacobian_a0.95'
work_dir = './work_dirs/color_jacobian_a0.95'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomAffine'),
    regularization=dict(type='SparseJacobianLoss'),
    alpha=0.95,
)
