_base_ = ['mmagic::nafnet/nafnet_c64eb2248mb12db2222_8xb8-lr1e-3-400k_sidd.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
model['regularization'] = dict(type='TransformInvarianceLoss', distance=dict(type='PSNRLoss'))  # its own loss
optim_wrapper = dict(optimizer=dict(lr=0.0001))
train_cfg = dict(max_iters=20000)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/nafnet/NAFNet-SIDD-midc64.pth'
