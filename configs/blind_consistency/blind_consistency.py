# Blind video consistency (Lai et al., ECCV 2018): a network that removes the flicker of a processed video, given the
# original. The authors' schedule: 100 epochs of 1,000 iterations, x 0.5 every 20 epochs down to 1e-5.
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
default_scope = 'mmagic'
experiment_name = 'blind_consistency'
work_dir = './work_dirs/blind_consistency'

# vgg16='data/vgg16.pth' (torchvision's names) for their perceptual loss; without, L1 keeps to the processed frames.
model = dict(type='BlindConsistencyModel', generator=dict(type='BlindConsistencyNet'))

# original/, processed/: tools/dataset_converters/clip_pairs
train_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ClipPairDataset',
        data_root='data/clip_pairs',
        num_frames=11,
        crop_size=192,
        scale=(0.5, 2.0),
        num_items=4000))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = dict(type='MultiStepLR', milestones=[20, 40, 60], gamma=0.5, by_epoch=True)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1, by_epoch=True),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [dict(type='StrictLoadHook'), dict(type='ExactResumeHook'), dict(type='FiniteLossHook')]
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1), dist_cfg=dict(backend='nccl'))
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
randomness = dict(seed=0)
load_from = None
resume = False
