# Transform invariance (Eq. 4) with L1: the steadiest of what we tried, and too strong for PSNR (docs/results.md).
_base_ = './hdr_transinv_a0.95.py'
experiment_name = 'hdr_transinv_l1_a0.95'
work_dir = './work_dirs/hdr_transinv_l1_a0.95'
model = dict(regularization=dict(distance=dict(type='L1Loss')))
