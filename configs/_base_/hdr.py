# Single-exposure HDR reconstruction: data, model and schedule that all HDR configs share.
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
default_scope = 'mmagic'

# Photographs are 8 bits; the ground truth is linear radiance, 1 where the sensor saturates.
model = dict(
    type='HDRReconstructionModel',
    generator=dict(type='HDRCNN'),
    pixel_loss=dict(type='MaskedLoss'),
    data_preprocessor=dict(type='HDRDataPreprocessor'))

meta_keys = ['clip', 'frame', 'num_frames', 'fps']
train_pipeline = [
    dict(type='FixedCrop', keys=['img', 'gt'], crop_size=(128, 128)),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='PackInputs', meta_keys=meta_keys),
]
test_pipeline = [dict(type='PackInputs', meta_keys=[*meta_keys, 'motion', 'gt_path'])]
# For MMagic's inferencer: a photograph from a file.
inference_pipeline = [dict(type='LoadImageFromFile', key='img', channel_order='rgb'), dict(type='PackInputs')]
# Items of clips tell where each pixel was one frame ago, and one second ago.
motion_lags = [None, 1.0]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ProceduralHDRDataset', num_images=10000, size=128, seed=0, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='ClipSampler'),
    dataset=dict(
        type='ProceduralHDRDataset',
        num_clips=4,
        num_frames=50,
        size=128,
        seed=1,
        motion_lags=motion_lags,
        pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='ClipSampler'),
    dataset=dict(
        type='ProceduralHDRDataset',
        num_clips=50,
        num_frames=200,
        size=128,
        seed=2,
        motion_lags=motion_lags,
        pipeline=test_pipeline))

# All in the log domain, on the pixels that are saturated in the truth: flicker from frame to frame and over a second,
# detail, PSNR; and the paper's smoothness and our temporal residual.
hdr_metrics = [
    dict(type='TemporalFlicker', domain='log', mask='saturated'),
    dict(type='TemporalFlicker', domain='log', mask='saturated', lag=1.0),
    dict(type='SpatialDetail', domain='log', mask='saturated'),
    dict(type='SaturatedPSNR'),
    dict(type='TemporalSmoothness', domain='log', mask='saturated'),
    dict(type='TemporalResidual', domain='log', mask='saturated'),
]
val_evaluator = dict(type='Evaluator', metrics=hdr_metrics)
test_evaluator = dict(type='Evaluator', metrics=hdr_metrics)

# The paper's length and the authors' optimiser and decay.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=10)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = dict(type='ExponentialLR', gamma=0.99, by_epoch=True)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1, by_epoch=True),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [
    dict(type='StrictLoadHook'),
    dict(type='ExactResumeHook'),
    dict(type='FiniteLossHook'),
    dict(type='AccelerationHook', channels_last=True),
]
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    dist_cfg=dict(backend='nccl'))
# Named, so that it works without a GPU too; MMEngine's default wants one.
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
randomness = dict(seed=0)
load_from = None
resume = False
