_base_ = ['mmagic::pix2pix/pix2pix_vanilla-unet-bn_1xb1-80kiters_facades.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
model['regularization']['distance']['loss_weight'] = 100.0  # as its pixel loss
optim_wrapper = dict(generators=dict(optimizer=dict(lr=2e-5)), discriminators=dict(optimizer=dict(lr=2e-5)))
train_cfg = dict(max_iters=8000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generators']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/pix2pix/refactor/pix2pix_vanilla_unet_bn_1x1_80k_facades_20210902_170442-c0958d50.pth'
