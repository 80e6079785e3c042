_base_ = ['./srcnn_transinv.py', '../_base_/steady.py']

model = dict(teacher=_base_.load_from, **_base_.steady)
train_dataloader = dict(dataset=dict(_delete_=True, **_base_.photographs_x4))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=3000)
param_scheduler = dict(_delete_=True, **_base_.falling)
val_cfg = val_dataloader = val_evaluator = None  # as there are no pairs
work_dir = './work_dirs/srcnn_steady'
