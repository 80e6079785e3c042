# The same networks on procedural clips: for experiments/rivals.py --config, which brings them to the truth's scale.
_base_ = './expandnet_steady.py'
work_dir = './work_dirs/expandnet_evaluation'
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ProceduralHDRDataset',
        num_clips=6,
        num_frames=30,
        size=128,
        seed=2,
        motion_lags={{_base_.motion_lags}},
        pipeline={{_base_.test_pipeline}}))
