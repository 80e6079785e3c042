# Tests a checkpoint of any HDR config on both kinds of moving clips at once: procedural, and pans over HDR images.
_base_ = './hdr_finetune.py'
work_dir = './work_dirs/hdr_evaluation'
_pans = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='ClipSampler'),
    dataset=dict(
        type='HDRPanDataset',
        data_root='resources/hdr',
        num_frames=100,
        size=128,
        seed=2,
        motion_lags={{_base_.motion_lags}},
        pipeline={{_base_.test_pipeline}}))
test_dataloader = [{{_base_.test_dataloader}}, _pans]
test_evaluator = [
    dict(
        type='Evaluator',
        metrics=[
            dict(type='TemporalFlicker', domain='log', mask='saturated', prefix=prefix),
            dict(type='TemporalFlicker', domain='log', mask='saturated', lag=1.0, prefix=prefix),
            dict(type='SpatialDetail', domain='log', mask='saturated', prefix=prefix),
            dict(type='SaturatedPSNR', prefix=prefix),
            dict(type='TemporalSmoothness', domain='log', mask='saturated', prefix=prefix),
            dict(type='TemporalResidual', domain='log', mask='saturated', prefix=prefix),
        ]) for prefix in ('procedural', 'pans')
]
