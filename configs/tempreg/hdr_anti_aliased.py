# The cause of most flicker taken away: anti-aliased strides, tuned until the network predicts what it did before. No ground
# truth is needed: the network as it came is the teacher, and shows what it predicts of the picture from all places on the
# grid of its strides.
_base_ = './hdr_finetune.py'
experiment_name = 'hdr_anti_aliased'
work_dir = './work_dirs/hdr_anti_aliased'
model = dict(
    _delete_=True,
    type='SiameseEditModel',
    model=dict(type='AntiAliasedModel', model={{_base_.model}}),
    target='teacher',
    teacher={{_base_.load_from}},
    teacher_shift=8)
