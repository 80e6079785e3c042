# Tests a checkpoint of any HDR config on moving clips of three kinds at once: procedural ones; pans over HDR images on
# which settings may be chosen; and pans over other images, on which they are judged.
_base_ = './hdr_finetune.py'
work_dir = './work_dirs/hdr_evaluation'
_pans = dict(
    type='HDRPanDataset',
    data_root='resources/hdr',
    num_frames=100,
    size=128,
    motion_lags={{_base_.motion_lags}},
    pipeline={{_base_.test_pipeline}})
_validation_files = [
    f'polyhaven_{name}.hdr' for name in ('apartment', 'city', 'dawn', 'esplanade', 'forest', 'lab', 'night', 'sky',
                                         'studio', 'sunset', 'warehouse')
]
_test_files = [f'blender_{name}.exr' for name in ('city', 'forest', 'interior', 'night', 'studio', 'sunrise')]
_loader = dict(batch_size=1, num_workers=1, sampler=dict(type='ClipSampler'))
test_dataloader = [
    {{_base_.test_dataloader}},
    dict(**_loader, dataset=dict(**_pans, files=_validation_files, seed=1)),
    dict(**_loader, dataset=dict(**_pans, files=_test_files, num_clips=12, seed=2)),
]
_where = dict(domain='log', mask='saturated')
test_evaluator = [
    dict(
        type='Evaluator',
        metrics=[
            dict(type='TemporalFlicker', **_where, prefix=prefix),
            dict(type='TemporalFlicker', **_where, lag=1.0, prefix=prefix),
            dict(type='SpatialDetail', **_where, prefix=prefix),
            dict(type='SequenceMetric', meter='K_true', **_where, prefix=prefix),
            dict(type='SaturatedPSNR', prefix=prefix),
            dict(type='ImageEquivariance', **_where, prefix=prefix),
            dict(type='TemporalSmoothness', **_where, prefix=prefix),
            dict(type='TemporalResidual', **_where, prefix=prefix),
        ]) for prefix in ('procedural', 'validation', 'pans')
]
