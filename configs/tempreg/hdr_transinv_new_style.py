# hdr_transinv_a0.8.py once more, in MMEngine's new style of configs: classes instead of names.
from mmengine.config import read_base

with read_base():
    from .._base_.hdr import *

from mmtempreg.engine import NormEvalHook
from mmtempreg.losses import TransformInvarianceLoss
from mmtempreg.models import SiameseEditModel
from mmtempreg.transforms import RandomAffine

experiment_name = 'hdr_transinv_new_style'
work_dir = './work_dirs/hdr_transinv_new_style'
load_from = 'checkpoints/hdr_baseline.pth'
model = dict(
    type=SiameseEditModel,
    model=model,
    transform=dict(type=RandomAffine),
    regularization=dict(type=TransformInvarianceLoss),
    alpha=0.8)
custom_hooks = [*custom_hooks, dict(type=NormEvalHook)]
