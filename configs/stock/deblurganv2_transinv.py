_base_ = ['mmagic::deblurganv2/deblurganv2_fpn-mobilenet_1xb1_gopro.py', '../_base_/tempreg.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
optim_wrapper = dict(generator=dict(optimizer=dict(lr=1e-5)), discriminator=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_epochs=5)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openxlab.org.cn/models/xiaomile/DeblurGANv2/weight/DeblurGANv2_fpn-mobilenet.pth'
