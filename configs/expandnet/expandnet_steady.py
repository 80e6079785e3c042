# Steady: itself as teacher, and T(x) as a camera gives it, the picture moved by whole pixels with noise of its own.
_base_ = './expandnet_finetune.py'
experiment_name = 'expandnet_steady'
work_dir = './work_dirs/expandnet_steady'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    target='teacher',
    teacher={{_base_.load_from}},
    teacher_shift=8,
    transform=dict(
        type='Compose',
        transforms=[dict(type='RandomShift', max_shift=8),
                    dict(type='RandomGaussianNoise', sigma=(0, 0.02))]),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')),
    alpha=0.8)
