# Transform invariance (Eq. 4), stronger. The large network.
_base_ = './color_vgg_transinv_a0.8.py'
experiment_name = 'color_vgg_transinv_a0.95'
work_dir = './work_dirs/color_vgg_transinv_a0.95'
model = dict(alpha=0.95)
