# The same, more strongly: the steadiest, at paler lights.
_base_ = './hdr_steady_a0.8.py'
experiment_name = 'hdr_steady_a0.95'
work_dir = './work_dirs/hdr_steady_a0.95'
model = dict(alpha=0.95)
