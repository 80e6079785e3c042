# The network that flickers: trained from scratch, nothing temporal about it.
_base_ = '../_base_/color.py'
experiment_name = 'color_baseline'
work_dir = './work_dirs/color_baseline'
