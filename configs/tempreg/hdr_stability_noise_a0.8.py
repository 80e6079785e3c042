# Stability training with noise (Eq. 2, Zheng et al. 2016).
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_stability_noise_a0.8'
work_dir = './work_dirs/hdr_stability_noise_a0.8'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model={{_base_.model}},
    transform=dict(type='RandomGaussianNoise'),
    regularization=dict(type='StabilityLoss'),
    alpha=0.8)
