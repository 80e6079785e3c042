# How stock networks that reconstruct are made steady, as tools/steady.py does it: any folder of photographs, no pairs. Two
# frames of each, as a camera that moved by whole pixels of the scene gives them, each with noise of its own; the network
# as it came is the teacher. The names are taken up in configs/stock/*_steady.py.
steady = dict(
    target='teacher',
    teacher_shift=8,
    transform=dict(_delete_=True, type='GivenShift', margin=4.0),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')),
    alpha=0.8)
pack = dict(type='PackInputs', data_keys=['moved_img'], meta_keys=['moved_by', 'moved_img_channel_order'])
photographs_x2, photographs_x4 = (
    dict(
        type='PhotographDataset',
        data_root='data/DIV2K/DIV2K_train_HR',
        pipeline=[dict(type='PhotographTwice', crop_size=96, scale=scale, jpeg_quality=None), pack])
    for scale in (2, 4))
falling = dict(type='LinearLR', start_factor=1.0, end_factor=0.05, end=3000, by_epoch=False)
