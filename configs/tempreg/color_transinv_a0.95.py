# Transform invariance (Eq. 4), stronger.
_base_ = './color_transinv_a0.8.py'
experiment_name = 'color_transinv_a0.95'
work_dir = './work_dirs/color_transinv_a0.95'
model = dict(alpha=0.95)
