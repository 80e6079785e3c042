# MMagic has no training of this model. The images are their own truth: data/train/gt holds them.
_base_ = [
    'mmagic::inst_colorization/inst-colorizatioon_full_official_cocostuff-256x256.py',
    '../_base_/tempreg.py', '../_base_/image_pairs.py'
]

# The stock config normalises to [-1, 1], while the stock model's conversion to Lab expects [0, 1].
to_unit_range = dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)
model = dict(
    _delete_=True, type='SiameseEditModel', model={**_base_.model, 'data_preprocessor': to_unit_range}, **_base_.tempreg)
train_dataloader = dict(dataset=dict(data_prefix=dict(img='gt')))
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='StrictLoadHook', parts=['image_model']), *_base_.safe_hooks]
load_from = 'https://download.openmmlab.com/mmediting/inst_colorization/inst-colorizatioon_full_official_cocostuff-256x256-5b9d4eee.pth'
