# ExpandNet on photographs of real HDR images, each seen as a whole picture: its global branch is to see what it will see
# of a video, and no crops. Plain fine-tuning to the truth; tested on pans over other images.
_base_ = '../tempreg/hdr_transinv_a0.8_images.py'
experiment_name = 'expandnet_finetune'
work_dir = './work_dirs/expandnet_finetune'
# python tools/model_converters/convert_expandnet.py PUBLISHED.pth data/expandnet.pth
load_from = 'data/expandnet.pth'
model = dict(
    _delete_=True,
    type='RelativeRadianceModel',
    generator=dict(type='ExpandNet'),
    pixel_loss=dict(type='L1Loss'))
train_pipeline = [
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(num_images=2000, pipeline=train_pipeline))
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=300, val_interval=1000)
optim_wrapper = dict(type='BFloat16OptimWrapper', optimizer=dict(lr=1e-4))
param_scheduler = dict(_delete_=True, type='LinearLR', start_factor=1.0, end_factor=0.05, end=300, by_epoch=False)
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=300, by_epoch=False))
log_processor = dict(window_size=10, by_epoch=False)
