# Any folder of images, each photographed twice; and how networks that invent detail are made steady without a blur: the
# network itself as teacher, whose colours and amount of detail are kept, and detail that has to move with the picture.
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
default_scope = 'mmagic'

train_pipeline = [
    dict(type='Flip', keys=['gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='PhotographTwice', crop_size=96, scale=4),
    dict(type='PackInputs', data_keys=['moved_img'], meta_keys=['moved_by', 'moved_img_channel_order']),
]
# For MMagic's inferencer: an image from a file.
inference_pipeline = [dict(type='LoadImageFromFile', key='img'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='PhotographDataset', data_root='data/images', pipeline=train_pipeline))

steady_and_sharp = dict(
    transform=dict(type='GivenShift'),
    regularization=dict(
        type='TransformInvarianceLoss', distance=dict(type='RelativeDetailLoss', low_pass=0.0, loss_weight=3.0)),
    alpha=0.5,
    target='teacher')
pixel_loss = dict(type='LocalStatisticsLoss')

max_iters = 100
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
val_cfg = None
test_cfg = None
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=0, end=max_iters, by_epoch=False)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=max_iters, by_epoch=False),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [dict(type='StrictLoadHook'), dict(type='ExactResumeHook'), dict(type='FiniteLossHook')]
log_processor = dict(type='LogProcessor', window_size=10, by_epoch=False)
log_level = 'INFO'
env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1), dist_cfg=dict(backend='nccl'))
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
randomness = dict(seed=0)
resume = False
