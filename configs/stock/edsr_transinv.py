_base_ = ['mmagic::edsr/edsr_x2c64b16_1xb16-300k_div2k.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(optimizer=dict(lr=1e-05))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/restorers/edsr/edsr_x2c64b16_1x16_300k_div2k_20200604-19fe95ea.pth'
