_base_ = ['mmagic::esrgan/esrgan_x4c64b23g32_1xb16-400k_div2k.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(generator=dict(optimizer=dict(lr=1e-5)), discriminator=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/restorers/esrgan/esrgan_x4c64b23g32_1x16_400k_div2k_20200508-f8ccaf3b.pth'
