_base_ = ['mmagic::swinir/swinir_x2s48w8d6e180_8xb4-lr2e-4-500k_div2k.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(optimizer=dict(lr=2e-05))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/swinir/swinir_x2s48w8d6e180_8xb4-lr2e-4-500k_div2k-ed2d419e.pth'
