# Automatic colorization of faces: data, model and schedule that all colour configs share.
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
default_scope = 'mmagic'

# RGB comes in; the network sees the lightness, and predicts a and b of CIE Lab at half the resolution.
model = dict(
    type='ColorizationModel', generator=dict(type='ColorizationCNN'), pixel_loss=dict(type='MSELoss', loss_weight=1.0))

meta_keys = ['clip', 'frame', 'num_frames', 'fps']
# Regular augmentation, without which the network learns a small set of photographs by heart. The photograph is both
# input and truth: it is turned and lit once, and copied.
train_pipeline = [
    dict(type='RandomResizedCrop', keys=['img', 'gt'], crop_size=128, scale=(0.25, 1.0), ratio=(0.8, 1.25)),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(
        type='Albumentations',
        keys=['img'],
        transforms=[
            dict(type='Rotate', limit=15, border_mode=4, p=0.8),  # OpenCV's BORDER_REFLECT_101
            dict(type='RandomBrightnessContrast', brightness_limit=0.2, contrast_limit=0.2, p=0.8),
        ]),
    dict(type='CopyValues', src_keys=['img'], dst_keys=['gt']),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs', meta_keys=[*meta_keys, 'gt_path'])]

# For MMagic's inferencer: a photograph from a file.
inference_pipeline = [dict(type='LoadImageFromFile', key='img', channel_order='rgb'), dict(type='PackInputs')]
# Photographs of CelebA, clips of YouTube Faces; tools/dataset_converters/ makes both.
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PhotographDataset', data_root='data/celeba/train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='ClipSampler'),
    dataset=dict(
        type='ClipDataset',
        data_root='data/youtube_faces/frame_images_DB',
        list_file='data/youtube_faces/val.csv',
        size=128,
        fps=24,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='ClipSampler'),
    dataset=dict(
        type='ClipDataset',
        data_root='data/youtube_faces/frame_images_DB',
        list_file='data/youtube_faces/test.csv',
        size=128,
        fps=24,
        pipeline=test_pipeline,
    ),
)

# On a / 110 and b / 110, which go from about -1 to 1: the peak of PSNR is 2. Flow is found in the true clip.
ab_metrics = [
    dict(type='TemporalFlicker', domain='ab', pred_key='pred_ab'),
    dict(type='SpatialDetail', domain='ab', pred_key='pred_ab'),
    dict(type='ClipPSNR', domain='ab', pred_key='pred_ab', peak=2.0),
    dict(type='TemporalSmoothness', domain='ab', pred_key='pred_ab'),
    dict(type='TemporalResidual', domain='ab', pred_key='pred_ab'),
]
val_evaluator = dict(type='Evaluator', metrics=ab_metrics)
# Of the coloured frames: flow is found in the true clip.
test_evaluator = dict(
    type='Evaluator', metrics=[*ab_metrics,
                               dict(type='WarpError'),
                               dict(type='ColorDistributionConsistency')])

# The authors' optimiser, decay and length: 20,000 photographs in batches of 4.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=10, val_interval=1)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = dict(type='StepLR', step_size=25000, gamma=0.99, by_epoch=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1, by_epoch=True),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
custom_hooks = [
    dict(type='StrictLoadHook'),
    dict(type='ExactResumeHook'),
    dict(type='FiniteLossHook'),
    dict(type='AccelerationHook', channels_last=True),
]
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1), dist_cfg=dict(backend='nccl'))
# Named, so that it works without a GPU too; MMEngine's default wants one.
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
randomness = dict(seed=0)
load_from = None
resume = False
