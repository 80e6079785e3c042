# Transform invariance (Eq. 4) for MMagic's own ColorizationNet, from its released weights, on photographs of faces.
_base_ = '../_base_/color.py'
experiment_name = 'color_inst_transinv_a0.8'
work_dir = './work_dirs/color_inst_transinv_a0.8'

_network = dict(type='ColorizationNet', input_nc=4, output_nc=2, norm_type='batch')
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    # As in MMagic's inst_colorization config, but for the range: its conversion to Lab expects [0, 1].
    model=dict(
        type='InstColorization',
        data_preprocessor=dict(
            type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3, output_channel_order='RGB'),
        image_model=_network,
        instance_model=_network,
        fusion_model=dict(type='FusionNet', input_nc=4, output_nc=2, norm_type='batch'),
        color_data_opt=dict(
            ab_thresh=0,
            p=1.0,
            sample_PS=[1, 2, 3, 4, 5, 6, 7, 8, 9],
            ab_norm=110,
            ab_max=110.0,
            ab_quant=10.0,
            l_norm=100.0,
            l_cent=50.0,
            mask_cent=0.5),
        which_direction='AtoB',
        loss=dict(type='HuberLoss', delta=0.01)),
    transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')),
    alpha=0.8)
# It gives back RGB only.
ab_metrics = [
    dict(type='ClipPSNR', domain='ab', peak=2.0),
    dict(type='TemporalSmoothness', domain='ab'),
    dict(type='TemporalResidual', domain='ab'),
]
val_evaluator = dict(metrics=ab_metrics)
test_evaluator = dict(metrics=[*ab_metrics, dict(type='WarpError'), dict(type='ColorDistributionConsistency')])
optim_wrapper = dict(optimizer=dict(lr=1e-5))
load_from = 'https://download.openmmlab.com/mmediting/inst_colorization/inst-colorizatioon_full_official_cocostuff-256x256-5b9d4eee.pth'
custom_hooks = [*_base_.custom_hooks, dict(type='NormEvalHook')]
