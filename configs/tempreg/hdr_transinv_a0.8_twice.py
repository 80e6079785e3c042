# The same, but the second input is another photograph of the scene, shifted by whole pixels, and not a moved photograph:
# noise and compression are others in the next frame, as they are in a video.
_base_ = './hdr_transinv_a0.8_images.py'
experiment_name = 'hdr_transinv_a0.8_twice'
work_dir = './work_dirs/hdr_transinv_a0.8_twice'
train_pipeline = [
    dict(type='FixedCrop', keys=['img', 'gt'], crop_size=(128, 128)),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='PhotographRadianceTwice', crop_size=56, shift=4),
    dict(
        type='PackInputs',
        data_keys=['moved_img'],
        meta_keys=[*_base_.meta_keys, 'moved_by', 'moved_img_channel_order']),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(transform=dict(_delete_=True, type='GivenShift'))
