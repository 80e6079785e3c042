# The network that flickers: trained from scratch, nothing temporal about it.
_base_ = '../_base_/hdr.py'
experiment_name = 'hdr_baseline'
work_dir = './work_dirs/hdr_baseline'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
