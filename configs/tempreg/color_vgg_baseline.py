# The large network, trained on Places.
_base_ = '../_base_/color_places.py'
experiment_name = 'color_vgg_baseline'
work_dir = './work_dirs/color_vgg_baseline'
