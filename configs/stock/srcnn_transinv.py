_base_ = ['mmagic::srcnn/srcnn_x4k915_1xb16-1000k_div2k.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(optimizer=dict(lr=2e-05))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/restorers/srcnn/srcnn_x4k915_1x16_1000k_div2k_20200608-4186f232.pth'
