# Sparse Jacobian (Eq. 7-8) under motion that differs from place to place, with a little noise.
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_jacobian_a0.5_local'
work_dir = './work_dirs/hdr_jacobian_a0.5_local'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(
        type='Compose',
        transforms=[
            dict(type='RandomAffine', scale=1.5),
            dict(type='RandomElastic', displacement=4),
            dict(type='RandomGaussianNoise', sigma=(0, 0.02)),
        ]),
    regularization=dict(type='SparseJacobianLoss'),
    alpha=0.5)
