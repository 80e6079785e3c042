_base_ = ['mmagic::restormer/restormer_official_gopro.py', '../_base_/tempreg.py', '../_base_/image_pairs.py']

model = dict(_delete_=True, type='SiameseEditModel', model={{_base_.model}}, **_base_.tempreg)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['generator']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/restormer/restormer_official_gopro-db7363a0.pth'
