# The same, and regularised: T(x) is what a camera gives, the picture moved by whole pixels with noise of its own.
_base_ = './hdr_anti_aliased.py'
experiment_name = 'hdr_steady_a0.8'
work_dir = './work_dirs/hdr_steady_a0.8'
model = dict(
    transform=dict(
        type='Compose',
        transforms=[dict(type='RandomShift', max_shift=8),
                    dict(type='RandomGaussianNoise', sigma=(0, 0.02))]),
    regularization=dict(type='TransformInvarianceLoss'),
    alpha=0.8)
