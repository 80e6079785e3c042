# Transform invariance (Eq. 4), stronger. The full network.
_base_ = './hdr_full_transinv_a0.8.py'
experiment_name = 'hdr_full_transinv_a0.95'
work_dir = './work_dirs/hdr_full_transinv_a0.95'
model = dict(alpha=0.95)
