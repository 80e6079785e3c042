# Blind video consistency, a schedule of an hour on one CPU core: shorter and smaller pieces of clips, 1,800 iterations.
_base_ = 'blind_consistency.py'
experiment_name = 'blind_consistency_short'
work_dir = './work_dirs/blind_consistency_short'

pieces = dict(type='ClipPairDataset', num_frames=8, crop_size=96, scale=(1.0, 1.0))
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(data_root='data/clip_pairs/photographs', num_items=900, **pieces),  # that move, with exact flow
            dict(data_root='data/clip_pairs/videos', num_items=300, **pieces),
        ]))
train_cfg = dict(max_epochs=3)  # of 600 iterations
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = dict(milestones=[2])
