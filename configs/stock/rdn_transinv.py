_base_ = ['mmagic::rdn/rdn_x4c64b16_1xb16-1000k_div2k.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(optimizer=dict(lr=1e-05))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/restorers/rdn/rdn_x4c64b16_g1_1000k_div2k_20210419-3577d44f.pth'
