# Transform invariance on a folder of .hdr and .exr images, tested on pans over others. For your own images set
# data_root, and files=None for all that lie in it.
_base_ = './hdr_transinv_a0.8.py'
experiment_name = 'hdr_transinv_a0.8_images'
work_dir = './work_dirs/hdr_transinv_a0.8_images'
_train_files = [
    f'polyhaven_{name}.hdr' for name in ('apartment', 'city', 'dawn', 'esplanade', 'forest', 'lab', 'night', 'sky',
                                         'studio', 'sunset', 'warehouse')
]
_test_files = [f'blender_{name}.exr' for name in ('city', 'forest', 'interior', 'night', 'studio', 'sunrise')]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='HDRImageDataset',
        data_root='resources/hdr',
        files=_train_files,
        num_images=10000,
        size=128,
        seed=0,
        pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='HDRPanDataset',
        data_root='resources/hdr',
        files=_train_files,
        num_clips=4,
        num_frames=50,
        size=128,
        seed=1,
        motion_lags={{_base_.motion_lags}},
        pipeline={{_base_.test_pipeline}}))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='HDRPanDataset',
        data_root='resources/hdr',
        files=_test_files,
        num_frames=100,
        size=128,
        seed=2,
        motion_lags={{_base_.motion_lags}},
        pipeline={{_base_.test_pipeline}}))
