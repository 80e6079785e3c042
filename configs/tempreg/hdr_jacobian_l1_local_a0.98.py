# Sparse Jacobian (Eq. 7-8) with the L1 distance and local motion beside the global T: the best of what we tried
# (docs/results.md).
_base_ = './hdr_jacobian_l1_a0.95.py'
experiment_name = 'hdr_jacobian_l1_local_a0.98'
work_dir = './work_dirs/hdr_jacobian_l1_local_a0.98'
model = dict(
    alpha=0.98,
    transform=dict(
        _delete_=True,
        type='Compose',
        transforms=[dict(type='RandomAffine'),
                    dict(type='RandomElastic', displacement=4)]))
