# Sparse Jacobian (Eq. 7-8) with the L1 distance (docs/results.md).
_base_ = './hdr_jacobian_a0.95.py'
experiment_name = 'hdr_jacobian_l1_a0.95'
work_dir = './work_dirs/hdr_jacobian_l1_a0.95'
model = dict(regularization=dict(distance=dict(type='L1Loss')))
