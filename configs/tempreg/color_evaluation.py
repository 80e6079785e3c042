# Tests a checkpoint of any colour config on two sets of clips at once: those on which settings may be chosen, and those
# on which they are judged.
_base_ = './color_finetune.py'
work_dir = './work_dirs/color_evaluation'
test_dataloader = [{{_base_.val_dataloader}}, {{_base_.test_dataloader}}]
_where = dict(domain='ab', pred_key='pred_ab')
test_evaluator = [
    dict(
        type='Evaluator',
        metrics=[
            dict(type='TemporalFlicker', **_where, prefix=prefix),
            dict(type='SpatialDetail', **_where, prefix=prefix),
            dict(type='SequenceMetric', meter='K_true', **_where, prefix=prefix),
            dict(type='ClipPSNR', **_where, peak=2.0, prefix=prefix),
            dict(type='ImageEquivariance', **_where, prefix=prefix),
            dict(type='TemporalSmoothness', **_where, prefix=prefix),
            dict(type='TemporalResidual', **_where, prefix=prefix),
            # of the coloured frames: do their colours stay, from frame to frame and for a second?
            dict(type='ColorDistributionConsistency', prefix=prefix),
            dict(type='ColorDistributionConsistency', lag=1.0, prefix=prefix),
        ]) for prefix in ('validation', 'faces')
]
