# From scratch, with anti-aliased strides: flickers less from the beginning.
_base_ = './hdr_baseline.py'
experiment_name = 'hdr_baseline_anti_aliased'
work_dir = './work_dirs/hdr_baseline_anti_aliased'
model = dict(generator=dict(anti_aliased=True))
